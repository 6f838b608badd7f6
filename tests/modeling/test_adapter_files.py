"""Adapters that a stranger wrote, or that are damaged: one line that names the file, and no more."""

import json
import pickle
import shutil

import pytest
import torch
from transformers import BertForMaskedLM

from hf_magics.errors import HFMagicsError, SourceError
from tests.home import run_alone
from tests.modeling.tiny import note_texts, same

peft = pytest.importorskip("peft")
from tests.modeling.lora import IDS, adapter_folder, by_peft  # noqa: E402 - it needs peft

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def lora(masked_bert, tmp_path_factory):
    """The folder of an adapter for the tiny BERT; not to be changed."""
    model = BertForMaskedLM.from_pretrained(masked_bert)
    return adapter_folder(tmp_path_factory.mktemp("adapters") / "lora", model)


@pytest.fixture
def own(lora, tmp_path):
    """A copy of the adapter that a test may change."""
    return shutil.copytree(lora, tmp_path / "own")


def set_in(folder, **settings):
    path = folder / SETTINGS
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def refused(hf, base, adapter, **words) -> str:
    """What is said of an adapter that can't be had: one line, and the session is as it was."""
    before = hf.load(str(base), name="before").model
    with pytest.raises(SourceError) as caught:
        hf.load(str(base), adapter=str(adapter), name="not", **words)
    assert list(hf.session) == ["before"]
    assert hf.session.current.model is before
    assert same(before, BertForMaskedLM.from_pretrained(base))
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 700
    return said


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (WEIGHTS, b"", "is empty"),
        (WEIGHTS, b"<!DOCTYPE html><html>no</html>", "is a web page"),
        (WEIGHTS, b"\0" * 400, "holds nothing but zeros"),
        (WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (WEIGHTS, None, "is damaged"),
        (SETTINGS, b"", "is empty"),
        (SETTINGS, b"<html>", "is a web page"),
        (SETTINGS, b'{"peft_type": "LOR', "is no JSON"),
        (SETTINGS, b"[" * 100_000, "nested too deep"),
        (SETTINGS, b"[1]", "no object of names"),
        (SETTINGS, b"{}", "is of the kind 'None'"),
    ],
)
def test_a_damaged_file_is_named(hf, masked_bert, own, name, content, said):
    """Cut off, another thing in its place, or nonsense."""
    path = own / name
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    told = refused(hf, masked_bert, own)
    assert f"{name} of '{own}'" in told
    assert said in told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peft_type": "LORRA"}, "did you mean 'LORA'"),
        ({"peft_type": ["LORA"]}, "is of the kind"),
        ({"peft_type": "PROMPT_TUNING"}, "is not put on here"),
        ({"peft_type": "XLORA", "adapters": {"0": "/etc"}}, "is not put on here"),
        ({"r": 10**12}, "has the rank '1000000000000'"),
        ({"r": -1}, "has the rank"),
        ({"r": "4"}, "has the rank"),
        ({"rank_pattern": {"query": 10**9}}, "has the rank"),
        ({"r": 3}, "lora_A.weight is 4 × 32 there and 3 × 32 here"),
        ({"r": 0}, "can't be put on"),
        ({"lora_alpha": "many"}, "is no number"),
        ({"lora_alpha": float("nan")}, "is no number"),
        ({"megatron_config": {"a": 1}, "megatron_core": "antigravity"}, "megatron_config"),
        ({"layer_replication": [[0, 10**6]]}, "layer_replication"),
        ({"target_modules": 7}, "own' "),
        ({"target_modules": "("}, "can't be put on"),
        ({"target_modules": ["elsewhere"]}, "has no weight for BertForMaskedLM"),
        ({"task_type": 7}, "own' "),
        ({"modules_to_save": ["pooler", 3]}, "own' "),
    ],
)
def test_settings_of_nonsense_are_one_line(hf, masked_bert, own, settings, said):
    """Whatever they say: no module is imported for them, and no room made."""
    set_in(own, **settings)
    assert said in refused(hf, masked_bert, own)


def test_weights_of_nan_are_said(hf, masked_bert, own):
    """On the model they are a warning that stays; folded in they are refused."""
    from safetensors.torch import load_file, save_file

    state = load_file(own / WEIGHTS)
    next(iter(state.values())).fill_(float("nan"))
    save_file(state, own / WEIGHTS)
    assert "NaN or infinite values in the adapter" in note_texts(
        hf.load(str(masked_bert), adapter=str(own))
    )
    hf.drop()
    assert "can't be folded" in refused(hf, masked_bert, own, merge=True)


