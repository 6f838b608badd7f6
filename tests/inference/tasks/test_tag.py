"""Token classification: words, entities, probabilities, as transformers' pipeline has them."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import (
    BertConfig,
    BertForTokenClassification,
    ByT5Tokenizer,
    PreTrainedTokenizerFast,
    pipeline,
)

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.display.parts import Marked, Table, Text
from hf_magics.errors import InputError, OptionError
from hf_magics.inference.answering.entities import entities_of
from hf_magics.inference.answering.sub_tokens import Line, Word
from hf_magics.settings import Settings
from tests.home import run_home
from tests.inference.plain import byte_level, notes, same
from tests.inference.tasks.training import TINY_BERT, train, word_tokenizer

LABELS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
WORDS = (
    *("anna", "smith", "##son", "bob", "##by", "ac", "##me", "labs", "glob", "##ex"),
    *("works", "for", "hired", "today", "left", "cafe", ".", ",", "!", "'"),
)

SENTENCES = {
    "anna smithson works for acme labs .": "B-PER I-PER O O B-ORG I-ORG O",
    "acme hired bobby today .": "B-ORG O B-PER O O",
    "bobby smithson left .": "B-PER I-PER O O",
    "today anna works .": "O B-PER O O",
    "globex labs hired anna smithson bobby .": "B-ORG I-ORG O B-PER I-PER B-PER O",
    "works today for globex .": "O O O B-ORG O",
    "anna smithson works for acme labs , today !": "B-PER I-PER O O B-ORG I-ORG O O O",
    "today works": "O O",
}
TEXTS = ["Anna Smithson works for Acme Labs, today!", "Bobby left.", "today works"]
ODD = [
    "Anna's café, Bobby!Smithson..Globex",
    "東京 smithson 🙂 unknownword bobby bobby acme",
    "  Globexglobex   labs\n\nanna",
    "smithson " * 20,
]


def made(tokenizer, labels=LABELS, **fields):
    """A BERT of random weights, large enough for its sub-tokens to disagree."""
    torch.manual_seed(1)
    config = {**TINY_BERT, "vocab_size": len(tokenizer), "id2label": dict(enumerate(labels))}
    return BertForTokenClassification(BertConfig(**config, **fields)).eval()


def always(model, label: int):
    """Gives every token the same label."""
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[label] = 5.0
    return model


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return word_tokenizer(tmp_path_factory.mktemp("words"), WORDS)


@pytest.fixture(scope="module")
def trained(tokenizer):
    split = [sentence.split() for sentence in SENTENCES]
    batch = tokenizer(split, is_split_into_words=True, padding=True, return_tensors="pt")
    wanted = torch.full_like(batch["input_ids"], -100)
    for row, tags in enumerate(SENTENCES.values()):
        for place, word in enumerate(batch.word_ids(row)):
            if word is not None:
                wanted[row, place] = LABELS.index(tags.split()[word])
    model = made(tokenizer, initializer_range=0.1)
    return train(model, {**batch, "labels": wanted}, steps=40, rate=1e-2)


@pytest.fixture
def tagger(session, trained, tokenizer):
    hf.add(trained, tokenizer, "tagger")
    return trained


def by_pipeline(model, tokenizer, texts, aggregate):
    answers = pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy=aggregate
    )(texts)
    return [
        (line, one["entity_group"], one["start"], one["end"], float(one["score"]))
        for line, answer in enumerate(answers, 1)
        for one in answer
    ]


def ours(result):
    return [
        (row["line"], row["label"], row["start"], row["end"], row["prob"])
        for row in result.records()
    ]


def alike(one, other) -> bool:
    return [row[:-1] for row in one] == [row[:-1] for row in other] and all(
        abs(mine[-1] - theirs[-1]) < 1e-5 for mine, theirs in zip(one, other, strict=True)
    )


def test_a_trained_tagger_finds_the_names(tagger):
    """Words are whole, entities of several words are one, and what is outside is left out."""
    result = hf.infer(TEXTS)
    assert result.task == "token-classification"
    assert result.values == (
        [("Anna Smithson", "PER"), ("Acme Labs", "ORG")],
        [("Bobby", "PER")],
        [],
    )
    row = result.df.iloc[1]
    assert (row.line, row.entity, row.label, row.start, row.end) == (1, "Acme Labs", "ORG", 24, 33)
    assert TEXTS[0][row.start : row.end] == "Acme Labs"
    assert row["prob"] > 0.9


@pytest.mark.parametrize("aggregate", ["first", "average", "max"])
def test_entities_are_those_of_the_pipeline(session, tagger, tokenizer, aggregate):
    """The same entities with the same probabilities, for trained weights and for random ones."""
    result = hf.infer(TEXTS, aggregate=aggregate)
    assert alike(ours(result), by_pipeline(tagger, tokenizer, TEXTS, aggregate))
    model = made(tokenizer, (*LABELS, "MISC"), initializer_range=0.6)
    hf.add(model, tokenizer, "random")
    found = ours(hf.infer([*TEXTS, *ODD], model="random", aggregate=aggregate))
    assert len(found) > 20
    assert alike(found, by_pipeline(model, tokenizer, [*TEXTS, *ODD], aggregate))


def test_how_sub_tokens_are_merged_makes_a_difference(session, tokenizer):
    """First, average and max are three answers where the tokens of a word disagree."""
    hf.add(made(tokenizer, initializer_range=0.6), tokenizer, "random")
    answers = {
        aggregate: str(ours(hf.infer(ODD, aggregate=aggregate)))
        for aggregate in ("first", "average", "max")
    }
    assert len(set(answers.values())) == 3
    assert str(ours(hf.infer(ODD))) == answers["first"]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("B-X I-X I-X", [("X", 0, 5)]),
        ("B-X B-X I-X", [("X", 0, 1), ("X", 2, 5)]),
        ("I-X I-Y I-Y", [("X", 0, 1), ("Y", 2, 5)]),
        ("B-X O I-X", [("X", 0, 1), ("X", 4, 5)]),
        ("B-X I-X E-X", [("X", 0, 5)]),
        ("B-X E-X I-X", [("X", 0, 3), ("X", 4, 5)]),
        ("S-X S-X B-X", [("X", 0, 1), ("X", 2, 3), ("X", 4, 5)]),
        ("B-X L-X U-X", [("X", 0, 3), ("X", 4, 5)]),
        ("NOUN NOUN VERB", [("NOUN", 0, 3), ("VERB", 4, 5)]),
        ("S-curve S-curve O", [("S-curve", 0, 3)]),
        ("LABEL_0 LABEL_1 O", [("LABEL_0", 0, 1), ("LABEL_1", 2, 3)]),
        ("O O O", []),
    ],
)
def test_prefixes_are_read(labels, found):
    """IOB, IOBES and BILOU prefixes begin and end entities; a plain label goes on by itself."""
    names = dict(enumerate(dict.fromkeys(labels.split())))
    scores = torch.zeros(3, len(names))
    for place, label in enumerate(labels.split()):
        scores[place, list(names.values()).index(label)] = 0.9
    line = Line("a b c", tuple(Word(2 * at, 2 * at + 1, (at,)) for at in range(3)), given=True)
    entities = entities_of(line, scores.numpy(), names, "first")
    assert [(one.label, one.start, one.end) for one in entities] == found
    assert all(one.prob == pytest.approx(0.9) for one in entities)


def test_a_pair_keeps_its_texts_apart(session, tokenizer):
    """Characters count in the whole line, and no entity reaches over the tab."""
    hf.add(always(made(tokenizer), 2), tokenizer, "all")
    result = hf.infer("anna bobby\tacme works")
    assert [(row["entity"], row["start"]) for row in result.records()] == [
        ("anna bobby", 0),
        ("acme works", 11),
    ]


def test_padding_may_be_on_the_left(session, trained, tmp_path):
    """The tokens of a short line are found behind its padding."""
    tokenizer = word_tokenizer(tmp_path, WORDS)
    tokenizer.padding_side = "left"
    hf.add(trained, tokenizer, "left")
    assert hf.infer(TEXTS).values[1] == [("Bobby", "PER")]


def whole_text() -> PreTrainedTokenizerFast:
    """A SentencePiece-like tokenizer without words: to it a text is one."""
    vocab = [("<unk>", 0.0), *((one, -1.0) for one in ("▁the", "▁fox", "es", "▁jump", "▁"))]
    made_ = Tokenizer(models.Unigram(vocab, unk_id=0))
    made_.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made_.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=made_, unk_token="<unk>", pad_token="<unk>")


@pytest.mark.parametrize("make", [byte_level, whole_text])
def test_words_are_whole_for_every_kind_of_fast_tokenizer(session, make):
    """Byte-level and SentencePiece tokens make words without the space before them."""
    tokenizer = make()
    hf.add(always(made(tokenizer), 1), tokenizer, "all")
    values = hf.infer("the foxes jump").values[0]
    assert [word for word, _ in values] == ["the", "foxes", "jump"]


def test_a_tokenizer_without_offsets_shows_its_tokens(session):
    """Labels and probabilities are the pipeline's; there are no characters to give."""
    tokenizer = ByT5Tokenizer()
    model = made(tokenizer, initializer_range=0.6)
    hf.add(model, tokenizer, "bytes")
    result = hf.infer(["the fox", "acme"])
    theirs = by_pipeline(model, tokenizer, ["the fox", "acme"], "simple")
    assert ours(result)
    assert alike(ours(result), theirs)
    assert "characters" not in repr(result)
    assert result.page().parts[0].rows[0][1].text == "t h e   f o x"


