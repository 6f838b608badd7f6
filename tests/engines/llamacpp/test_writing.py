"""llama.cpp behind the verbs that write: the same texts as without us, and honest numbers."""

import numpy as np
import pytest

import hf_magics as hf
from hf_magics.engines.llamacpp.chances import Sampling, described
from hf_magics.errors import InputError
from tests.engines.llamacpp.conftest import PROMPT, plain_text
from tests.home import run_home
from tests.inference.plain import notes

MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


def words_of(result) -> str:
    """The page without its line breaks."""
    return " ".join(repr(result).split())


def probabilities(plain, ids) -> np.ndarray:
    """The softmax of the logits behind these tokens, computed by hand in float64."""
    import llama_cpp

    plain.reset()
    plain.eval(ids)
    pointer = llama_cpp.llama_get_logits(plain.ctx)
    logits = np.ctypeslib.as_array(pointer, (plain.n_vocab(),)).astype(np.float64)
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_greedy_text_is_that_of_llama_cpp(smol, plain):
    """Also the code of the page writes it, and it holds no word of ours."""
    prompts = [PROMPT, "Once upon a time"]
    result = hf.generate(prompts, max_new_tokens=12)
    assert result.text == [plain_text(plain, prompt) for prompt in prompts]
    assert "hf_magics" not in result.code
    assert texts_of(result.code) == result.text


def test_drawn_text_is_that_of_llama_cpp(smol, plain):
    """The seed draws the same, for each text its own; what was drawn is described."""
    result = hf.generate(PROMPT, temperature=0.8, top_p=0.9, seed=3, sequences=2, max_new_tokens=8)
    words = {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "min_p": 0.0, "max_tokens": 8}
    assert result.text == [plain_text(plain, PROMPT, seed=3 + one, **words) for one in range(2)]
    assert "of the 50 likeliest tokens (top_k), top_p 0.9; --seed 3 draws" in words_of(result)
    raw = probabilities(plain, plain.tokenize(PROMPT.encode(), special=True))
    order = np.argsort(-raw)[:50]
    reached = np.cumsum(raw[order] / raw[order].sum())
    kept = order[: int((reached < 0.9).sum()) + 1]
    left = raw[kept] ** (1 / 0.8)
    for number in (1, 2):
        row = next(row for row in result.records() if row["sequence"] == number)
        place = kept.tolist().index(row["id"])
        assert row["prob"] == pytest.approx(left[place] / left.sum(), rel=1e-3)
        assert row["raw_prob"] == pytest.approx(raw[row["id"]], rel=1e-3)
        assert (row["rank"], row["raw_rank"]) == (place + 1, place + 1)


def test_probabilities_are_a_softmax_of_the_logits(smol, plain):
    """Of each token that was written, with its rank and the likeliest ones."""
    result = hf.generate(PROMPT, max_new_tokens=4)
    ids = plain.tokenize(PROMPT.encode(), special=True)
    for row, token in zip(result.records(), result.ids[0], strict=True):
        expected = probabilities(plain, ids)
        assert row["id"] == token == int(expected.argmax())
        assert row["rank"] == 1
        assert row["prob"] == row["raw_prob"] == pytest.approx(expected[token], rel=1e-4)
        likeliest = sorted(expected, reverse=True)[:5]
        assert list(row["top"].values()) == pytest.approx(likeliest, rel=1e-4)
        ids.append(token)
    assert result.records()[0]["token"] == "ĠRome"
    assert "␣Rome" in repr(result)


def test_what_is_drawn_from_is_what_the_options_leave():
    """By hand: top-k, then top-p, then min-p, then the temperature; penalties before all."""
    logits = np.log(np.array([0.5, 0.25, 0.15, 0.06, 0.03, 0.01], dtype=np.float32))
    step = described(logits, 1, Sampling(temperature=0.5, top_k=3, top_p=0.8), [])
    assert step.prob == pytest.approx(0.25**2 / (0.5**2 + 0.25**2), rel=1e-5)
    assert (step.rank, step.raw_rank, step.raw_prob) == (2, 2, pytest.approx(0.25))
    assert [token for token, _ in step.top] == [0, 1]
    step = described(logits, 1, Sampling(temperature=1.0, min_p=0.4), [])
    assert step.prob == pytest.approx(1 / 3, rel=1e-5)
    step = described(logits, 0, Sampling(repeat=2.0), [0, 0])
    doubled = np.array([0.5**2, 0.25, 0.15, 0.06, 0.03, 0.01])
    assert step.prob == pytest.approx(doubled[0] / doubled.sum(), rel=1e-5)


