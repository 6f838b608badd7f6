"""What goes wrong or is interrupted: the conversation stays right, and one line says what to type."""

import pytest
import torch

import hf_magics as hf
from hf_magics.errors import HeadError, InputError, OptionError, TokenizerError
from tests.inference.chat.conftest import (
    contents,
    plain_reply,
    said,
    talking_model,
    talking_tokenizer,
)
from tests.inference.plain import notes


def test_a_failing_turn_leaves_the_conversation_as_it_was(talker, session):
    """Whatever else the line asked for: nothing is taken back, begun or logged."""
    said("one")
    before, log = hf.chat().messages, list(session.log)
    for words in (
        {"undo": True, "temperature": -1.0},
        {"new": True, "set": {"nonsense": 1}},
        {"system": "Be.", "set": {"num_return_sequences": 2, "do_sample": True}},
        {"new": True, "undo": True},
    ):
        with pytest.raises(OptionError):
            hf.chat("two", **words)
        assert hf.chat().messages == before
    with pytest.raises(ZeroDivisionError):
        hf.chat("two", undo=True, on_text=lambda _: 1 / 0)
    assert hf.chat().messages == before
    assert session.log == log
    turn = said("two")
    assert turn.read.reused > 0
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6)


def interrupting(after):
    """An ``on_text`` that interrupts as a user does, at its so-manieth call."""
    left = iter(range(after, -1, -1))

    def on_text(_):
        if not next(left):
            raise KeyboardInterrupt

    return on_text


def test_an_interrupted_turn_keeps_what_was_written(talker):
    """It says so, the next turn is right, and it can be taken back."""
    said("one")
    cut = hf.chat("two", max_new_tokens=20, on_text=interrupting(3))
    assert 0 < len(cut.ids) < 20
    assert any(f"interrupted after {len(cut.ids)} tokens" in note for note in notes(cut))
    assert contents(cut) == ["one", "two"]
    turn = said("three")
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6)
    hf.chat(undo=True)
    assert contents(hf.chat(undo=True)) == ["one"]
    turn = said("four")
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6)


@pytest.mark.parametrize("forward", [1, 2, 5])
def test_an_interrupt_between_two_layers_leaves_a_cache_that_is_right(talker, forward):
    """The first layer is a token ahead of the second then."""
    said("one")
    calls = iter(range(1, 100))

    def interrupt(*_):
        if next(calls) == forward:
            raise KeyboardInterrupt

    hook = talker.model.model.layers[1].self_attn.q_proj.register_forward_hook(interrupt)
    cut = hf.chat("two", max_new_tokens=20)
    hook.remove()
    assert len(cut.ids) == forward - 1
    assert contents(cut) == (["one", "two"] if forward > 1 else ["one"])
    if forward == 1:
        assert any("before the first token" in note for note in notes(cut))
    turn = said("three")
    assert turn.read.reused > 0
    assert turn.ids == plain_reply(talker, turn.messages[:-1], 6)


def test_a_turn_that_overflows_says_how_many_turns_fit(session):
    """And nothing is changed; after going back so far, it fits."""
    hf.add(talking_model(max_position_embeddings=64), talking_tokenizer(), "talker")
    said("one", "two", limit=4)
    before = hf.chat().messages
    long = "z" * 45
    with pytest.raises(InputError) as raised:
        said(long)
    message = str(raised.value)
    assert "\n" not in message
    assert "64 positions" in message
    assert "it fits after 1 of the 2 turns (--undo once), or --new begins anew" in message
    assert hf.chat().messages == before
    assert contents(said(long, undo=True)) == ["one", long]
    with pytest.raises(InputError, match=r"this turn has .* tokens, .*: shorten it"):
        said("z" * 61, new=True)
    with pytest.raises(InputError, match="fits after none of the 2 turns, so --new begins anew"):
        said("z" * 60)


def test_models_that_cant_talk_say_what_can(session, minilm):
    """No template, no tokenizer, no head: one line each, and nothing is kept."""
    hf.add(talking_model(), talking_tokenizer(None), "plain")
    with pytest.raises(TokenizerError, match="plain has no chat template: %%hf_generate"):
        hf.chat("hello")
    hf.add(talking_model(), None, "mute")
    with pytest.raises(TokenizerError, match="mute has no tokenizer"):
        hf.chat("hello")
    hf.load(minilm, name="bert")
    with pytest.raises(HeadError, match="can't generate"):
        hf.chat("hello")


def test_what_a_template_refuses_is_said_in_one_line(session):
    """In the words of the template."""
    template = "{{ raise_exception('System role not supported') }}"
    hf.add(talking_model(), talking_tokenizer(template), "strict")
    with pytest.raises(InputError, match="template of strict refuses this: System role not supp"):
        hf.chat("hello", system="Be.")
    assert hf.chat().messages == []


def test_a_special_token_in_a_turn_is_said(talker):
    """The tokenizer reads it as one, so the model sees what the user may not have meant."""
    turn = said("what is <|endoftext|>?")
    assert any("'<|endoftext|>', which the tokenizer reads as a special" in n for n in notes(turn))
    assert notes(said("nothing of it")) == []


def test_options_of_a_reply_without_a_text_are_refused(talker):
    """They would do nothing."""
    with pytest.raises(OptionError, match="--max-new-tokens does nothing here"):
        hf.chat(max_new_tokens=3)
    with pytest.raises(OptionError, match="--set does nothing here"):
        hf.chat(set={"do_sample": True})
    with pytest.raises(InputError, match="a turn is one text, not list"):
        hf.chat(["a"])


def test_the_log_of_a_turn_can_be_replayed(talker, session):
    """A length of ``--set`` is resolved to the limit, and stands there once."""
    first = hf.chat("two", set={"max_new_tokens": 4, "no_repeat_ngram_size": 3})
    spec = session.log[-1]
    assert (spec.max_new_tokens, spec.extra) == (4, (("no_repeat_ngram_size", 3),))
    words = {"max_new_tokens": spec.max_new_tokens, "set": dict(spec.extra)}
    assert hf.chat(spec.text, new=True, **words).ids == first.ids


def test_a_refused_prompt_draws_no_seed(talker):
    """The random numbers of the notebook move only where a text is drawn."""
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with pytest.raises(InputError, match="shorten it"):
        hf.chat("z" * 300, temperature=1.0)
    assert torch.equal(torch.get_rng_state(), state)
