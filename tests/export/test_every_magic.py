"""Every magic's script gives the same, where hf_magics is not; a magic without one fails here."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import hf_magics as hf
from hf_magics import specs
from hf_magics.export.titles import TITLES
from hf_magics.magics.magics import HFMagics
from tests.export.explaining import check_explained
from tests.home import run_home
from tests.inference.plain import same

MAGICS = {*HFMagics.magics["line"], *HFMagics.magics["cell"]}
ONLY_SHOW = {"hf", "hf_models", "hf_code", "hf_explain"}
TINY = "hidden_size=32 num_hidden_layers=2 num_attention_heads=2 intermediate_size=32"
GPT2 = "n_embd=32 n_layer=2 n_head=2 vocab_size=30522"
MADE = (
    f'%hf_new bert {TINY} --task fill-mask --seed 1 --tokenizer "$minilm" -n filler',
    f'%hf_new gpt2 {GPT2} --task text-generation --seed 2 --tokenizer "$minilm" -n writer',
    f'%hf_new bert {TINY} --task text-classification --seed 3 --tokenizer "$minilm" -n sorter',
)


def tensor(name: str) -> Callable[[dict[str, Any], Any], bool]:
    """Compare a tensor of the script with the one of the result, bit by bit."""
    return lambda found, result: torch.equal(found[name], torch.as_tensor(getattr(result, name)))


def outputs(found: dict[str, Any], result: Any) -> bool:
    wanted = dict(result.outputs)
    return same({name: found["outputs"][name] for name in wanted}, wanted)


def written(found: dict[str, Any], result: Any) -> bool:
    texts = [result.text] if isinstance(result.text, str) else list(result.text)
    return bool(found["texts"] == texts)


def answers(found: dict[str, Any], result: Any) -> bool:
    return bool(found["answers"] == list(result.values))


def scores(found: dict[str, Any], result: Any) -> bool:
    wanted = torch.tensor(result.log_probs)
    return torch.allclose(found["log_probs"], wanted, atol=1e-5, equal_nan=True)


def compared(found: dict[str, Any], result: Any) -> bool:
    return bool(found["largest"] == pytest.approx(result.outputs_apart["logits"].largest, abs=1e-6))


STATE = "\nstate = model.state_dict()\n"
CASES: tuple[tuple[str, Callable[[dict[str, Any], Any], bool], str], ...] = (
    (
        f'%hf_new bert {TINY} --seed 1 --tokenizer "$minilm" -n again',
        lambda found, _: same(found["state"], hf.session["again"].model.state_dict()),
        STATE,
    ),
    (
        '%hf_load "$minilm" -n mini',
        lambda found, _: same(found["state"], hf.session["mini"].model.state_dict()),
        STATE,
    ),
    (
        "%hf_use sorter --dtype bfloat16",
        lambda found, _: same(found["state"], hf.session["sorter"].model.state_dict()),
        STATE,
    ),
    (
        '%hf_config "$minilm"',
        lambda found, result: found["config"].to_dict() == result.config.to_dict(),
        "",
    ),
    (
        "%hf_save filler here",
        lambda found, _: same(found["state"], hf.session["filler"].model.state_dict()),
        "\nstate = BertForMaskedLM.from_pretrained('here').state_dict()\n",
    ),
    ("%hf_tokens -m sorter One, two.", lambda found, result: found["ids"] == result.ids, ""),
    ("%%hf_infer -m sorter\nA cat.\nTwo dogs bark.", outputs, ""),
    (
        "%%hf_infer -m sorter --capture bert.encoder.layer.*.output\nA cat.\nTwo dogs bark.",
        lambda found, result: same(found["captured"], dict(result.captured)),
        "",
    ),
    ("%%hf_generate -m writer --max-new-tokens 5\nOnce\nA cat sat", written, ""),
    ("%hf_generate -m writer --max-new-tokens 5 --temperature 1 --seed 4 Once", written, ""),
    ("%hf_chat -m writer --max-new-tokens 5 Hello!", written, ""),
    ("%hf_map texts -m sorter", answers, ""),
    ("%hf_layers sorter", lambda found, _: found["path"] == "classifier", ""),
    ("%hf_attention -m sorter A cat sleeps.", tensor("attention"), ""),
    ("%hf_lens -m writer A cat sleeps.", tensor("logits"), ""),
    ("%hf_score -m writer A cat sleeps.", scores, ""),
    ("%hf_score -m filler A cat sleeps.", scores, ""),
    ("%%hf_compare sorter sorter-2\nA cat sleeps.", compared, ""),
    ("%hf_drop filler", lambda found, _: True, ""),
)


@pytest.fixture
def made(shell, minilm, tmp_path, monkeypatch):
    """A shell with a model of each kind, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    shell.names["minilm"] = minilm
    shell.names["texts"] = ["A cat.", "Two dogs bark at the cat.", "", "Who?"]
    for line in MADE:
        shell.run(line)
    shell.run(MADE[2].replace("-n sorter", "-n sorter-2").replace("--seed 3", "--seed 5"))
    template = "{% for one in messages %}{{ one.content }}{% endfor %}"
    hf.session["writer"].tokenizer.chat_template = template
    return shell


def of(line: str) -> str:
    return line.lstrip("%").split()[0]


def test_every_magic_has_a_case():
    """What is new among the magics is new here, or only shows what there is."""
    assert {of(line) for line, _, _ in CASES} == MAGICS - ONLY_SHOW


@pytest.mark.parametrize(("line", "check", "more"), CASES, ids=[case[0][:40] for case in CASES])
def test_the_script_of_a_magic_gives_the_same(made, line, check, more):
    """What %hf_code shows is what the result has, and runs by itself."""
    result = made.run(line)
    code = made.run("%hf_code").code
    assert code == result.code or of(line) == "hf_drop"
    assert "hf_magics" not in code
    check_explained(code, made.run("%hf_explain").code)
    if of(line) == "hf_chat":  # a template that was set by hand is no part of a load
        template = hf.session["writer"].tokenizer.chat_template
        code = code.replace("\nmessages =", f"\ntokenizer.chat_template = {template!r}\nmessages =")
    assert check(run_home(code + more), result)


def test_every_spec_has_a_title():
    """A script of several steps has a heading for each."""
    found = {one for name, one in vars(specs).items() if name.endswith("Spec")}
    assert TITLES.keys() == found - {specs.CodeSpec}
