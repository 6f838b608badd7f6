"""%hf_generate in a real shell, and its stream in a real kernel."""

import pytest
import torch

import hf_magics as hf

SIZES = "n_embd=16 n_layer=1 n_head=2 n_positions=48"


@pytest.fixture
def small(shell, minilm):
    """A shell with a tiny GPT-2 named small."""
    shell.run(
        f'%hf_new gpt2 {SIZES} --task text-generation -n small --seed 0 --tokenizer "{minilm}"'
    )
    return shell


def test_a_line_and_a_cell(small):
    """One prompt on the line, one a line in a cell, all of it with --whole."""
    assert len(small.run("%hf_generate --max-new-tokens 3 hello you").ids[0]) == 3
    two = small.run("%%hf_generate --max-new-tokens 3\nhello\n\ngood day\n")
    assert len(two.text) == 2
    assert len(small.run("%%hf_generate --whole --max-new-tokens 3\nhello\n\ngood day\n").text) == 1


def test_the_options_reach_the_verb(small, session):
    """Each option is a word of hf.generate, and gives the same."""
    line = (
        "%hf_generate -m small --temperature 0.9 --top-p 0.8 --top-k 30 --seed 4 --sequences 2 "
        "--stop zzz --stop yyy --set repetition_penalty=1.2 --max-new-tokens 5 hello"
    )
    result = small.run(line)
    spec = session.log[-1]
    again = hf.generate(
        "hello",
        model="small",
        temperature=0.9,
        top_p=0.8,
        top_k=30,
        seed=4,
        sequences=2,
        stop=("zzz", "yyy"),
        set={"repetition_penalty": 1.2},
        max_new_tokens=5,
    )
    assert session.log[-1] == spec
    assert torch.equal(result.outputs, again.outputs)


def test_variables_go_in_and_out(small):
    """-i takes a list, -o binds the result, -q shows nothing."""
    small.names["prompts"] = ["hello", "good day"]
    small.run("%hf_generate -i prompts -o out -q --max-new-tokens 2")
    assert len(small.names["out"].text) == 2
    assert small.names["out"].outputs.shape[0] == 2


def test_a_column_takes_what_was_written(small):
    """-o df.column: a text a row."""
    pandas = pytest.importorskip("pandas")
    small.names["df"] = pandas.DataFrame({"q": ["hello", "good day"]})
    result = small.run("%hf_generate -i df.q -o df.a --max-new-tokens 2")
    assert list(small.names["df"].a) == result.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_generate --set temprature=1 hello", "did you mean 'temperature'"),
        ("%hf_generate --top-k many hello", "--top-k takes a whole number"),
        ("%hf_generate --temperature hot hello", "--temperature takes a number, not 'hot'"),
        ("%hf_generate --sequences 2 hello", "--temperature 0.8"),
        ("%hf_generate", "there is no text"),
        ("%hf_generate " + "hello " * 60, "line 1 has 62 tokens, and small has 48 positions"),
    ],
)
def test_errors_are_one_line(small, line, said):
    """They say what to type."""
    assert said in small.error(line)


def test_a_stream_in_a_notebook_is_one_output_and_then_empty(kernel, minilm):
    """One display is updated while the text is written; the page that is returned stays."""
    kernel.run(
        f"%hf_new gpt2 {SIZES} --task text-generation -n small --seed 0 "
        f'--tokenizer "{minilm}" --replace'
    )
    sent = kernel.run("%hf_generate -m small --max-new-tokens 30 hello")
    shown = [(kind, one) for kind, one in sent if "display_id" in one.get("transient", {})]
    assert len({one["transient"]["display_id"] for _, one in shown}) == 1
    texts = [one["data"]["text/plain"] for _, one in shown]
    assert texts[0]
    assert texts[-1] == ""
