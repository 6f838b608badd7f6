"""`config`: fields, types, and what differs from the defaults or from another."""

import dataclasses

import pytest
from transformers import BertConfig, GPT2Config

from hf_magics.errors import HFMagicsError
from tests.home import run_home
from tests.modeling.tiny import BERT


def rows_of(result) -> dict:
    return {row.field: row for row in result.rows}


def test_rows_are_the_configs_own_fields(hf, masked_bert):
    """Each field has its value here, the class's default, and the type its dataclass declares."""
    result = hf.config(str(masked_bert))
    rows, config, default = (
        rows_of(result),
        BertConfig.from_pretrained(masked_bert),
        BertConfig(),
    )
    declared = {field.name: field for field in dataclasses.fields(BertConfig)}
    for name in ("hidden_size", "vocab_size", "hidden_act", "hidden_dropout_prob", "is_decoder"):
        assert rows[name].value == getattr(config, name)
        assert rows[name].other == getattr(default, name) == declared[name].default
    assert rows["hidden_size"].takes == "int"
    assert rows["hidden_act"].takes == "str"


def test_what_differs_comes_first(hf, masked_bert):
    """The fields that a checkpoint sets stand before those that are as in the class."""
    result = hf.config(str(masked_bert))
    assert {row.field for row in result.differing} == set(BERT)
    assert list(result.rows[: len(BERT)]) == list(result.differing)
    text = repr(result)
    assert text.index("intermediate_size") < text.index("fields the same")


def test_a_type_name_shows_the_defaults(hf):
    """A type that is not loaded has its class's defaults, and nothing differs."""
    result = hf.config("gpt2")
    rows = rows_of(result)
    assert result.differing == ()
    assert rows["hidden_size"].value == GPT2Config().n_embd
    assert "Every field is as in GPT2Config defaults" in repr(result)
    assert len(hf.session) == 0


def test_a_session_name_comes_before_a_type(hf):
    """A word is looked up in the session first."""
    hf.new("bert", name="gpt2", **BERT)
    assert type(hf.config("gpt2").config) is BertConfig
    assert type(hf.config().config) is BertConfig


def test_vs_shows_the_difference_of_two(hf, masked_bert):
    """--vs compares with another name, source or type in place of the defaults."""
    hf.new("bert", name="small", **BERT | {"hidden_size": 16})
    result = hf.config("small", vs=str(masked_bert))
    assert [row.field for row in result.differing] == ["hidden_size"]
    row = result.differing[0]
    assert (row.value, row.other) == (16, 32)


def test_vs_compares_standard_names_across_types(hf):
    """GPT-2's n_embd and BERT's hidden_size are one row; what only one has is absent in the other."""
    rows = rows_of(hf.config("bert", vs="gpt2"))
    assert (rows["hidden_size"].value, rows["hidden_size"].other) == (768, 768)
    assert "n_embd" not in rows
    assert repr(rows["type_vocab_size"].other) == "—"


def test_sub_configs_have_dotted_rows(hf):
    """A CLIP's two halves are shown under dotted names, the ones that FIELD=VALUE takes."""
    rows = rows_of(hf.config("clip"))
    assert rows["text_config.hidden_size"].value == 512
    assert rows["vision_config.image_size"].value == 224
    assert rows["text_config.hidden_size"].takes == "int"


def test_records_and_code(hf, masked_bert):
    """The rows are data, and the code gives the same config with plain transformers."""
    result = hf.config(str(masked_bert))
    record = next(one for one in result.records() if one["field"] == "hidden_size")
    assert record == {"field": "hidden_size", "value": 32, "other": 768, "takes": "int"}
    made = run_home(result.code)
    assert made["config"].to_dict() == result.config.to_dict()


def test_the_magic_shows_all(shell):
    """%hf_config TYPE --all unfolds what is the same, and takes no fields."""
    assert "layer_norm_eps" in repr(shell.run("%hf_config bert --all"))
    assert "takes no FIELD=VALUE" in shell.error("%hf_config bert hidden_size=3")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no model is loaded"),
        ("./nowhere", "no folder or file './nowhere'"),
        ("bert --vs ./nowhere", "no folder or file './nowhere'"),
    ],
)
def test_what_is_not_there_is_named(shell, words, message):
    """A name, source or type that there is not is one line."""
    assert message in shell.error(f"%hf_config {words}")


def test_an_error_logs_nothing(hf):
    """A config that can't be had leaves no entry in the log."""
    with pytest.raises(HFMagicsError):
        hf.config("bert", vs="./nowhere")
    assert hf.session.log == []
