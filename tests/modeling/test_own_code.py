"""--trust-remote-code: code of a checkpoint runs when it is asked for, and only then."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file
from transformers import BertModel, GPT2Config, GPT2LMHeadModel, dynamic_module_utils

from hf_magics.errors import HeadError, SourceError
from tests.modeling.tiny import BERT, bert_folder, note_texts, state_of, states_of_scripts

MARK = """
from pathlib import Path

Path({mark!r}).write_text("run")
"""
CONFIG = """
from transformers import PretrainedConfig


class {name}Config(PretrainedConfig):
    model_type = "{kind}"

    def __init__(self, width=4, **rest):
        self.width = width
        super().__init__(**rest)
"""
MODEL = """
import torch
from transformers import PreTrainedModel

from .configuration_{kind} import {name}Config


class {name}Model(PreTrainedModel):
    config_class = {name}Config

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(config.width, config.width)
        self.post_init()

    def forward(self, x):
        return self.layer(x)
"""
OWN_BERT = """
from transformers import BertModel


class OwnBert(BertModel):
    pass
"""
OWN_GPT2 = """
from transformers import GPT2LMHeadModel


class OwnGPT2(GPT2LMHeadModel):
    pass
"""


class Folder:
    """A checkpoint with code that leaves a file when it is run."""

    def __init__(self, path) -> None:
        self.path = path
        self.mark = path.parent / f"{path.name}.was-run"
        path.mkdir(exist_ok=True)

    def code(self, name: str, text: str) -> None:
        """Put a module in, which leaves the mark when it is imported."""
        (self.path / f"{name}.py").write_text(MARK.format(mark=str(self.mark)) + text)

    def config(self, **fields) -> None:
        """Set fields of config.json."""
        path = self.path / "config.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | fields))

    def ran(self) -> bool:
        """Say whether a module of it was imported."""
        return self.mark.exists()


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    """Transformers copies such code to a cache before it runs it: not to the user's."""
    folder = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_MODULES_CACHE", folder)
        patch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", folder)
        yield


