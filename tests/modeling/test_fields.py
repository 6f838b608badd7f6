"""Config fields: from words to values, and which sizes go together."""

import pytest

import hf_magics
from hf_magics.errors import ConfigError
from hf_magics.modeling import architectures, field_sizes
from hf_magics.modeling.creating import make_config
from tests.inference.plain import TINY
from tests.modeling.test_creating import CLIP_VISION
from tests.modeling.tiny import BERT, BERT_LINE


def test_standard_names_mean_the_types_own(hf):
    """GPT-2 takes hidden_size for its n_embd: the names of attribute_map work."""
    made = hf.new("gpt2", hidden_size="32", num_hidden_layers="1", num_attention_heads="2", seed=7)
    assert (made.config.n_embd, made.config.n_layer, made.config.n_head) == (32, 1, 2)
    assert "n_embd=32" in made.code


def test_words_become_values(shell):
    """true, null, numbers, lists and strings on the line become values of the field's type."""
    shell.run(
        f"%hf_new bert {BERT_LINE} is_decoder=true hidden_dropout_prob=0.25 pad_token_id=null "
        'hidden_act=relu eos_token_id=[1,2] id2label={"0":"no","1":"yes"} problem_type=null -n m'
    )
    config = shell.run("hf = __import__('hf_magics'); hf.session['m'].config")
    assert config.is_decoder is True
    assert config.hidden_dropout_prob == 0.25
    assert config.pad_token_id is None
    assert config.hidden_act == "relu"
    assert config.eos_token_id == [1, 2]
    assert config.id2label == {0: "no", 1: "yes"}
    assert config.hidden_size == 32
    assert type(config.hidden_size) is int


def test_an_encoder_decoder_is_told_where_its_decoder_starts(hf):
    """T5's config declares neither of the two, and transformers reads both of it."""
    tasks = '{"summarization": {"prefix": "summarize: "}}'
    given = {"decoder_start_token_id": "0", "task_specific_params": tasks}
    made = hf.new("t5", task="summarization", **given, **TINY["t5"])
    assert made.config.decoder_start_token_id == 0
    assert made.model.generation_config.decoder_start_token_id == 0
    assert made.config.task_specific_params == {"summarization": {"prefix": "summarize: "}}
    with pytest.raises(ConfigError, match="BertConfig has no field 'decoder_start_token_id'"):
        hf.new("bert", decoder_start_token_id="0")


def test_an_unknown_field_names_the_nearest(hf):
    """A misspelt field is refused with the one that was meant: transformers would accept it."""
    with pytest.raises(ConfigError, match=r"'num_hidden_layer'; did you mean 'num_hidden_layers'"):
        hf.new("bert", num_hidden_layer="4")


def test_an_unknown_activation_names_the_nearest(hf):
    """A value that the class does not know is refused in words."""
    with pytest.raises(ConfigError, match="there is no 'gleu'; did you mean 'gelu'"):
        hf.new("bert", hidden_act="gleu")


def test_a_sub_config_that_is_not_there_is_named(hf):
    """A dotted field of no sub-config says which sub-configs there are."""
    with pytest.raises(ConfigError, match=r"no sub-config 'txt_config'; it has: .*text_config"):
        hf.new("clip", **{"txt_config.hidden_size": "32"})


WRONG_IN_AN_OBJECT = [
    ({"text_config": {"hiden_size": 32}}, "no field 'hiden_size'; did you mean 'hidden_size'"),
    ({"text_config": '{"hiden_size": 32}'}, "no field 'hiden_size'; did you mean 'hidden_size'"),
    (
        {"text_config": {"hidden_size": 100, "num_attention_heads": 12}},
        r"text_config\.hidden_size=100 .* text_config\.num_attention_heads=12",
    ),
    (
        {"text_config": {"hidden_size": 32}, "text_config.hidden_size": 48},
        "text_config.hidden_size are one field",
    ),
]


@pytest.mark.parametrize(("given", "message"), WRONG_IN_AN_OBJECT)
def test_a_sub_config_in_one_object_is_checked_like_dotted_fields(hf, given, message):
    """What a JSON object of a sub-config holds is refused as its dotted form is."""
    with pytest.raises(ConfigError, match=message):
        hf.new("clip", **given)