def test_token_ids_are_put_together_again(tagger, tokenizer):
    """From IDs the words and their labels are the same, special tokens left out."""
    result = hf.infer(tokenizer(TEXTS[:2])["input_ids"])
    assert result.values == (
        [("anna smithson", "PER"), ("acme labs", "ORG")],
        [("bobby", "PER")],
    )
    assert result.records()[0]["start"] is None
    probs = [row["prob"] for row in result.records()]
    assert probs == pytest.approx([row["prob"] for row in hf.infer(TEXTS[:2]).records()])


def test_a_model_without_a_tokenizer_names_ids(session, tokenizer):
    """Token IDs alone are enough to run it: the words are their numbers."""
    hf.add(always(made(tokenizer), 1), None, "bare")
    assert hf.infer([[7, 8]]).values == ([("7", "PER"), ("8", "PER")],)


def test_what_was_cut_has_no_entities(tagger):
    """A text over the limit is tagged as far as it was read, and the page says so."""
    result = hf.infer(TEXTS[0], max_length=6)
    assert result.values == ([("Anna Smithson", "PER")],)
    assert "line 1 is too long: it was cut to 6 tokens" in notes(result)[0]


def test_the_page_has_the_text_before_the_table(tagger):
    """The text with its entities named in place, then a row an entity with its number."""
    page = hf.infer(TEXTS[0]).page()
    marked, table, _ = page.parts
    assert isinstance(marked, Marked)
    assert marked.text == TEXTS[0]
    assert [(span.start, span.end, span.name) for span in marked.spans] == [
        (0, 13, "PER"),
        (24, 33, "ORG"),
    ]
    assert marked.spans[0].label.startswith("PER 0.9")
    assert isinstance(table, Table)
    assert [column.name for column in table.columns] == [
        "entity",
        "label",
        "probability",
        "characters",
    ]
    for width in (80, 160):
        drawn = text.render(page, width=width)
        assert "[Anna Smithson PER] works for [Acme Labs ORG], today!" in drawn
        assert max(map(len, drawn.split("\n"))) <= width
    assert 'title="PER 0.9' in html.render(page)


