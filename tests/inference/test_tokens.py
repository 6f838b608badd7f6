"""Tokens: spans, words, specials, masks, against the tokenizers themselves."""

import pytest
from transformers import ByT5Tokenizer, CanineTokenizer

import hf_magics as hf
from hf_magics.errors import InputError, TokenizerError
from hf_magics.inference.token_pages import ComparedTokens, TokensResult
from hf_magics.specs import TokensSpec
from tests.inference.plain import END, TINY, byte_level, notes

TEXTS = [
    "Hello, world!",
    "Café naïve Ünïcode",
    "emoji 🙂👩\u200d👩\u200d👧 flags 🇫🇷",
    "東京は晴れ",
    "tabs are pairs, but \r and \x07 and \u202e are not",
    "  spaces   everywhere  ",
    "e\u0301 combines",
    "untranslatableness",
]


@pytest.fixture
def byte(session):
    hf.new("gpt2", name="byte", tokenizer=byte_level(), **TINY["gpt2"])
    return session["byte"].tokenizer


@pytest.fixture
def slow(session):
    hf.new("t5", name="slow", tokenizer=ByT5Tokenizer(), **TINY["t5"])
    return session["slow"].tokenizer


def rows(result: TokensResult, name: str) -> list:
    return [[getattr(token, name) for token in line.tokens] for line in result.lines]


def test_the_teaching_pages_ids(bert, shell):
    """The three lines of the teaching page have its IDs, in one cell."""
    result = shell.run("%%hf_tokens\nHello!\nCool.\nNice!\n")
    assert result.ids == [[101, 7592, 999, 102], [101, 4658, 1012, 102], [101, 3835, 999, 102]]
    assert result.tokens[0] == ["[CLS]", "hello", "!", "[SEP]"]
    assert result.text == ["Hello!", "Cool.", "Nice!"]
    assert "[101, 7592, 999, 102]" in repr(result)


@pytest.mark.parametrize("name", ["bert", "byte"])
def test_spans_words_and_specials_are_the_tokenizers_own(bert, byte, name):
    """IDs, offsets, word numbers and special marks are those that the tokenizer gives."""
    tokenizer = {"bert": bert.tokenizer, "byte": byte}[name]
    result = hf.tokens(TEXTS, model=name)
    for line, text in zip(result.lines, TEXTS, strict=True):
        own = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        assert [token.id for token in line.tokens] == own["input_ids"]
        assert [token.word for token in line.tokens] == [
            -1 if word is None else word for word in own.word_ids(0)
        ]
        assert [int(token.special) for token in line.tokens] == own["special_tokens_mask"]
        real = [token for token in line.tokens if not token.special]
        spans = [
            span
            for span, special in zip(own["offset_mapping"], own["special_tokens_mask"], strict=True)
            if not special
        ]
        assert [(token.start, token.end) for token in real] == spans


@pytest.mark.parametrize("name", ["bert", "byte"])
def test_pieces_are_stretches_of_the_text(bert, byte, name):
    """Each piece is exactly text[start:end]; a byte-level tokenizer covers every character."""
    for line, text in zip(hf.tokens(TEXTS, model=name).lines, TEXTS, strict=True):
        covered = set()
        for token in line.tokens:
            if not token.special:
                assert token.piece == text[token.start : token.end]
                covered |= set(range(token.start, token.end))
        missing = {text[at] for at in set(range(len(text))) - covered}
        if name == "byte":
            assert missing == set()
        else:  # BERT drops white space, control characters and the accents that it strips
            assert missing <= set(" \r\x07\u202e\u200d\u0301")


def test_pairs_are_split_at_the_first_tab(bert):
    """Spans and words of a pair count within each text; further tabs belong to the second."""
    result = hf.tokens("How old?\tVery old.\tYes")
    own = bert.tokenizer("How old?", "Very old.\tYes")
    assert result.ids == [own["input_ids"]]
    (line,) = result.lines
    assert line.parts == ("How old?", "Very old.\tYes")
    for token, part in zip(line.tokens, own.sequence_ids(0), strict=True):
        if part is not None:
            assert token.part == part
            assert token.piece == line.parts[part][token.start : token.end]
    assert result.text == ["How old?\tVery old.\tYes"]


