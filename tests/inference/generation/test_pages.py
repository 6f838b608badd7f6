"""The page of a generation: the text with its tints, the numbers beside, and the last line."""

import itertools
import re

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.display.parts import Fold, Marked, Table
from hf_magics.inference.generation.pieces import spread
from tests.inference.plain import END


def parts(result, kind):
    return [part for part in result.page().parts if isinstance(part, kind)]


def test_a_token_has_its_numbers_where_it_stands(writer):
    """Each stretch of the text is a token: its tint is what is missing to certainty."""
    result = hf.generate("one t")
    (marked,) = parts(result, Marked)
    assert marked.text == result.text[0]
    rows = [row for row in result.records() if row["text"]]
    assert "".join(row["text"] for row in rows) == marked.text
    for span, row in zip(marked.spans, rows, strict=True):
        assert marked.text[span.start : span.end] == row["text"]
        assert span.strength == 1 - row["prob"]
        assert re.fullmatch(r"[<>]?\d\.\d{4}, rank \d+", span.label)
    drawn = hf.generate("one t", temperature=1.5, seed=1)
    assert all(" (raw " in span.label for span in parts(drawn, Marked)[0].spans)


def test_tokens_of_one_character_do_not_garble_it(writer):
    """Four tokens make an emoji: the text has it once, and the last of them has it whole."""
    result = hf.generate("france:")
    row = next(row for row in result.records() if "🙂" in row["text"])
    assert row["text"].strip() == "🙂"
    assert "\ufffd" not in repr(result)
    assert "\ufffd" not in result._repr_html_()


def test_pieces_make_the_decoded_text(writer):
    """The pieces of any tokens are the whole, even where bytes are no character."""
    for words in ("héllo 🙂 wörld", "日本", "a\n\nb  c", "🙂" * 3):
        ids = writer.tokenizer(words)["input_ids"]
        whole, spans = spread(writer.loaded, ids)
        assert whole == words
        assert spans[0][0] == 0
        assert spans[-1][1] == len(words)
        cut, _ = spread(writer.loaded, ids[:-1])
        assert cut == writer.tokenizer.decode(ids[:-1], skip_special_tokens=True)
    end = writer.tokenizer.convert_tokens_to_ids(END)
    assert spread(writer.loaded, [end]) == ("", [(0, 0)])


def test_the_text_is_the_tokenizers_own_decoding(bert):
    """Word pieces, special tokens and IDs that the vocabulary lacks: whatever decode makes of it."""
    tokenizer = bert.tokenizer
    ids = tokenizer("the unaffable don't, say 12.5")["input_ids"]
    for mixed in (ids, [*ids, 102, *ids[1:]], [ids[3], 40_000, 102, *ids], [102], []):
        whole, spans = spread(bert.loaded, mixed)
        assert whole == tokenizer.decode(mixed, skip_special_tokens=True)
        assert len(spans) == len(mixed)
        assert all(0 <= start <= end <= len(whole) for start, end in spans)
        assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def test_the_tokens_are_folded_with_their_alternatives(writer):
    """One row a token; after the processors and raw are two columns where they differ."""
    plain = parts(hf.generate("one t"), Fold)[0].parts[0]
    assert [column.name for column in plain.columns] == ["token", "probability", "rank", "instead"]
    drawn = parts(hf.generate("one t", temperature=1.5, seed=1), Fold)[0].parts[0]
    assert [column.name for column in drawn.columns] == [
        *("token", "after processors", "rank", "raw"),
        *("instead", "raw, instead"),
    ]


def test_several_prompts_are_a_table(writer):
    """A row a text: the prompt, what was written, why it stopped."""
    (table,) = parts(hf.generate(["one t", "a b"]), Table)
    assert [column.name for column in table.columns] == ["prompt", "written", "stopped"]
    (numbered,) = parts(hf.generate("one t", sequences=2, temperature=1.0, seed=1), Table)
    assert [row[1] for row in numbered.rows] == ["1", "2"]


def test_the_last_line_counts(writer):
    """Tokens in, tokens out, tokens a second, and why it stopped."""
    said = hf.generate("one t", max_new_tokens=4).page().parts[-1].text
    count = len(writer.tokenizer("one t")["input_ids"])
    assert re.fullmatch(
        rf"{count} tokens in, 4 out in .+, [\d,.]+ tokens/s; stopped: limit of 4 tokens\.", said
    )


def test_a_long_text_keeps_the_page_small(writer, tiny):
    """Hundreds of tokens: under 64 KiB, and the page says what is left out."""
    entry = tiny("gpt2", task="text-generation", vocab_size=289, n_positions=700)
    hf.add(entry.model, writer.tokenizer, "long")
    result = hf.generate("a", max_new_tokens=600, set={"min_new_tokens": 600}, model="long")
    assert len(result.ids[0]) == 600
    page = result.page()
    assert len(html.render(page).encode()) < 65_536
    assert len(text.render(page, width=80)) < 65_536
    assert "the first 400 tokens are tinted" in text.render(page, width=200)
    assert len(result.df) == 600


def test_a_shown_result_holds_no_tensor(writer, session):
    """What is kept in the notebook is numbers; the IDs are with the other outputs."""
    result = hf.generate("one t", max_new_tokens=3)
    shown = result.kept_in(session.kept, 10_000)
    assert shown.outputs.tolist() == result.outputs.tolist()
    assert session.kept.nbytes == result.outputs.nbytes
    assert shown._written.outputs is None
    assert (result.model, result.tokenizer) == (writer.model, writer.tokenizer)