def test_several_lines_are_numbered(tagger):
    """With several lines the texts and the entities carry the number of their line."""
    texts, entities, _ = hf.infer(TEXTS).page().parts
    assert [row[0] for row in texts.rows] == ["1", "2", "3"]
    assert [row[0] for row in entities.rows] == ["1", "1", "2"]


def test_long_results_are_cut_on_the_page_only(tagger):
    """The page shows so many rows and says where the others are."""
    result = hf.infer(TEXTS * 3, settings=Settings(rows=2))
    texts, entities, _ = result.page().parts
    assert (len(texts.rows), len(entities.rows), len(result.records())) == (2, 2, 9)
    assert texts.left_out == "7 more lines: .values has them all"
    assert entities.left_out == "7 more rows: .df has them all"


def test_nothing_found_is_said(tagger):
    """A text without entities has a sentence in place of an empty table."""
    said = hf.infer("today works").page().parts[-2]
    assert said == Text("No entity was found: every word is labelled O.")


def test_labels_without_names_are_noted(session, tokenizer):
    """LABEL_0 is no word for outside: it is shown, and the page says that the names are missing."""
    hf.add(made(tokenizer, ("LABEL_0", "LABEL_1")), tokenizer, "unnamed")
    result = hf.infer("anna works")
    assert "the checkpoint does not name its labels" in notes(result)[0]
    assert {row["label"] for row in result.records()} <= {"LABEL_0", "LABEL_1"}


@pytest.mark.parametrize("inputs", [TEXTS, TEXTS[0], [[2, 5, 6, 7, 3], [2, 8, 3]]])
def test_the_code_gives_the_same(tagger, tokenizer, inputs):
    """The plain code gives the same tensors, and the label of each token."""
    result = hf.infer(inputs)
    names = run_home(result.code, tagger=tagger, tokenizer=tokenizer)
    assert "hf_magics" not in result.code
    assert same(names["outputs"], result.outputs)
    assert names["labels"][0][1] == "B-PER"


def test_bad_lines_say_what_to_type(tagger):
    """An unknown way to merge lists those that there are; tensors are shown by features."""
    with pytest.raises(OptionError) as unknown:
        hf.infer("anna", aggregate="averag")
    assert str(unknown.value) == (
        "no --aggregate 'averag'; did you mean 'average'?; there are: first, average, max"
    )
    with pytest.raises(OptionError, match="takes no --top-k; it takes --aggregate"):
        hf.infer("anna", top_k=3, task="ner")
    tensors = {"input_ids": torch.tensor([[2, 5, 3]])}
    with pytest.raises(InputError, match="not tensors; --task features shows"):
        hf.infer(tensors, task="token-classification")
    assert hf.infer(tensors).task == "features"


def test_the_magic_tags_a_cell(shell, trained, tokenizer):
    """A line of the cell is an input, and the result's column is bound by its name."""
    shell.names.update(trained=trained, tokenizer=tokenizer)
    shell.run("%hf_load -i trained --tokenizer tokenizer -n tagger")
    result = shell.run("%%hf_infer --aggregate max\nBobby left.\nAcme works")
    assert result.values == ([("Bobby", "PER")], [("Acme", "ORG")])
    assert "first, average, max" in shell.error("%hf_infer --aggregate mean Bobby left")