def test_pairs_and_single_lines_mix(bert):
    """A cell may hold both; each has the IDs that it has alone."""
    ids = hf.tokens(["one\ttwo", "three"]).ids
    assert ids == [bert.tokenizer("one", "two")["input_ids"], bert.tokenizer("three")["input_ids"]]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(
    "asked", [{"padding": "longest"}, {"padding": "max_length", "max_length": 9}], ids=str
)
def test_padding_is_the_tokenizers_own(bert, side, asked):
    """IDs and mask are those of the padded batch, on the tokenizer's own side."""
    bert.tokenizer.padding_side = side
    texts = ["Hello!", "A few more words than that", "x"]
    own = bert.tokenizer(texts, truncation="max_length" in asked, **asked)
    result = hf.tokens(texts, **asked)
    assert result.ids == own["input_ids"]
    assert [[int(one) for one in line] for line in rows(result, "attended")] == own[
        "attention_mask"
    ]
    pad = next(token for line in result.lines for token in line.tokens if not token.attended)
    assert (pad.text, pad.special, pad.start, pad.piece) == ("[PAD]", True, -1, "")


def test_no_padding_unless_asked(bert):
    """Without --padding each line has its own length, and every token is attended to."""
    result = hf.tokens(["Hello!", "x"])
    assert [len(line) for line in result.ids] == [4, 3]
    assert all(all(line) for line in rows(result, "attended"))


def test_a_pad_token_is_borrowed_for_the_picture(byte):
    """Without a pad token the end token fills up, and a note says so; the tokenizer is unchanged."""
    result = hf.tokens(["the fox", "a"], padding="longest")
    assert result.tokens[1][-1] == END
    assert notes(result) == [f"the tokenizer has no pad token: '{END}' was borrowed for padding"]
    assert notes(hf.tokens(["ab", "cd"], padding="longest")) == []
    assert byte.pad_token is None


def test_padding_without_any_special_token(session):
    """A tokenizer with neither pad nor end token can still be padded for the picture."""
    tokenizer = byte_level()
    tokenizer.eos_token = None
    hf.new("gpt2", name="bare", tokenizer=tokenizer, **TINY["gpt2"])
    result = hf.tokens(["the fox", "a"], padding="longest")
    assert len(result.ids[0]) == len(result.ids[1]) > 1
    assert rows(result, "attended")[1] == [True] + [False] * (len(result.ids[1]) - 1)


def test_lines_are_cut_at_max_length(shell, bert):
    """--max-length cuts as the tokenizer does; --no-special leaves the special tokens out."""
    cut = shell.run("%hf_tokens --max-length 4 one two three four")
    assert cut.ids == [
        bert.tokenizer("one two three four", truncation=True, max_length=4)["input_ids"]
    ]
    bare = shell.run("%hf_tokens --no-special one two")
    assert bare.ids == [bert.tokenizer("one two", add_special_tokens=False)["input_ids"]]


def test_long_text_is_not_cut_by_itself(bert):
    """Tokens shows all that a text has, past the model's limit, and its page stays small."""
    result = hf.tokens("word " * 20_000)
    assert len(result.ids[0]) == 20_002
    assert len(result._repr_html_()) < 2**16


def test_ids_are_decoded(shell, bert):
    """-i with token IDs shows the text that they stand for, token by token."""
    shell.names["ids"] = [[101, 7592, 999, 102], [3835, 102]]
    result = shell.run("%hf_tokens -i ids")
    assert result.ids == [[101, 7592, 999, 102], [3835, 102]]
    assert result.tokens[0] == ["[CLS]", "hello", "!", "[SEP]"]
    assert result.text == [bert.tokenizer.decode(line) for line in result.ids]
    assert rows(result, "special")[0] == [True, False, False, True]
    assert rows(result, "piece")[0][1] == "hello"
    bare = shell.run("%hf_tokens --no-special -i ids")
    assert bare.ids == [[7592, 999], [3835]]
    assert bare.text == [
        bert.tokenizer.decode(line, skip_special_tokens=True)
        for line in [[101, 7592, 999, 102], [3835, 102]]
    ]


def test_what_infer_ran_can_be_decoded(byte):
    """A text goes to IDs and back unchanged through a byte-level tokenizer."""
    assert hf.tokens(hf.tokens(TEXTS).ids).text == TEXTS


@pytest.mark.parametrize("kind", [ByT5Tokenizer, CanineTokenizer])
def test_tokenizers_without_offsets(session, kind):
    """A slow tokenizer's IDs, tokens, special marks and pairs are its own; spans are unknown."""
    tokenizer = kind()
    hf.new("t5", name="slow", tokenizer=tokenizer, **TINY["t5"])
    result = hf.tokens(["é 🙂", "one\ttwo"], padding="longest")
    own = [
        tokenizer(*pair, return_special_tokens_mask=True) for pair in (("é 🙂",), ("one", "two"))
    ]
    for line, plain in zip(result.lines, own, strict=True):
        real = [token for token in line.tokens if token.attended]
        assert [token.id for token in real] == plain["input_ids"]
        assert [token.text for token in real] == tokenizer.convert_ids_to_tokens(plain["input_ids"])
        assert [int(token.special) for token in real] == plain["special_tokens_mask"]
        assert {(token.start, token.end, token.word, token.piece) for token in real} == {
            (-1, -1, -1, "")
        }
    assert len({len(line) for line in result.ids}) == 1
    assert "é 🙂" in repr(result)


