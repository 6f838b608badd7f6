"""Fill-mask: the likeliest tokens of each mask, as transformers' pipeline has them."""

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, pipeline

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.display.parts import Marked, Table
from hf_magics.errors import InputError, OptionError, TokenizerError
from hf_magics.settings import Settings
from tests.home import run_home
from tests.inference.plain import byte_level, same
from tests.inference.tasks.piping import agrees
from tests.inference.tasks.training import TINY_BERT, train, word_tokenizer

CAPITALS = {"france": "paris", "italy": "rome", "japan": "tokyo"}
SENTENCES = [f"{city} is the capital of {country} ." for country, city in CAPITALS.items()]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    words = [word for sentence in SENTENCES for word in sentence.split()]
    return word_tokenizer(tmp_path_factory.mktemp("words"), [*words, "play", "##er"])


@pytest.fixture(scope="module")
def trained(tokenizer):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(tokenizer), initializer_range=0.1, **TINY_BERT)
    ids = tokenizer(SENTENCES, return_tensors="pt")["input_ids"]
    length = ids.shape[1] - 2
    ids = ids.repeat_interleave(length, dim=0)
    rows = torch.arange(len(ids))
    places = 1 + rows % length  # each word is masked once
    wanted = torch.full_like(ids, -100)
    wanted[rows, places] = ids[rows, places]
    ids[rows, places] = tokenizer.mask_token_id
    batch = {"input_ids": ids, "labels": wanted}
    return train(BertForMaskedLM(config), batch, steps=40, rate=1e-2)


@pytest.fixture
def filler(session, trained, tokenizer):
    hf.add(trained, tokenizer, "filler")
    return trained


def test_a_trained_model_knows_the_word(filler):
    """The best word stands in its place in the sentence; the rows have the others."""
    result = hf.infer(["Paris is the [MASK] of France.", "[MASK] is the capital of Japan ."])
    assert result.task == "fill-mask"
    assert result.values == ("Paris is the capital of France.", "tokyo is the capital of Japan .")
    row = result.df.iloc[0]
    assert list(result.df) == ["line", "mask", "rank", "token", "id", "prob", "text"]
    assert (row.line, row["mask"], row["rank"], row.token) == (1, 1, 1, "capital")
    assert row["text"] == "Paris is the capital of France."
    assert len(result.df) == 10


def test_one_mask_is_filled_as_by_the_pipeline(filler, tokenizer):
    """Tokens, IDs and probabilities are the pipeline's."""
    line = "rome is the capital of [MASK] ."
    result = hf.infer(line, top_k=8)
    theirs = pipeline("fill-mask", model=filler, tokenizer=tokenizer, top_k=8)(line)
    assert agrees(result.records(), theirs)
    assert result.records()[1]["text"].replace(" .", ".") == theirs[1]["sequence"]


def test_several_masks_in_several_lines_are_filled_as_by_the_pipeline(filler, tokenizer):
    """Each mask by itself, in lines of different lengths."""
    lines = ["[MASK] is the [MASK] of france .", "the [MASK] of play [MASK]", "[MASK]"]
    result = hf.infer(lines)
    answers = pipeline("fill-mask", model=filler, tokenizer=tokenizer)(lines)
    for line, answer in enumerate(answers, 1):
        masks = [answer] if isinstance(answer[0], dict) else answer
        for mask, candidates in enumerate(masks, 1):
            rows = [r for r in result.records() if (r["line"], r["mask"]) == (line, mask)]
            assert agrees(rows, candidates)
    assert result.values[0] == "paris is the capital of france ."
    assert result.records()[0]["text"] == "paris is the [MASK] of france ."


def test_wordpiece_rests_are_joined(session, trained, tokenizer):
    """A ## token joins the word before it, and keeps its ## in the table."""
    model = BertForMaskedLM(trained.config).eval()
    with torch.no_grad():
        model.cls.predictions.transform.dense.weight.zero_()
        model.cls.predictions.bias[tokenizer.convert_tokens_to_ids("##er")] = 50.0
    hf.add(model, tokenizer, "joiner")
    result = hf.infer("the play [MASK] of italy")
    assert result.values == ("the player of italy",)
    assert result.records()[0]["token"] == "##er"
    assert hf.infer("the\t[MASK] play").values == ("the\ter play",)


def test_token_ids_are_filled(filler, tokenizer):
    """A line of token IDs is put together around its masks; padding is no part of it."""
    lines = ["[MASK] is the capital of japan .", "paris is the [MASK] [MASK]"]
    from_texts, from_ids = hf.infer(lines), hf.infer(tokenizer(lines)["input_ids"])
    assert from_ids.values[0] == "tokyo is the capital of japan."
    assert [row["id"] for row in from_ids.records()] == [row["id"] for row in from_texts.records()]
    assert from_ids.values[1].startswith("paris is the capital ")


@pytest.mark.parametrize(
    "inputs",
    ["[MASK] is the capital of japan .", ["the [MASK]", "[MASK] plays [MASK]"], [[2, 4, 6, 3]]],
)
def test_the_code_gives_the_same(filler, tokenizer, inputs):
    """The plain code gives the same tensors, and the same words in the order of the masks."""
    result = hf.infer(inputs, top_k=3)
    names = run_home(result.code, filler=filler, tokenizer=tokenizer)
    assert "hf_magics" not in result.code
    assert same(names["outputs"], result.outputs)
    flat = [word for words in names["words"] for word in words]
    assert flat == [row["token"] for row in result.records()]


