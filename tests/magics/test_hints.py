"""What a line may have meant is said on its page, and never acted on."""

import pytest


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("hello -o res", "'-o' was read as text: options go before the text"),
        ("tiny hello", "'tiny' was read as text: -m tiny chooses that model"),
        ('"hello there"', "the quotes are part of the text"),
        ("—m tiny hello", "'—m' was read as text: an option begins with - or --"),
    ],
)
def test_a_word_that_looks_meant_otherwise_is_said(shell, tiny, line, hint):
    """The text runs as it stands, and a warning on top says what it may have meant."""
    result = shell.run(f"%hf_infer {line}")
    assert hint in result.hints
    assert hint in " ".join(repr(result).split())
    assert hint in result._repr_html_().replace("&#39;", "'").replace("&#34;", '"')
    assert "res" not in shell.names


@pytest.mark.parametrize("line", ["hello there", "-m tiny hello", "-- -o is an option", "tiny"])
def test_a_plain_text_has_no_hint(shell, tiny, line):
    """Text that means what it says brings no warning."""
    assert shell.run(f"%hf_infer {line}").hints == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%hf_save tiny", "say where to save it: %hf_save tiny FOLDER"),
        ("%hf_new bert hidden_size = 96", "a field is written without spaces: hidden_size=96"),
        ("%hf_new bert hidden_size= 96", "a field is written without spaces: hidden_size=96"),
        ("%hf_infer --labels sport, food hello", "without spaces: --labels sport,…; or in quotes"),
        (
            "%hf_infer --task sentiment hello",
            "%hf_load … --task text-classification loads the head",
        ),
        ("%hf_tokens --return-tensors pt hello", "-o NAME keeps the result: NAME.ids"),
        ("%hf_tokens --truncation hello", "what is too long is cut: --max-length N says where"),
        ("%hf_tokens -i result.input_ids", "did you mean 'ids'?"),
        ("%hf_new bert hidden-size=12", "a field has underscores: hidden_size=12"),
        ("%hf_new bert --num_labels 3", "a field of the config is written num_labels=VALUE"),
        ("%hf_new BertModel", "BertModel is a class of the type 'bert'"),
        ("%hf_load where", "where is a variable: %hf_load $where"),
        ("%hf_load own", "own is a model in the notebook: %hf_load -i own"),
    ],
)
def test_what_is_often_mistyped_says_what_to_type(shell, tiny, session, line, says):
    """A learner's slip is one line with the way that works."""
    shell.names["where"], shell.names["own"] = "some/folder", session["tiny"].model
    shell.names["result"] = tiny.run("%hf_tokens hello")
    assert says in shell.error(line)