def test_penalties_are_those_of_llama_cpp(smol, plain):
    """The text is the same as without us, and the page shows both distributions."""
    prompt, words = "a b a b a b", {"repetition_penalty": 1.3, "frequency_penalty": 0.5}
    result = hf.generate(prompt, max_new_tokens=12, set=words)
    plain_words = {"repeat_penalty": 1.3, "frequency_penalty": 0.5}
    assert result.text == [plain_text(plain, prompt, **plain_words)]
    assert all(row["rank"] == 1 for row in result.records())
    assert any(row["raw_prob"] != row["prob"] for row in result.records())


def test_a_stop_string_ends_the_text(smol, plain):
    """It is part of the text, as in torch, and llama.cpp's own text is what stands before it."""
    result = hf.generate(PROMPT, max_new_tokens=30, stop="Empire")
    assert result.text[0].endswith("Empire")
    before = plain_text(plain, PROMPT, max_tokens=30, stop=["Empire"])
    assert result.text[0].removesuffix("Empire") == before
    assert "stopped: stop string 'Empire'" in words_of(result)
    assert any(
        "'zzz' never came" in note
        for note in notes(hf.generate(PROMPT, stop="zzz", max_new_tokens=2))
    )


def test_the_code_keeps_the_stop_string_as_the_result_does(smol):
    """Of a text, of several that are drawn, and of a reply; with the rest of its last token."""
    asked = {"max_new_tokens": 16, "stop": ["Empire", "la"]}
    drawn = {"temperature": 0.8, "seed": 3, "sequences": 2}
    one, two = hf.generate(PROMPT, **asked), hf.generate([PROMPT, "Rome is"], **asked, **drawn)
    turn = hf.chat(MESSAGES[0]["content"], **asked)
    texts = (one.text[0], two.text[0], turn.text)
    for text, end in zip(texts, ("Empire", " largest", "la"), strict=True):
        assert text.endswith(end)
    assert texts_of(one.code) == one.text
    assert texts_of(two.code) == two.text
    assert texts_of(turn.code) == [turn.text]


def texts_of(code) -> list[str]:
    """What a result's code writes."""
    return run_home(code)["texts"]


def test_an_end_token_ends_the_text(smol):
    """It is the last token, and no part of the text."""
    result = hf.generate(
        "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nYes.", max_new_tokens=60
    )
    assert "stopped: end token" in words_of(result)
    assert result.records()[-1]["token"] == "<|im_end|>"
    assert "<|im_end|>" not in result.text[0]


def test_characters_of_several_tokens_are_whole(smol):
    """The pieces are the text, and the spans of the tokens cover it."""
    pieces = []
    result = hf.generate("🙂🙂🙂🙂🙂", max_new_tokens=8, on_text=pieces.append)
    assert "".join(pieces) == result.text[0]
    assert "".join(row["text"] for row in result.records()) == result.text[0]


def test_token_ids_are_prompts(smol, plain):
    """The same as the text that they are."""
    ids = plain.tokenize(PROMPT.encode(), special=True)
    assert hf.generate(ids, max_new_tokens=5).text == hf.generate(PROMPT, max_new_tokens=5).text


def test_the_template_is_that_of_transformers(smol, plain, smollm2):
    """Text and tokens; the reply is what llama-cpp-python's own chat gives."""
    from pathlib import Path

    from transformers import AutoTokenizer

    path = Path(smollm2)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    turn = hf.chat(MESSAGES[0]["content"], max_new_tokens=10, show_prompt=True)
    expected = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True, tokenize=False)
    assert smol.writer.templated(MESSAGES, asking=True)[0] == expected
    ids = tokenizer.apply_chat_template(MESSAGES, add_generation_prompt=True)["input_ids"]
    assert smol.writer.turn(MESSAGES).given.ids == list(ids)
    plain.reset()
    reply = plain.create_chat_completion(MESSAGES, max_tokens=10, temperature=0.0)
    assert turn.text == reply["choices"][0]["message"]["content"]


