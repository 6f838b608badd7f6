"""Question answering: spans, windows and no answer, by a model that learned to point."""

import random
import re

import pytest
import torch
from tokenizers import Tokenizer, models, processors
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast

import hf_magics as hf
from hf_magics.display.parts import Fold, Marked, Text
from hf_magics.errors import HFMagicsError, InputError, OptionError
from tests.home import run_home
from tests.inference.plain import same
from tests.inference.tasks.asking import CONTEXT, FILL, WHEN, WHERE, WHO, trained_pointer
from tests.inference.tasks.training import TINY_BERT


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that knows where and who; asked when, it says that there is no answer."""
    return trained_pointer(tmp_path_factory.mktemp("question"))


@pytest.fixture
def reader(session, learned):
    """The model that learned, in the session as ``reader``."""
    hf.add(*learned, "reader")
    return learned


def by_hand(model, tokenizer, question, context, size, shared):
    """Spans with their probabilities: each window run alone, each span multiplied out."""
    found, nulls = {}, []
    asked = tokenizer(question, add_special_tokens=False)["input_ids"]
    whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids, offsets = whole["input_ids"], whole["offset_mapping"]
    room, first = size - 3 - len(asked), 0
    while True:
        piece = ids[first : first + room]
        sep = tokenizer.sep_token_id
        row = [tokenizer.cls_token_id, *asked, sep, *piece, sep]
        types = [0] * (len(asked) + 2) + [1] * (len(piece) + 1)
        with torch.inference_mode():
            out = model(torch.tensor([row]), token_type_ids=torch.tensor([types]))
        seen = [0, *range(len(asked) + 2, len(row) - 1)]
        start = dict(zip(seen, out.start_logits[0][seen].softmax(0).tolist(), strict=True))
        end = dict(zip(seen, out.end_logits[0][seen].softmax(0).tolist(), strict=True))
        nulls.append(start[0] * end[0])
        for one in seen[1:]:
            for last in range(one, min(one + 15, seen[-1] + 1)):
                shift = first - len(asked) - 2
                where = (offsets[one + shift][0], offsets[last + shift][1])
                found[where] = max(found.get(where, 0), start[one] * end[last])
        if first + room >= len(ids):
            break
        first += room - shared
    return {**found, (0, 0): min(nulls)}


def code_of(result, reader, **given):
    """What the result's code makes; ``given`` is what it leaves to be filled in."""
    return run_home(result.code, reader=reader[0], tokenizer=reader[1], **given)


def test_the_answers_are_right(reader):
    """Each question gets its own answer in the same context, and none where there is none."""
    result = hf.infer([WHERE, WHO, WHEN], context=CONTEXT)
    assert result.values == ("new york", "anna", "")
    best = [row for row in result.records() if row["rank"] == 1 and row["prob"] > 0.9]
    assert [CONTEXT[row["start"] : row["end"]] for row in best] == ["new york", "anna", ""]
    assert [row["line"] for row in best] == [1, 2, 3]
    assert len(result.records()) == 9


def test_probabilities_are_those_multiplied_out_by_hand(reader):
    """Each span's probability is the product of its start and end over the context and [CLS]."""
    result = hf.infer([f"{WHERE}\t{CONTEXT}"], top_k=10)
    expected = by_hand(*reader, WHERE, CONTEXT, 64, 28)
    rows = {(row["start"], row["end"]): row["prob"] for row in result.records()}
    assert list(rows) == sorted(expected, key=expected.get, reverse=True)[:10]
    assert rows == pytest.approx({one: expected[one] for one in rows}, abs=1e-6)


def test_a_long_context_is_read_in_windows(reader):
    """The best over windows is found at its characters, as by running each window alone."""
    rng = random.Random(1)
    words = [rng.choice(FILL) for _ in range(200)]
    words[150] = "rome"
    context = " ".join(words)
    result = hf.infer(WHERE, context=context, max_length=20, top_k=5)
    best = result.records()[0]
    assert best["answer"] == context[best["start"] : best["end"]] == "rome"
    expected = by_hand(*reader, WHERE, context, 20, 6)
    for row in result.records():
        assert row["prob"] == pytest.approx(expected[row["start"], row["end"]], abs=1e-5)
    said = [part.text for part in result.page().parts if isinstance(part, Text)]
    assert re.match(r"What is too long .* 28 windows of at most 20 tokens, .* share 6; ", said[0])
    assert result.outputs.start_logits.shape == (28, 20)