@pytest.fixture
def unknown(tmp_path):
    """A type that transformers does not have, with the code of its config and model."""
    folder = Folder(tmp_path / "quux_one")
    folder.code("configuration_quux", CONFIG.format(name="Quux", kind="quux"))
    folder.code("modeling_quux", MODEL.format(name="Quux", kind="quux"))
    folder.config(
        model_type="quux",
        width=4,
        architectures=["QuuxModel"],
        auto_map={
            "AutoConfig": "configuration_quux.QuuxConfig",
            "AutoModel": "modeling_quux.QuuxModel",
        },
    )
    weights = {"layer.weight": torch.eye(4), "layer.bias": torch.ones(4)}
    save_file(weights, folder.path / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def known(tmp_path):
    """A BERT whose checkpoint brings a class of its own."""
    folder = Folder(bert_folder(tmp_path / "own_bert", BertModel))
    folder.code("modeling_own", OWN_BERT)
    folder.config(auto_map={"AutoModel": "modeling_own.OwnBert"})
    return folder


def test_an_unknown_type_is_refused_and_nothing_runs(hf, unknown):
    """Without the option: one line that names the option, no model, no code."""
    with pytest.raises(SourceError, match="read it, then --trust-remote-code") as refused:
        hf.load(str(unknown.path))
    assert "\n" not in str(refused.value)
    assert not unknown.ran()
    assert len(hf.session) == 0


def test_an_unknown_type_loads_when_it_is_trusted(hf, unknown):
    """With the option: the checkpoint's class and weights, and the page names code and place."""
    loaded = hf.load(str(unknown.path), trust_remote_code=True)
    assert type(loaded.model).__name__ == "QuuxModel"
    assert loaded.model.layer.bias.tolist() == [1.0] * 4
    assert loaded.model.config.width == 4
    assert unknown.ran()
    assert (
        "code of the checkpoint was run: configuration_quux.QuuxConfig, modeling_quux.QuuxModel "
        f"from '{unknown.path}'"
    ) in note_texts(loaded)


def test_trust_is_for_one_line(hf, unknown):
    """The next line without the option is refused again."""
    hf.load(str(unknown.path), trust_remote_code=True, name="first")
    unknown.mark.unlink()
    with pytest.raises(SourceError, match="--trust-remote-code"):
        hf.load(str(unknown.path), name="second")
    assert not unknown.ran()


def test_fields_reach_a_config_of_the_checkpoints_own(hf, unknown):
    """FIELD=VALUE is read with the fields that its config has, and another is refused."""
    loaded = hf.load(str(unknown.path), trust_remote_code=True, width="6")
    assert loaded.model.layer.weight.shape == (6, 6)
    with pytest.raises(hf.errors.ConfigError, match="no field 'widht'; did you mean 'width'"):
        hf.load(str(unknown.path), trust_remote_code=True, widht="6", name="other")


def test_a_head_that_its_code_does_not_have_is_refused(hf, unknown):
    """A task for which neither the code nor transformers has a class says what there is."""
    with pytest.raises(HeadError, match=r"nothing for fill-mask; it has: AutoModel$"):
        hf.load(str(unknown.path), trust_remote_code=True, task="fill-mask")


def test_a_class_of_its_code_can_be_named(hf, unknown):
    """--class takes the name that the class has in the checkpoint's code."""
    loaded = hf.load(str(unknown.path), trust_remote_code=True, class_="QuuxModel")
    assert type(loaded.model).__name__ == "QuuxModel"


def test_the_magic_says_it_in_one_line(shell, unknown):
    """In a notebook the refusal is one line, and the option makes it work."""
    line = f"%hf_load {unknown.path}"
    assert re.fullmatch(r"'.*quux_one' comes with code of its own, .*", shell.error(line))
    assert not unknown.ran()
    assert "code of the checkpoint was run" in note_texts(shell.run(f"{line} --trust-remote-code"))


@pytest.mark.slow
def test_the_code_of_a_trusted_load_runs_elsewhere(hf, unknown, tmp_path):
    """The plain script gives the option too, and makes the same model."""
    loaded = hf.load(str(unknown.path), trust_remote_code=True, width="6")
    states = states_of_scripts({"own": loaded.code}, tmp_path)
    assert states["own"].keys() == state_of(loaded.model).keys()


def test_a_known_type_is_transformers_own_without_the_option(hf, known):
    """The class of transformers is used, no code runs, and the page says so."""
    loaded = hf.load(str(known.path))
    assert type(loaded.model) is BertModel
    assert not known.ran()
    assert (
        "code of the checkpoint was not run (modeling_own.OwnBert): transformers' own was; "
        "--trust-remote-code runs it"
    ) in note_texts(loaded)


def test_a_known_type_is_its_own_with_the_option(hf, known):
    """The class of the checkpoint is used, and later lines are not changed by it."""
    loaded = hf.load(str(known.path), trust_remote_code=True, name="trusted")
    assert type(loaded.model).__name__ == "OwnBert"
    assert f"was run: modeling_own.OwnBert from '{known.path}'" in note_texts(loaded)
    assert type(hf.load(str(known.path), name="plain").model) is BertModel
    assert type(hf.new("bert", **BERT).model) is BertModel


def test_an_auto_map_of_a_language_model_alone(hf, tmp_path):
    """Where only AutoModelForCausalLM is brought, that class is the one that is loaded."""
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 100}
    GPT2LMHeadModel(GPT2Config(**sizes)).save_pretrained(tmp_path / "own_gpt2")
    folder = Folder(tmp_path / "own_gpt2")
    folder.code("modeling_own_gpt2", OWN_GPT2)
    folder.config(auto_map={"AutoModelForCausalLM": "modeling_own_gpt2.OwnGPT2"})
    assert type(hf.load(str(folder.path), name="plain").model) is GPT2LMHeadModel
    assert not folder.ran()
    loaded = hf.load(str(folder.path), trust_remote_code=True, name="own")
    assert type(loaded.model).__name__ == "OwnGPT2"
    assert "modeling_own_gpt2.OwnGPT2" in note_texts(loaded)
    assert "AutoModelForCausalLM.from_pretrained" in loaded.code