def test_a_conversation_goes_on_from_the_cache(smol, plain):
    """A later turn reads only what is new, and is what llama.cpp gives that goes on as well."""
    first = hf.chat("What is the capital of France?", max_new_tokens=10)
    plain.reset()
    plain.create_chat_completion(first.messages[:-1], max_tokens=10, temperature=0.0)
    turn = hf.chat("And of Italy?", max_new_tokens=10)
    assert turn.read.reused > 40
    assert "of them from the cache" in words_of(turn)
    reply = plain.create_chat_completion(turn.messages[:-1], max_tokens=10, temperature=0.0)
    assert turn.text == reply["choices"][0]["message"]["content"]
    shown = hf.chat()
    assert shown.records()[0]["tokens"] == 7
    assert "the model has 1,024 positions" in words_of(shown)
    hf.chat(undo=True)
    assert hf.chat("And of Spain?", max_new_tokens=2).read.reused > 40


def test_a_special_token_in_a_turn_is_said(smol):
    """A template does not escape it."""
    turn = hf.chat("What is <|im_end|>?", max_new_tokens=2)
    assert any("'<|im_end|>'" in note for note in notes(turn))
    assert not notes(hf.chat("What is it?", max_new_tokens=2))


def interrupting(after):
    """An ``on_text`` that interrupts as a user does, at its so-manieth call."""
    left = iter(range(after, -1, -1))

    def on_text(_):
        if not next(left):
            raise KeyboardInterrupt

    return on_text


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupt_keeps_what_was_written(smol, plain, after):
    """And the same prompt again writes the same text as ever."""
    cut = hf.generate(PROMPT, max_new_tokens=20, on_text=interrupting(after))
    assert len(cut.ids[0]) == after + 1
    assert any("interrupted after" in note for note in notes(cut))
    whole = plain_text(plain, PROMPT)
    assert whole.startswith(cut.text[0])
    assert hf.generate(PROMPT, max_new_tokens=12).text == [whole]


def test_a_turn_after_an_interrupt_is_right(smol):
    """Whatever was computed when it came: a turn that was taken back is written as before."""
    first = hf.chat("What is the capital of France?", max_new_tokens=8)
    for after in (0, 1, 3):
        hf.chat(undo=True)
        cut = hf.chat(
            "What is the capital of France?", max_new_tokens=8, on_text=interrupting(after)
        )
        assert first.text.startswith(cut.text)
        assert any("the turn is kept as it is" in note for note in notes(cut))


def test_a_context_that_is_full_ends_the_text(smol):
    """The limit is what there is room for, and a prompt without room is refused before it runs."""
    long = " ".join(["word"] * 1020)
    result = hf.generate(long, max_new_tokens=50)
    assert len(result.ids[0]) <= 4
    assert any("the 1,024 positions of smol are full" in note for note in notes(result))
    with pytest.raises(hf.HFMagicsError, match=r"and smol has 1,024 positions"):
        hf.generate(" ".join(["word"] * 1100))
    with pytest.raises(hf.HFMagicsError, match=r"this turn has .* shorten it"):
        hf.chat(" ".join(["word"] * 1100))


def test_a_seed_draws_a_turn_again(smol):
    """Also where the conversation so far is in the cache in other portions."""
    words = {"temperature": 0.8, "max_new_tokens": 12}
    hf.chat("hello", new=True, **words)
    told = hf.chat("Name three animals.", seed=3, **words)
    hf.chat(undo=True)
    hf.chat("And now something else.", **words)
    hf.chat(undo=True)
    again = hf.chat("Name three animals.", seed=3, **words)
    assert again.text == told.text
    assert "--seed 3 draws the same again" in words_of(told)
    assert "a --seed draws the same again" in words_of(hf.chat("And?", **words))


def test_a_context_of_any_length_has_that_room(llama_cpp, session, smollm2):
    """llama.cpp makes 256 of 100, but what it keeps of the tokens has room for 100 alone."""
    hf.load(smollm2, name="short", engine="llamacpp", set={"n_ctx": 100})
    llama = session["short"].writer.llama
    ids = llama.tokenize(b"word " * 200)
    assert len(hf.generate([ids[:95]], max_new_tokens=50).ids[0]) <= 5
    with pytest.raises(InputError, match="100"):
        hf.generate([ids[:101]])
    session.remove("short").close()