def test_no_answer_has_to_win_in_every_window(reader):
    """Windows without the answer do not outvote the one that has it."""
    context = " ".join([*FILL * 3, "bob", *FILL * 3])
    assert hf.infer(WHO, context=context, max_length=20).values == ("bob",)
    assert hf.infer(WHO, context=" ".join(FILL * 6), max_length=20).values == ("",)


def test_an_answer_is_whole_words(reader):
    """A span that ends inside a word takes the whole word."""
    context = "the cat sat by parisian and ran"
    result = hf.infer(WHERE, context=context, top_k=10)
    assert result.values == ("parisian",)
    assert all(set(row["answer"].split()) <= set(context.split()) for row in result.records())
    assert len({(row["start"], row["end"]) for row in result.records()}) == 10


def test_contexts_may_be_one_each(reader):
    """A list of contexts is taken in the order of the questions, as are pairs parted by a tab."""
    contexts = ["the cat ran on rome so big", "the dog sat by new york"]
    one_each = hf.infer([WHERE, WHERE], context=contexts)
    assert one_each.values == ("rome", "new york")
    parted = hf.infer([f"{WHERE}\t{context}" for context in contexts])
    assert parted.records() == one_each.records()


@pytest.mark.parametrize("more", [{}, {"max_length": 14}])
def test_the_code_gives_the_same(reader, more):
    """Plain transformers makes the same tensors and the same answers."""
    contexts = [CONTEXT, "the cat sat by parisian and ran"]
    result = hf.infer([WHERE, WHEN], context=contexts, **more)
    names = code_of(result, reader)
    assert same(names["outputs"], result.outputs)
    assert names["texts"] == list(result.values)
    assert "hf_magics" not in result.code


def test_the_page_marks_a_short_context(reader):
    """One short context stands open with its answer marked; several are folded."""
    page = hf.infer(f"{WHERE}\t{CONTEXT}").page()
    marked = page.parts[-2]
    assert isinstance(marked, Marked)
    assert [marked.text[one.start : one.end] for one in marked.spans] == ["new york"]
    table = page.parts[0]
    assert " ".join(one.name for one in table.columns) == "question answer probability characters"
    assert (table.rows[0][0], table.rows[0][3], table.rows[1][0]) == (WHERE, "39–47", "")
    assert isinstance(hf.infer([WHERE, WHO], context=CONTEXT).page().parts[-2], Fold)


def test_a_long_context_is_shown_around_its_answer(reader):
    """The fold holds what is around the answer, with the right letters marked."""
    context = " ".join([*FILL * 20, "rome", *FILL * 20])
    (table,) = hf.infer(WHERE, context=context).page().parts[-2].parts
    marked = table.rows[0][1]
    assert len(marked.text) < 450
    assert marked.text[0] == marked.text[-1] == "…"
    (span,) = marked.spans
    assert marked.text[span.start : span.end] == "rome"


def test_no_answer_is_said_in_words(reader):
    """The page says so, and marks nothing; the data has an empty answer."""
    result = hf.infer(WHEN, context=CONTEXT, top_k=1)
    assert "(no answer)" in repr(result)
    assert not any(isinstance(part, (Marked, Fold)) for part in result.page().parts)
    assert [(one["answer"], one["start"], one["end"]) for one in result.records()] == [("", 0, 0)]


def test_padding_on_the_left_puts_the_context_first(reader):
    """With a tokenizer that pads on the left, spans are still those of the context."""
    reader[1].padding_side = "left"
    try:
        result = hf.infer([WHERE, WHO], context=CONTEXT)
        names = code_of(result, reader)
    finally:
        reader[1].padding_side = "right"
    assert same(names["outputs"], result.outputs)
    assert names["texts"] == list(result.values)
    assert all(CONTEXT[row["start"] : row["end"]] == row["answer"] for row in result.records())


def without_words(vocabulary):
    """A tokenizer of letters, which knows no words and has no [CLS] and no [PAD]."""
    letters = {letter: at for at, letter in enumerate(["?", *vocabulary])}
    made = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="?"))
    made.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A:0 |:0 $B:1", special_tokens=[("|", letters["|"])]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?")