def test_several_tokenizers_stand_side_by_side(shell, bert, byte):
    """With several -m the counts and the cuts of each are beside those of the others."""
    result = shell.run("%%hf_tokens -m bert -m byte\nthe quick brown fox\nx\n")
    assert isinstance(result, ComparedTokens)
    assert list(result.ids) == ["bert", "byte"]
    for name, tokenizer in (("bert", bert.tokenizer), ("byte", byte)):
        assert result.ids[name] == [
            tokenizer(one)["input_ids"] for one in ("the quick brown fox", "x")
        ]
    assert {row["model"] for row in result.records()} == {"bert", "byte"}
    said = repr(result)
    assert "BertTokenizer" in said
    assert "Line 2" in said


def test_unknown_tokens_are_said(bert):
    """What the vocabulary does not have is counted at the top."""
    assert notes(hf.tokens("hello 𓀀")) == ["1 of 4 tokens is unknown to the tokenizer"]
    assert notes(hf.tokens("hello")) == []


def test_no_column_of_tokens_is_empty(bert):
    """IDs have no places in a text, and without special tokens none is marked as one."""

    def columns(result) -> list[str]:
        return [column.name for column in result.page().parts[-1].columns]

    assert columns(hf.tokens([[101, 7592, 102]])) == ["#", "token", "ID", "text", "special", "mask"]
    assert columns(hf.tokens("hello", special=False)) == [
        *("#", "token", "ID", "text", "characters", "word", "mask")
    ]


def test_a_row_a_token(bert):
    """The data behind the page has every token of every line."""
    frame = hf.tokens(["Hello!", "x"]).df
    assert frame["id"].tolist() == [101, 7592, 999, 102, 101, 1060, 102]
    assert frame["line"].tolist() == [1] * 4 + [2] * 3
    assert frame["position"].tolist() == [0, 1, 2, 3, 0, 1, 2]


def test_control_characters_are_seen(bert, byte):
    """Nothing invisible reaches the screen: neither a bell nor a turn of direction."""
    result = hf.tokens("a\x07b \u202ec", model="byte")
    for shown in (repr(result), result._repr_html_()):
        assert "\x07" not in shown
        assert "\u202e" not in shown
    assert result.lines[0].tokens[1].piece == "\x07"


def test_the_log_holds_what_was_asked(bert, session):
    """A call appends its spec with the model's name; a refused one appends nothing."""
    hf.tokens("x", max_length=5)
    assert session.log[-1] == TokensSpec(("bert",), texts=("x",), max_length=5)
    before = list(session.log)
    with pytest.raises(InputError):
        hf.tokens("x", padding="most")
    assert session.log == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"padding": "most"}, "--padding is one of longest, max_length, not 'most'"),
        ({"padding": "max_length"}, "needs --max-length N"),
        ({"max_length": 0}, "at least 1 token"),
        ({"max_length": 1}, "special tokens"),
    ],
    ids=str,
)
def test_wrong_options_are_named(bert, asked, said):
    """An option that can't be followed is an error that names it."""
    with pytest.raises(InputError) as caught:
        hf.tokens("one two", **asked)
    assert said in str(caught.value)


@pytest.mark.parametrize("asked", [{"max_length": 2}, {"padding": "longest"}], ids=str)
def test_what_does_nothing_to_token_ids_is_refused(bert, asked):
    with pytest.raises(InputError, match="--max-length and --padding are for texts"):
        hf.tokens([[101, 7592, 102], [101, 102]], **asked)


def test_wrong_input_is_named(bert, tiny):
    """Empty text, no text, foreign IDs, and a model without tokenizer are one line each."""
    for value, said in (
        ([""], "line 1 is empty"),
        ([3.5], "line 1 is float"),
        ([[30522]], "token ID 30522 in line 1 is outside the vocabulary of 30,522"),
    ):
        with pytest.raises(InputError) as caught:
            hf.tokens(value)
        assert said in str(caught.value)
    tiny("gpt2")
    with pytest.raises(TokenizerError, match="gpt2 has no tokenizer"):
        hf.tokens("x")
