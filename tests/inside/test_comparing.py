"""Two models side by side: the numbers are those of plain torch, and the answer says them."""

import math

import pytest
import torch
from transformers import BertTokenizer

import hf_magics as hf
from tests.home import run_home
from tests.inside.kinds import BERT, GPT2, make
from tests.inside.twins import CHANGED, TEXTS, WORDS, answer, printed, put_twins, shift, tokenizer


def test_one_module_that_changed_is_found(session):
    """Its numbers are those of plain torch on its weights laid end to end; all others are 0 and 1."""
    put_twins()
    before = session["one"].model.get_submodule(CHANGED)
    shift(CHANGED)
    module = session["other"].model.get_submodule(CHANGED)
    result = hf.compare("one", "other")
    df = result.df.set_index("module")
    a = torch.cat([before.weight.flatten(), before.bias]).detach()
    b = torch.cat([module.weight.flatten(), module.bias]).detach()
    row = df.loc[CHANGED]
    assert row["max_abs_diff"] == pytest.approx((a - b).abs().max().item())
    assert row["cosine"] == pytest.approx(torch.cosine_similarity(a, b, dim=0).item(), abs=1e-6)
    assert row["relative_change"] == pytest.approx(((a - b).norm() / a.norm()).item())
    rest = df.drop(CHANGED)
    assert (rest["max_abs_diff"] == 0).all()
    assert (rest["cosine"] == 1).all()
    assert rest["same"].all()
    holding = [
        path
        for path, one in session["one"].model.named_modules()
        if list(one.parameters(recurse=False))
    ]
    assert list(df.index) == holding
    count = len(df)
    said = f"The same architecture; 1 of {count} modules differs, first {CHANGED}."
    assert answer(result) == said
    assert f"{count - 1} of {count} modules are the same bit by bit" in printed(result)


def test_another_dtype_is_said_to_be_a_rounding(session, minilm):
    """All-MiniLM-L6-v2 in float32 and bfloat16; where a value is no rounding, it is not said."""
    hf.load(minilm, name="whole")
    hf.load(minilm, name="half", dtype="bfloat16")
    result = hf.compare("whole", "half", TEXTS)
    assert "all 53 modules differ by no more than the rounding to bfloat16" in answer(result)
    df = result.df.set_index("module")
    name = "encoder.layer.3.intermediate.dense"
    one, other = (session[each].model.get_submodule(name) for each in ("whole", "half"))
    assert df.loc[name, "max_abs_diff"] == max(
        (x - y.float()).abs().max().item()
        for x, y in ((one.weight, other.weight), (one.bias, other.bias))
    )
    assert (df["rounded_to"] == "bfloat16").all()
    assert 0.999 < result.outputs_apart["last_hidden_state"].cosine < 1
    shift("pooler.dense", "half")
    assert "rounding" not in answer(hf.compare("whole", "half"))


def test_quantised_weights_are_compared_as_what_they_stand_for(session):
    """A tensor that holds packed values is dequantised, one at a time."""

    class Packed(torch.Tensor):
        """A weight as torchao has it: what it holds is not what it stands for."""

        def __tensor_flatten__(self):
            return [], None

        def dequantize(self):
            return self.as_subclass(torch.Tensor) * 2

    put_twins()
    module = session["other"].model.get_submodule(CHANGED)
    half = (module.weight.detach() / 2).as_subclass(Packed)
    del module._parameters["weight"]
    module._parameters["weight"] = half
    pairs = hf.compare("one", "other").df.set_index("module")
    assert pairs.loc[CHANGED, "max_abs_diff"] == 0
    assert "quantised" in pairs.loc[CHANGED, "other_dtype"]


def test_two_checkpoints_of_a_fine_tuning(session):
    """A head that learnt: it alone differs, and is named; a note says what is random."""
    put_twins("bert", WORDS, task="text-classification", vocab_size=len(WORDS), num_labels=2)
    model = session["other"].model
    optimiser = torch.optim.SGD(model.classifier.parameters(), lr=1.0)
    inputs = session["one"].tokenizer(TEXTS, padding=True, return_tensors="pt")
    for _ in range(3):
        model(**inputs, labels=torch.tensor([0, 1, 0])).loss.backward()
        optimiser.step()
    result = hf.compare("one", "other", TEXTS)
    df = result.df
    assert list(df["module"][~df["same"]]) == ["classifier"]
    assert f"1 of {len(df)} modules differs, first classifier; logits differs by" in answer(result)
    said = result.page().parts[1].text
    assert f"{len(df) - 1} of {len(df)} modules are the same bit by bit" in said
    assert "changed most, as a part of their length: classifier (" in said


