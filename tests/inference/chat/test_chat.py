"""A conversation: its turns, what is taken back, and what leaves it as it was."""

import pytest

import hf_magics as hf
from hf_magics.errors import InputError
from tests.home import run_home
from tests.inference.chat.conftest import (
    contents,
    plain_reply,
    said,
    talking_model,
    talking_tokenizer,
)
from tests.inference.plain import notes


def test_a_reply_is_what_the_template_and_generate_give(talker):
    """The same tokens as plain transformers; the text is without special tokens."""
    first = said("hello")
    second = said("and?")
    asked = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "and?"},
    ]
    assert second.ids == plain_reply(talker, asked, 6)
    assert second.text == talker.tokenizer.decode(second.ids, skip_special_tokens=True)
    assert second.messages == [*asked, {"role": "assistant", "content": second.text}]
    assert second.values == (second.text,)
    assert second.model is talker.model
    assert second.tokenizer is talker.tokenizer


def test_a_row_a_token_of_the_reply(talker):
    """As a generation has them."""
    turn = said("hello")
    assert [row["id"] for row in turn.records()] == turn.ids
    assert all(0 < row["prob"] <= 1 for row in turn.records())
    assert list(turn.df["token"]) == talker.tokenizer.convert_ids_to_tokens(turn.ids)
    assert turn.outputs.shape[1] == turn.read.tokens + len(turn.ids)


def test_the_page_says_what_was_read_and_what_came_from_the_cache(talker):
    """In the last line, with the tokens out and why it stopped."""
    assert "none of them from the cache" in repr(said("hello"))
    turn = said("and?")
    page = " ".join(repr(turn).split())
    read = turn.read
    assert f"{read.tokens} tokens in, 6 out" in page
    assert "stopped: limit of 6 tokens" in page
    new = read.tokens - read.reused
    assert f"Prompt {read.tokens} tokens, {read.reused} of them from the cache, {new} read." in page
    assert "turn 2" in page


def test_without_a_text_the_conversation_is_a_table(talker):
    """A row a message, in its order, with its tokens."""
    assert "Nothing was said yet" in repr(hf.chat())
    first = said("hello\nthere", system="Be brief.")
    shown = hf.chat()
    rows = shown.records()
    assert [(row["turn"], row["role"]) for row in rows] == [
        (0, "system"),
        (1, "user"),
        (1, "assistant"),
    ]
    assert [row["text"] for row in rows] == ["Be brief.", "hello\nthere", first.text]
    for row in rows:
        assert row["tokens"] == len(talker.tokenizer(row["text"])["input_ids"])
    assert shown.text == first.text
    assert "256 positions" in repr(shown)


def test_the_prompt_is_shown_as_the_template_makes_it(talker):
    """With its special tokens; only where it is asked for."""
    turn = said("hello", show_prompt=True)
    assert "<|user|>hello<|endoftext|><|assistant|>" in repr(turn)
    assert "<|user|>hello" not in repr(said("more"))
    assert "<|user|>hello<|endoftext|><|assistant|>" in repr(hf.chat(show_prompt=True))


def test_undo_takes_the_last_turn_back_alone_or_before_a_text(talker):
    """The reply after it is that of a conversation without the turn."""
    said("one", "two")
    assert contents(hf.chat(undo=True)) == ["one"]
    said("three")
    again = said("four", undo=True)
    assert contents(again) == ["one", "four"]
    assert again.read.reused > 0
    asked = again.messages[:-1]
    assert again.ids == plain_reply(talker, asked, 6)
    hf.chat(undo=True)
    hf.chat(undo=True)
    with pytest.raises(InputError, match="talker has no turn that --undo could take back"):
        hf.chat(undo=True)


