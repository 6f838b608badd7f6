"""The page of scores: what is tinted, what is said, and what is refused in one line."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

import hf_magics as hf
from hf_magics.display.parts import Marked
from hf_magics.modeling.elsewhere import About, EngineModel
from hf_magics.modeling.origin import Origin
from hf_magics.snippets import Snippet
from hf_magics.specs import LoadSpec
from tests.inference.plain import byte_level, notes
from tests.inside.kinds import DECODER, GPT2, make
from tests.magics.words import page_of

BUDGET = 65_536


def llama(tokenizer=None, **more) -> None:
    """A tiny causal model, with a tokenizer whose tokens it knows."""
    words = {**DECODER, "vocab_size": 30_522, **more}
    hf.new("llama", name="llama", task="text-generation", tokenizer=tokenizer, seed=0, **words)


def marked_of(result) -> Marked:
    return next(part for part in result.page().parts if isinstance(part, Marked))


def test_a_token_is_tinted_where_it_stands_and_says_its_numbers(session, minilm):
    """In the text as it was typed; the label has the token, its log-probability and its rank."""
    llama(minilm)
    text = "  The Café\tis\u202e open."
    result = hf.score(text)
    marked = marked_of(result)
    assert marked.text == text
    found = {text[span.start : span.end]: span for span in marked.spans}
    assert list(found) == ["The", "Café", "is", "open", "."]
    row = result.df.set_index("token").loc["cafe"]
    label = f"cafe: {row['log_prob']:.2f}, rank {int(row['rank']):,}"
    assert found["Café"].label == label
    assert label in result._repr_html_()


def test_the_more_surprising_the_stronger_the_tint(session, minilm):
    """Full from 7 nats."""
    llama(minilm)
    result = hf.score("one two three")
    spans = marked_of(result).spans
    logs = result.log_probs[0][1:-1]
    assert [span.strength for span in spans] == pytest.approx([min(1, -one / 7) for one in logs])


def test_tokens_that_share_a_character_share_a_tint(session):
    """The four bytes of an emoji are one stretch, which names them all."""
    hf.new(
        "gpt2",
        name="g",
        task="text-generation",
        tokenizer=byte_level(),
        **GPT2 | {"vocab_size": 300},
    )
    marked = marked_of(hf.score("fox 🙂 dog"))
    (emoji,) = (span for span in marked.spans if "🙂" in marked.text[span.start : span.end])
    assert emoji.label.count("rank") == 4
    assert marked.text == "fox 🙂 dog"


def test_several_lines_have_a_row_each(session, minilm):
    """With its perplexity, and one for all of their tokens together."""
    llama(minilm)
    result = hf.score(["a cat", "two dogs sat", "x"])
    table = result.page().parts[0]
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    assert [float(row[1]) for row in table.rows] == pytest.approx(result.perplexity, abs=1e-4)
    scored = [one for line in result.log_probs for one in line if not math.isnan(one)]
    assert f"{math.exp(-sum(scored) / len(scored)):.4f}" in table.caption
    assert f"{len(scored)} tokens" in table.caption


@pytest.mark.parametrize(
    "texts", [["word " * 600], ["café <b>$5 " * 40] * 60, ["naïve 🙂 " * 300] * 3]
)
def test_long_texts_stay_within_the_budget(session, minilm, texts):
    """512 tokens, or many lines: .df has them all, and the page says what it left out."""
    llama(minilm, max_position_embeddings=512)
    result = hf.score(texts)
    page = result._repr_html_()
    assert len(page.encode()) <= BUDGET
    assert ".df has them all" in page
    assert len(result.df) == sum(map(len, result.ids))


def test_a_sentence_takes_little_room(session, minilm):
    """A usual page is under 16 KiB."""
    llama(minilm)
    result = hf.score("The quick brown fox jumps over the lazy dog, and then it sleeps a while.")
    assert len(result._repr_html_().encode()) < BUDGET / 4


def test_what_was_cut_and_what_has_no_score_is_said(session, minilm):
    """The text that was lost, the first token, a line of one token."""
    llama(minilm)
    said = notes(hf.score("one two three four five", max_length=5))
    assert any("cut to 5 tokens" in one and "four five" in one for one in said)
    assert any("the first token, “[CLS]”, has no score" in one for one in said)
    result = hf.score([[5, 6, 7], [8]])
    assert math.isnan(result.perplexity[1])
    assert "no token to score in line 2" in notes(result)
    session["llama"].model.train()
    assert any("train mode" in one for one in notes(hf.score("one two")))


def test_a_column_of_perplexities(shell, session, minilm):
    """``-o df.x`` has the main value of each line; ``-o NAME`` the result."""
    llama(minilm)
    shell.names["df"] = pd.DataFrame({"text": ["one two", "three", "four five six"]})
    shell.run("%hf_score -i df.text -o df.perplexity -q")
    shell.run("%hf_score -o out one two")
    assert shell.names["df"]["perplexity"].tolist() == pytest.approx(
        hf.score(["one two", "three", "four five six"]).perplexity
    )
    assert shell.names["out"].perplexity == pytest.approx([shell.names["df"]["perplexity"][0]])
    assert session.log[-1].texts == ("one two", "three", "four five six")


def test_a_cell_and_a_call_give_the_same_page(shell, session, minilm):
    """One input a line, and one log of specs."""
    llama(minilm)
    cell = page_of(shell.run("%%hf_score --max-length 6\na cat sat there all day\ntwo dogs"))
    spec = session.log[-1]
    assert page_of(hf.score(["a cat sat there all day", "two dogs"], max_length=6)) == cell
    assert session.log[-1] == spec


def test_the_result_holds_no_tensor_and_knows_its_model(session, minilm):
    """Numbers and strings; the model is in reach while it is in the session."""
    llama(minilm)
    result = hf.score("one two")
    assert result.model is session["llama"].model
    assert result.tokens[0] == ["[CLS]", "one", "two", "[SEP]"]
    assert list(result.df.columns) == [
        *("line", "position", "token", "id", "log_prob", "rank", "entropy", "top", "top_prob")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_score -m nobody a", "nobody"),
        ("%hf_score --max-length 0 a", "at least 1"),
        ("%hf_score --max-length 1 a b", "special tokens"),
        ("%hf_score", "there is no text"),
        ("%hf_score -i one", "no token to score"),
        ("%hf_score -i outside", "outside the vocabulary"),
        ("%hf_score -i image", "not an image"),
        ("%hf_score -m fill -i special", "all tokens are special"),
        ("%hf_score -m bare -i one", "no mask token"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, minilm, line, said):
    """That says what to type."""
    make("bert", task="fill-mask")
    session = hf.session
    sizes = {"task": "fill-mask", "tokenizer": minilm, "vocab_size": 30_522}
    hf.add(session["bert"].model, None, "bare")
    make("bert", replace=True, **sizes)
    hf.add(session["bert"].model, session["bert"].tokenizer, "fill")
    llama(minilm)
    shell.names.update(
        one=[[5]], outside=[[5, 99_999]], special=[[101, 102]], image=Image.new("RGB", (8, 8))
    )
    before = list(session.log)
    assert said in shell.error(line)
    assert session.log == before


def test_a_model_that_something_else_computes_is_one_line(session, minilm):
    """A server gives no torch weights, an engine no logits of every head."""
    about = About("far away", "runs elsewhere", "%hf_load it here")
    writer = SimpleNamespace(loading=lambda: Snippet((), ()), close=lambda: None)
    session.add(EngineModel.of(LoadSpec("far", "far"), Origin("endpoint", "far"), writer, about))
    with pytest.raises(hf.HFMagicsError, match="far runs elsewhere, which has no torch weights"):
        hf.score("a text")
    llama(minilm)
    session["llama"].runner = SimpleNamespace()
    with pytest.raises(hf.HFMagicsError, match="%%hf_score needs torch"):
        hf.score("a text")