def test_a_base_model_and_one_with_a_head_share_modules(session, minilm):
    """The base model's prefix is no difference; what the head adds is counted."""
    hf.load(minilm, name="base")
    hf.load(minilm, name="sorter", task="text-classification")
    result = hf.compare("base", "sorter")
    assert "Different classes: BertModel and BertForSequenceClassification" in answer(result)
    assert "all 53 modules are the same bit by bit; 1 module only in sorter" in answer(result)
    notes = [one.text for one in hf.compare("base", "sorter", ["a"]).page().notes]
    assert [one for one in notes if "random" in one] == notes[:1]
    row = result.df.iloc[0]
    assert (row["module"], row["other_module"]) == (
        "embeddings.word_embeddings",
        "bert.embeddings.word_embeddings",
    )
    made = run_home(result.code)
    assert made["max_abs_diff"]["encoder.layer.0.output.dense"] == 0
    said = answer(hf.compare("base", "sorter", ["A cat sleeps."]))
    assert "hidden states are the same in every layer" in said


def test_different_architectures_are_compared_as_far_as_can_be(session):
    """BERT and GPT-2, with tokens of their own: no number, and every reason."""
    hf.new("bert", name="one", seed=0, tokenizer=tokenizer(), **BERT | {"vocab_size": len(WORDS)})
    words = [*WORDS[:5], "x", *WORDS[5:-1], "y"]
    sizes = GPT2 | {"vocab_size": len(words), "n_embd": 16}
    hf.new("gpt2", name="other", seed=0, tokenizer=tokenizer(words), **sizes)
    result = hf.compare("one", "other", TEXTS)
    assert "no module of the one has a counterpart" in answer(result)
    assert "no output can be compared" in answer(result)
    df = result.df
    assert df["max_abs_diff"].isna().all()
    assert df["cosine"].isna().all()
    for said in ("config fields differ", "the tokens differ", "only in one", "only in other"):
        assert said in printed(result)
    known = result.compared.vocabularies
    assert known.sizes == (len(WORDS), len(words))
    assert known.only[0].examples == ("is",)
    assert known.only[1].examples == ("x", "y")
    assert known.renumbered.count == len(WORDS) - 6
    assert "3 lines cut otherwise" in printed(result)


def test_other_shapes_are_named(session):
    """A vocabulary that grew: the embedding can't be compared, and all else is."""
    put_twins()
    session["other"].model.resize_token_embeddings(125, mean_resizing=False)
    result = hf.compare("one", "other")
    assert "The same class, BertModel, with other weights" in answer(result)
    assert "weight is 120 × 32 and 125 × 32" in printed(result)
    row = result.df.set_index("module").loc["embeddings.word_embeddings"]
    assert math.isnan(row["max_abs_diff"])
    assert "vocab_size" in printed(result)
    assert result.df["same"].sum() == len(result.df) - 1


def test_special_tokens_and_rules_of_tokenizers_are_compared(session):
    """Another pad token, and letters that are not made small."""
    make("bert", tokenizer=tokenizer())
    cased = BertTokenizer(
        vocab={word: at for at, word in enumerate(WORDS)}, do_lower_case=False, pad_token="[UNK]"
    )
    hf.add(session["bert"].model, cased, name="cased")
    known = hf.compare("bert", "cased").compared.vocabularies
    assert known.same_vocabulary
    assert ("pad_token", "[PAD] = 0", "[UNK] = 1") in known.special
    assert any("lowercase" in rule for rule in known.rules)
    result = hf.compare("bert", "cased", ["red FOX", "a b"])
    assert "1 line cut otherwise" in printed(result)