def test_new_and_another_system_message_begin_anew(talker):
    """And say so where something is gone; the same system message goes on."""
    said("one", system="Be brief.")
    assert contents(said("two", system="Be brief.")) == ["one", "two"]
    other = said("three", system="Be long.")
    assert contents(other) == ["three"]
    assert any("without the 2 turns before" in note for note in notes(other))
    fresh = hf.chat(new=True)
    assert fresh.messages == []
    assert any("--system TEXT sets one" in note for note in notes(fresh))
    assert contents(hf.chat(system="Be."), "system") == ["Be."]
    assert contents(said("four"), "system") == ["Be."]
    assert notes(hf.chat(new=True, system="Be.")) == []


def test_a_conversation_belongs_to_its_model(session, talker):
    """Another model has another; a model that is replaced begins anew."""
    said("one")
    hf.add(talking_model(), talking_tokenizer(), "other")
    assert contents(said("two")) == ["two"]
    assert contents(hf.chat(model="talker")) == ["one"]
    hf.add(talking_model(), talking_tokenizer(), "talker", replace=True)
    assert hf.chat(model="talker").messages == []


@pytest.mark.parametrize(
    "words", [{"num_beams": 2}, {"use_cache": False}, {"cache_implementation": "static"}]
)
def test_ways_of_writing_that_keep_another_cache_work_without_ours(talker, words):
    """Nothing is reused then, and what was kept is right for the turn after."""
    said("one")
    turn = said("two", set=words)
    assert turn.read.reused == 0
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6, **words)
    turn = said("three")
    assert turn.read.reused > 0
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6)


@pytest.mark.parametrize("words", [{}, {"temperature": 1.5, "seed": 3}, {"stop": "e"}])
def test_the_code_gives_the_reply(talker, words):
    """Plain transformers: the same tokens, greedy, drawn and with a stop."""
    said("one")
    turn = said("two", limit=8, **words)
    assert "hf_magics" not in turn.code
    given = {"talker": talker.model, "tokenizer": talker.tokenizer}
    names = run_home(turn.code, **given)
    assert names["outputs"].tolist() == turn.outputs.tolist()
    assert names["texts"] == [turn.text]
    assert names["messages"] == turn.messages[:-1]
    names = run_home(hf.chat().code, **given)
    assert names["messages"] == turn.messages


def test_the_log_has_what_was_used(talker, session):
    """The limit and the seed; a look at the conversation is no entry."""
    session.steps.clear()
    said("one", temperature=1.0)
    hf.chat()
    hf.chat(undo=True)
    first, second = session.log
    assert (first.name, first.text, first.max_new_tokens) == ("talker", "one", 6)
    assert first.seed is not None
    assert second.undo


def test_a_reply_ends_by_itself_where_nothing_limits_it(session):
    """The setting, or what the checkpoint says, or what the positions leave: the page says where."""
    hf.add(talking_model(max_position_embeddings=64), talking_tokenizer(), "talker")
    turn = hf.chat("one")
    assert len(turn.ids) <= 64 - turn.read.tokens
    assert f"stopped: limit of {64 - turn.read.tokens} tokens" in repr(turn)
    three = hf.Settings(max_new_tokens=3)
    assert len(hf.chat("one", new=True, settings=three).ids) <= 3
    session["talker"].model.generation_config.max_new_tokens = 3
    assert len(hf.chat("one", new=True).ids) <= 3


def test_the_real_smollm2_knows_paris_and_reads_only_what_is_new(smol):
    """The second turn's prompt is read from where the first reply ended."""
    first = hf.chat("What is the capital of France?", max_new_tokens=30)
    assert "Paris" in first.text
    assert first.read.reused == 0
    second = hf.chat("And of Italy?", max_new_tokens=30)
    assert "Rome" in second.text
    known = first.read.tokens + len(first.ids) - 1
    assert second.read.reused == known
    assert second.ids == plain_reply(smol, second.messages[:-1], 30)


def test_the_pages_fit_a_narrow_and_a_wide_terminal(smol, monkeypatch):
    """No line is longer than it, and the HTML is small."""
    turn = hf.chat("Name three colours.", max_new_tokens=20, show_prompt=True)
    for width in (80, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        for result in (turn, hf.chat()):
            lines = repr(result).splitlines()
            assert max(map(len, lines)) <= width
            assert len(result._repr_html_()) < 16_384