def test_the_page_has_the_sentence_before_the_table(filler):
    """The sentence with its best word and the probability in place, then a row a candidate."""
    page = hf.infer("paris is the [MASK] of france .", top_k=2).page()
    marked, table, _ = page.parts
    assert isinstance(marked, Marked)
    assert marked.text == "paris is the capital of france ."
    (span,) = marked.spans
    assert marked.text[span.start : span.end] == "capital"
    assert span.label == f"capital {span.name}"
    assert float(span.name) == pytest.approx(span.strength, abs=1e-4)
    assert isinstance(table, Table)
    assert [column.name for column in table.columns] == ["token", "ID", "probability"]
    assert len(table.rows) == 2
    for width in (80, 160):
        drawn = text.render(page, width=width)
        assert f"paris is the [capital {span.name}] of france ." in drawn
        assert max(map(len, drawn.split("\n"))) <= width
    assert f'title="capital {span.name}"' in html.render(page)


def test_lines_and_masks_are_numbered_where_there_are_several(filler):
    """The table names the line and the mask only where that says something."""

    def heads(inputs):
        return [column.name for column in hf.infer(inputs).page().parts[-2].columns][:-3]

    assert heads("[MASK] [MASK]") == ["mask"]
    assert heads(["[MASK]", "[MASK]"]) == ["line"]
    assert heads(["[MASK]", "[MASK] [MASK]"]) == ["line", "mask"]


def test_a_long_table_is_cut_on_the_page_only(filler):
    """The page shows so many rows, and says where the others are."""
    result = hf.infer(["[MASK]", "[MASK]"], settings=Settings(rows=3))
    table = result.page().parts[-2]
    assert (len(table.rows), table.left_out) == (3, "7 more rows: .df has them all")
    assert len(result.records()) == 10


def test_no_more_candidates_than_the_vocabulary(filler, tokenizer):
    """A top k over the vocabulary gives all of it, and the probabilities sum to one."""
    records = hf.infer("[MASK]", top_k=1000).records()
    assert len(records) == len(tokenizer)
    assert sum(row["prob"] for row in records) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("inputs", "options", "said"),
    [
        (["[MASK]", "paris"], {}, r"line 2 has no mask: write \[MASK\] in the place of a word"),
        ("the [mask]", {}, "line 1 has no mask"),
        ([[2, 6, 3]], {}, "line 1 has no mask"),
        ("[MASK] " * 21, {}, "line 1 has 21 masks, and 20 are filled at most"),
        ("paris is the [MASK]", {"max_length": 4}, "line 1 was cut to 4 tokens, and a mask was"),
        (["[MASK]", " "], {}, "line 2 is empty"),
        ([1.5], {}, "line 1 is float, not text"),
    ],
)
def test_masks_that_are_missing_or_too_many(filler, session, inputs, options, said):
    """One line names the line of the input and says what to type; nothing is logged."""
    logged = list(session.log)
    with pytest.raises(InputError, match=said) as error:
        hf.infer(inputs, **options)
    assert "\n" not in str(error.value)
    assert session.log == logged


def test_options_and_tokenizers_that_cannot_do_it(session, trained, filler):
    """A top k below 1, and a tokenizer without a mask token or none at all, are refused."""
    with pytest.raises(OptionError, match="--top-k 0: at least 1 is needed"):
        hf.infer("[MASK]", top_k=0)
    hf.add(trained, byte_level(), "maskless")
    with pytest.raises(TokenizerError, match="the tokenizer of maskless has no mask token"):
        hf.infer("[MASK]", model="maskless")
    hf.add(trained, None, "bare")
    with pytest.raises(TokenizerError, match="bare has no tokenizer"):
        hf.infer([[4]], model="bare")
    assert hf.infer([[4]], model="bare", task="features").task == "features"


def test_a_head_that_writes_is_asked_by_name(session, tiny, tmp_path):
    """BART fills masks too, with --task fill-mask; on its own it does something else."""
    tokenizer = word_tokenizer(tmp_path, ["a", "b"])
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    loaded = tiny("bart", task="fill-mask")
    hf.add(loaded.model.eval(), tokenizer, "both")
    assert len(hf.infer("a [MASK] b", task="fill-mask").records()) == 5
    assert hf.infer([[2, 5, 3]]).task != "fill-mask"


def test_the_magic_fills_a_cell(shell, trained, tokenizer):
    """[MASK] in a line or a cell is text, and an error is one line."""
    shell.names.update(trained=trained, tokenizer=tokenizer)
    shell.run("%hf_load -i trained --tokenizer tokenizer -n filler")
    result = shell.run("%hf_infer --top-k 2 rome is the [MASK] of italy .")
    assert result.values == ("rome is the capital of italy .",)
    assert len(shell.run("%%hf_infer\nthe [MASK]\n[MASK] is\n").records()) == 10
    assert "write [MASK]" in shell.error("%hf_infer rome is the capital")