@pytest.mark.parametrize("inputs", [None, ["A cat sleeps.", "Two dogs"]])
def test_code_gives_the_same_numbers(session, minilm, tmp_path, inputs):
    """The script needs nothing of this package: of each module, and of the outputs."""
    hf.load(minilm, name="mini")
    hf.load(minilm, name="tuned")
    shift(CHANGED, "tuned")
    hf.save("tuned", str(tmp_path / "tuned"))
    hf.load(str(tmp_path / "tuned"), name="tuned", replace=True)
    result = hf.compare("mini", "tuned", inputs)
    made = run_home(result.code)
    df = result.df.set_index("module")
    assert set(made["cosine"]) == set(df.index)
    for module, row in df.iterrows():
        assert made["max_abs_diff"][module] == pytest.approx(row["max_abs_diff"], abs=1e-7)
        assert made["cosine"][module] == pytest.approx(row["cosine"], abs=1e-7)
    assert "hf_magics" not in result.code
    if inputs:
        far = result.outputs_apart["last_hidden_state"]
        assert made["largest"] == pytest.approx(far.largest, abs=1e-4)
        assert made["alike"] == pytest.approx(far.cosine, abs=1e-6)


def test_nan_is_no_number_of_a_difference(session):
    """A NaN on one side is a difference that has no size; on both it is the same bits."""
    put_twins()
    with torch.no_grad():
        session["other"].model.get_submodule(CHANGED).weight[0, 0] = math.nan
    row = hf.compare("one", "other").df.set_index("module").loc[CHANGED]
    assert math.isnan(row["max_abs_diff"])
    assert not row["same"]
    with torch.no_grad():
        session["one"].model.get_submodule(CHANGED).weight[0, 0] = math.nan
    row = hf.compare("one", "other").df.set_index("module").loc[CHANGED]
    assert row["same"]


def test_a_page_of_many_layers_is_small(session):
    """32 layers that all differ, with a text: under 64 KiB, block by block."""
    hf.new("bert", name="one", seed=0, **BERT | {"num_hidden_layers": 32})
    hf.new("bert", name="other", seed=1, **BERT | {"num_hidden_layers": 32})
    result = hf.compare("one", "other", [list(range(3, 100))])
    html = result._repr_html_()
    assert len(html.encode()) < 65_536
    assert "encoder.layer.31" in html
    assert len(result.df) > 32 * 8


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%hf_compare bert", "B is missing"),
        ("%hf_compare bert bert", "'bert' is named twice"),
        ("%hf_compare bert brt", "did you mean 'bert'"),
        ("%hf_compare bert other some", "what is 'some'"),
        ("%hf_compare bert other hidden_size=3", "takes no FIELD=VALUE"),
        ("%%hf_compare bert other\nsome text", "no tokenizer"),
        ("%hf_compare bert other -i nothing", "no variable"),
        ("%hf_compare bert other -i image", "texts, token IDs or a dictionary"),
        ("%hf_compare bert other -i far", "outside"),
        ("%hf_compare bert other --depth 3", "no option"),
        ("%hf_compare bert other --max-length 3", "there is nothing to run"),
    ],
)
def test_bad_input_is_answered_in_one_line(shell, line, said):
    """That says what to type."""
    make("bert")
    hf.new("bert", name="other", **BERT)
    shell.names.update(image=torch.zeros(4, 4, 3, dtype=torch.uint8), far=[[10**6]])
    before = list(hf.session.log)
    assert said in shell.error(line)
    assert hf.session.log == before


def test_a_model_without_torch_weights_is_refused(session, smollm2):
    """Whichever of the two it is: one line says what has the weights."""
    pytest.importorskip("llama_cpp")
    make("bert")
    hf.load(smollm2, name="smol", engine="llamacpp")
    for pair in (("bert", "smol"), ("smol", "bert")):
        with pytest.raises(hf.HFMagicsError, match=r"smol .* has no torch weights: "):
            hf.compare(*pair)
    hf.drop("smol")


def test_a_cell_is_run_and_the_log_has_it(shell):
    """The magic gives what the verb gives."""
    put_twins(words=WORDS, vocab_size=len(WORDS))
    result = shell.run("%%hf_compare one other\nred fox\na dog\n")
    assert "last_hidden_state is the same bit by bit" in answer(result)
    spec = hf.session.log[-1]
    assert (spec.name, spec.other, spec.texts) == ("one", "other", ("red fox", "a dog"))