class Touch:
    """Code in a pickle: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_with_code_never_runs(hf, masked_bert, own, tmp_path):
    """Alone, as torch writes it, and beside good weights, where it is not read."""
    for write in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))):
        write({"w": Touch(tmp_path / "ran")}, own / "adapter_model.bin")
        hf.load(str(masked_bert), adapter=str(own), name="good", replace=True)
        shutil.move(own / WEIGHTS, tmp_path / WEIGHTS)
        hf.drop()
        assert "nothing in it was run" in refused(hf, masked_bert, own)
        hf.drop()
        shutil.move(tmp_path / WEIGHTS, own / WEIGHTS)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_of_weights_is_read(hf, masked_bert, own):
    """As older peft wrote it."""
    from safetensors.torch import load_file

    torch.save(load_file(own / WEIGHTS), own / "adapter_model.bin")
    (own / WEIGHTS).unlink()
    loaded = hf.load(str(masked_bert), adapter=str(own))
    wanted = by_peft(BertForMaskedLM.from_pretrained(masked_bert), own)(IDS).logits
    assert torch.equal(loaded.model(IDS).logits, wanted)


@pytest.mark.parametrize("base", ["{outside}", "../outside", "org/other", ["x"]])
@pytest.mark.parametrize("class_", ["", "AutoModelForMaskedLM"])
def test_an_adapter_beside_the_weights_is_left_alone(hf, own_bert, own, tmp_path, base, class_):
    """A stranger's folder neither leads the load elsewhere nor changes the model by an adapter.

    transformers puts such an adapter on without a word where peft is installed.
    """
    plain = hf.load(str(own_bert), class_=class_, name="plain").model
    adapter_folder(tmp_path / "outside", BertForMaskedLM.from_pretrained(own_bert))
    where = base.format(outside=tmp_path / "outside") if isinstance(base, str) else base
    set_in(own, base_model_name_or_path=where)
    for one in own.iterdir():
        shutil.copy(one, own_bert / one.name)
    loaded = hf.load(str(own_bert), class_=class_, name="loaded")
    assert same(loaded.model, plain)
    assert f"which was not put on: --adapter {own_bert} does that" in note_texts(loaded)


def test_neither_does_the_code(hf, own_bert, own):
    """The script of such a load gives the same; asked for, the adapter is put on."""
    for one in own.iterdir():
        shutil.copy(one, own_bert / one.name)
    said = "sorted({name for name, _ in model.named_modules() if 'lora' in name})"
    assert run_alone(hf.load(str(own_bert)).code, said) == []
    asked = hf.load(str(own_bert), adapter=str(own_bert))
    assert "was not put on" not in note_texts(asked)
    wanted = sorted({name for name, _ in asked.model.named_modules() if "lora" in name})
    assert run_alone(asked.code, said) == wanted != []


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("org/base", "%hf_load org/base --adapter "),
        ("./folder", "%hf_load ./folder --adapter "),
        (None, "%hf_load BASE --adapter "),
        ("org/base --trust-remote-code", "%hf_load BASE --adapter "),
        ("--offline", "%hf_load BASE --adapter "),
        (["a"], "%hf_load BASE --adapter "),
    ],
)
def test_an_adapter_alone_is_no_model(hf, own, base, said):
    """The line says what to type, and nothing of a stranger's that would be an option."""
    set_in(own, base_model_name_or_path=base)
    for verb in (hf.load, hf.config):
        with pytest.raises(HFMagicsError, match="is an adapter, and not a whole model") as caught:
            verb(str(own))
        assert f"{said}{own}" in str(caught.value)


def test_what_is_no_adapter_is_one_line(hf, masked_bert, own, tmp_path):
    """A whole model, a folder without weights, and nothing."""
    assert "is a whole model" in refused(hf, masked_bert, masked_bert)
    hf.drop()
    (own / WEIGHTS).unlink()
    assert "adapter_model.safetensors or adapter_model.bin" in refused(hf, masked_bert, own)
    hf.drop()
    assert "no folder or file" in refused(hf, masked_bert, tmp_path / "none")
    hf.drop()
    (tmp_path / "empty").mkdir()
    assert "has no adapter_config.json" in refused(hf, masked_bert, tmp_path / "empty")