def test_a_tokenizer_without_words_gives_its_tokens(session):
    """Where the whole text is one word to it, a span is what its tokens say, and null has no place.

    Such a tokenizer has no pad token either: one is borrowed, here and in the code.
    """
    tokenizer = without_words(" |abcdefgh")
    torch.manual_seed(1)
    config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **TINY_BERT)
    model = BertForQuestionAnswering(config).eval()
    hf.add(model, tokenizer, "reader")
    result = hf.infer(["abc\tabc def", "de\tgh"], top_k=20)
    assert result.records()[0]["answer"] != "abc def"
    assert all(row["answer"] and row["answer"] == row["answer"].strip() for row in result.records())
    assert tokenizer.pad_token is None
    names = code_of(result, (model, tokenizer))
    assert same(names["outputs"], result.outputs)
    assert names["texts"] == list(result.values)


@pytest.mark.parametrize(
    ("inputs", "more", "message"),
    [
        (WHERE, {}, "line 1 has no context: give one with --context VAR, or .* a tab"),
        (WHERE, {"context": "  "}, "the context of line 1 is empty: write a context"),
        (f" \t{CONTEXT}", {}, "the question of line 1 is empty: write a question"),
        ([WHERE] * 2, {"context": [CONTEXT, ""]}, "the context of line 2 is empty"),
        ([WHERE] * 3, {"context": [CONTEXT] * 2}, "--context has 2 texts for 3 questions"),
        (f"{WHERE}\t{CONTEXT}", {"context": CONTEXT}, "line 1 has a context of its own"),
        (WHERE, {"context": [5]}, "--context takes texts, and '5' is int"),
        (WHERE, {"context": "\u200b"}, "the context of line 1 has no character that"),
        (WHERE, {"context": CONTEXT, "max_length": 7}, "line 1 takes all of the 7 tokens"),
        (WHERE, {"context": CONTEXT, "max_length": 65}, "--max-length 65 is more than the 64"),
        (WHERE, {"context": CONTEXT, "top_k": 0}, "--top-k 0: at least 1 is needed"),
        ("", {"context": CONTEXT}, "line 1 is empty"),
        (WHERE, {"context": CONTEXT, "labels": "a"}, "question-answering takes no --labels"),
    ],
)
def test_what_can_not_be_asked_is_said(reader, inputs, more, message):
    """One line names the line and says what to give."""
    with pytest.raises((InputError, OptionError), match=message) as caught:
        hf.infer(inputs, task="question-answering", **more)
    assert "\n" not in str(caught.value)


def test_ids_are_no_question(reader):
    """Without a task IDs give the tensors; asked for answers, the line says what is read."""
    assert hf.infer([[2, 5, 3]]).task == "features"
    with pytest.raises(HFMagicsError, match="question-answering reads text, not token IDs"):
        hf.infer([[2, 5, 3]], task="qa")


def test_the_magic_takes_a_variable(shell, learned):
    """--context VAR is a value of the notebook; -o df.column gets the answers."""
    shell.names.update(model=learned[0], tokenizer=learned[1], story=CONTEXT)
    hf.add(*learned, "reader")
    result = shell.run(f"%%hf_infer --context story --top-k 1\n{WHERE}\n{WHO}")
    assert result.values == ("new york", "anna")
    assert "nothere" in shell.error(f"%%hf_infer --context nothere\n{WHERE}")


def test_many_windows_run_a_few_at_a_time(reader):
    """No pass has more than 1,024 tokens, 16 windows of 64, and all of them together are those of one."""
    rows = []
    hook = reader[0].register_forward_pre_hook(
        lambda _, __, given: rows.append(len(given["input_ids"])), with_kwargs=True
    )
    context = "the cat sat by the dog and " * 200 + CONTEXT
    result = hf.infer(WHERE, context=context, set={"output_hidden_states": True})
    hook.remove()
    assert len(rows) > 1
    assert max(rows) == 16
    outputs = result.outputs
    assert outputs.start_logits.shape[0] == sum(rows) == outputs.hidden_states[0].shape[0]
    names = code_of(result, reader, context=context)
    for name in ("start_logits", "end_logits"):
        assert torch.allclose(names["outputs"][name], outputs[name], atol=1e-6)
    assert names["texts"] == list(result.values) == ["new york"]
