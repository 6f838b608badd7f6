"""Code in a checkpoint runs when that is asked for, and only then; nothing waits for an answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from transformers import (
    BertForMaskedLM,
    GPT2LMHeadModel,
    ViTForImageClassification,
    dynamic_module_utils,
)

import hf_magics as hf
from hf_magics.errors import HFMagicsError
from tests.hostile.changes import WORDS, settings

EVIL = """
from pathlib import Path

Path({mark!r}).touch()


class Evil:
    pass


def generate(model, *args, **words):
    raise SystemExit
"""
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_asked: list[str] = []


def _note_asked(event: str, _: tuple) -> None:
    if event == "builtins.input":
        _asked.append(event)


sys.addaudithook(_note_asked)


def _in(file: str, **auto_map: object):
    def write(folder: Path) -> None:
        path = folder / file
        content = json.loads(path.read_text()) if path.exists() else {}
        own = content.get("auto_map", {})
        path.write_text(json.dumps({**content, "auto_map": {**own, **auto_map}}))

    return write


def _both(*each):
    return lambda folder: [one(folder) for one in each]


def _processor(auto: str, field: str):
    file = "preprocessor_config.json"
    return _both(_in(file, **{auto: "evil.Evil"}), settings(file, "", **{field: "Evil"}))


def _custom_generate(folder: Path) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "evil.py").rename(folder / "custom_generate" / "generate.py")


BERT, GPT2, VIT = BertForMaskedLM, GPT2LMHeadModel, ViTForImageClassification
TOKENIZER = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
PLACES = {
    "a config": (BERT, _in("config.json", AutoConfig="evil.Evil")),
    "a config of a type that is none": (
        BERT,
        _both(
            _in("config.json", AutoConfig="evil.Evil"),
            settings("config.json", "", model_type="evil"),
        ),
    ),
    "a model": (BERT, _in("config.json", AutoModel="evil.Evil", AutoModelForMaskedLM="evil.Evil")),
    "a model elsewhere": (BERT, _in("config.json", AutoModelForMaskedLM="org/evil--evil.Evil")),
    "a tokenizer": (BERT, _in("tokenizer_config.json", **TOKENIZER)),
    "a tokenizer of a class that is none": (
        BERT,
        _both(
            _in("tokenizer_config.json", **TOKENIZER),
            settings("tokenizer_config.json", "", tokenizer_class="Evil"),
        ),
    ),
    "an image processor": (VIT, _processor("AutoImageProcessor", "image_processor_type")),
    "a feature extractor": (VIT, _processor("AutoFeatureExtractor", "feature_extractor_type")),
    "a processor": (
        VIT,
        _both(
            _in("processor_config.json", AutoProcessor="evil.Evil"),
            settings("processor_config.json", "", processor_class="Evil"),
        ),
    ),
    "a generate()": (GPT2, _custom_generate),
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """Transformers copies such code to a cache before it runs it: not to the user's."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.fixture
def made(tmp_path):
    """Make a checkpoint of a class with the code in it; return its folder and the code's mark."""

    def make(kind) -> tuple[str, Path]:
        folder, mark = tmp_path / "model", tmp_path / "ran"
        sizes = {"n_embd": 16, "n_layer": 1, "n_head": 2} if kind is GPT2 else SMALL
        words = {"image_size": 16, "patch_size": 8} if kind is VIT else {"vocab_size": len(WORDS)}
        kind(kind.config_class(**sizes, **words)).save_pretrained(folder)
        if kind is BERT:
            (folder / "vocab.txt").write_text("\n".join(WORDS))
            (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
        (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))
        return str(folder), mark

    return make


VERBS = {
    "load": hf.load,
    "the head of a task": lambda folder: hf.load(folder, task="features"),
    "config": hf.config,
    "layers": hf.layers,
    "its tokenizer": lambda folder: hf.new("bert", **SMALL, tokenizer=folder),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_of_it_runs_and_nobody_is_asked(session, made, place, verb):
    """What is made is transformers' own, or one line says what to do; the page of a load says so."""
    kind, write = PLACES[place]
    folder, mark = made(kind)
    write(Path(folder))
    _asked.clear()
    try:
        said = str(VERBS[verb](folder))
    except HFMagicsError as error:
        said = str(error)
        assert "\n" not in said
        assert "Traceback" not in said
    else:
        assert "load" not in verb or "was not run" in said.replace("\n", " ")
    assert not mark.exists()
    assert _asked == []


def test_a_generate_of_its_own_runs_when_it_is_trusted(session, made):
    """And the page says from where."""
    folder, mark = made(GPT2)
    _custom_generate(Path(folder))
    loaded = hf.load(folder, task="text-generation", trust_remote_code=True)
    said = str(loaded).replace("\n", " ")
    assert "code of the checkpoint was run: generate.generate from" in said
    assert mark.exists()