def test_a_sub_config_in_one_object_is_the_dotted_form(hf):
    """Both forms give one config and one script."""
    text = {"hidden_size": 32, "num_attention_heads": 2, "hidden_act": "relu"}
    dotted = {f"text_config.{name}": str(value) for name, value in text.items()}
    dotted |= {f"vision_config.{name}": str(value) for name, value in CLIP_VISION.items()}
    whole = hf.new("clip", text_config=text, vision_config=CLIP_VISION, name="whole")
    assert whole.config.text_config.hidden_size == 32
    other = hf.new("clip", name="dotted", **dotted)
    assert whole.config.to_dict() == other.config.to_dict()
    assert whole.code == other.code


def test_a_sub_config_can_be_of_another_type():
    """An object that names a type is read with that type's fields."""
    text = {"model_type": "gpt2", "hidden_size": 48, "n_layer": 1}
    config, _ = make_config("llava", {"text_config": text})
    assert type(config.text_config).__name__ == "GPT2Config"
    assert (config.text_config.n_embd, config.text_config.n_layer) == (48, 1)
    with pytest.raises(ConfigError, match="GPT2Config has no field 'n_layr'; did you mean"):
        make_config("llava", {"text_config": {"model_type": "gpt2", "n_layr": 1}})


@pytest.mark.parametrize(
    ("model_type", "sizes", "message"),
    [
        ("bert", "hidden_size=100 num_attention_heads=12", "hidden_size=100 .* num_attention_heads=12"),
        ("bert", "hidden_size=100", "hidden_size=100 .* num_attention_heads=12"),
        ("gpt2", "hidden_size=100 num_attention_heads=12", "n_embd=100 .* n_head=12"),
        ("llama", "hidden_size=100 num_attention_heads=12", "hidden_size=100 .* num_attention_heads=12"),
        ("llama", "num_attention_heads=4 num_key_value_heads=3", "num_attention_heads=4 .* num_key_value_heads=3"),
        ("clip", "text_config.hidden_size=100 text_config.num_attention_heads=12", r"text_config\.hidden_size=100 .* text_config\.num_attention_heads=12"),
        ("bert", "num_attention_heads=0", "num_attention_heads must be at least 1"),
        ("bert", "num_hidden_layers=-1", "num_hidden_layers=-1 can't be"),
        ("bert", "vocab_size=-5", "vocab_size=-5 can't be"),
    ],
)  # fmt: skip
def test_sizes_that_disagree_name_both_fields(hf, monkeypatch, model_type, sizes, message):
    """Impossible sizes are refused by the names of the fields, before any class is built."""
    monkeypatch.setattr(architectures, "build_on_meta", None)
    with pytest.raises(ConfigError, match=message):
        hf.new(model_type, **dict(word.split("=") for word in sizes.split()))


def test_the_advice_on_sizes_is_right(hf):
    """The sizes that the message proposes for 100 over 12 heads can be made."""
    with pytest.raises(ConfigError, match="hidden_size=108 or num_attention_heads=10 would fit"):
        hf.new("bert", **BERT | {"hidden_size": 100, "num_attention_heads": 12})
    hf.new("bert", **BERT | {"hidden_size": 108, "num_attention_heads": 12})
    hf.new("bert", **BERT | {"hidden_size": 100, "num_attention_heads": 10})


def test_the_advice_on_a_size_of_billions_comes_at_once(hf):
    """Not after a look at each of the numbers below it, which would take centuries."""
    with pytest.raises(ConfigError, match="num_attention_heads=1 would fit"):
        hf.new("bert", **BERT | {"hidden_size": 2**61 - 1, "num_attention_heads": 12})


@pytest.mark.parametrize("total", [1, 12, 97, 100])
def test_the_nearest_divisor_is_that_among_all(total):
    for count in range(1, 130):
        divisors = [one for one in range(1, total + 1) if total % one == 0]
        nearest = min(divisors, key=lambda one: abs(one - count))
        assert field_sizes._nearest_divisor(total, count) == nearest


def test_heads_alone_are_enough_for_a_llama(hf):
    """What a config derives from other sizes (key and value heads) is derived from those given."""
    made = hf.new("llama", **BERT | {"num_attention_heads": 4})
    assert made.config.num_key_value_heads == 4


@pytest.mark.parametrize(
    ("field", "meant"),
    [("layers", "num_hidden_layers"), ("n_head", "num_attention_heads"), ("dim", "hidden_size")],
)
def test_a_word_of_other_libraries_names_the_field_that_it_means(session, field, meant):
    """What looks alike comes after what is meant."""
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'"):
        hf_magics.new("bert", **{field: 2})
