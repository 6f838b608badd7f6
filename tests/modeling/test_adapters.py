"""Adapters: what is put on gives what peft gives, what it lacks is said, and it is saved alone."""

import gc
import shutil
import weakref

import pytest
import torch
from transformers import (
    BertForMaskedLM,
    BertForSequenceClassification,
    BertTokenizer,
    GPT2LMHeadModel,
)

from hf_magics.errors import (
    MissingExtraError,
    OptionError,
    SourceError,
)
from tests.modeling.tiny import WORDS, note_texts, same

peft = pytest.importorskip("peft")
from tests.modeling.lora import (  # noqa: E402 - it needs peft
    IDS,
    adapter_folder,
    by_hand,
    by_peft,
    changed,
    logits,
    rows,
    writer_folder,
)


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """The folder of a GPT-2, and of an adapter for it; not to be changed."""
    base = writer_folder(tmp_path_factory.mktemp("writer") / "base")
    settings = {"target_modules": ["c_attn"], "task_type": "CAUSAL_LM", "fan_in_fan_out": True}
    return base, adapter_folder(
        base.parent / "lora", GPT2LMHeadModel.from_pretrained(base), **settings
    )


def test_it_gives_what_peft_gives_and_the_class_stays(hf, sorter):
    """Bit by bit as ``PeftModel``, and to 1e-6 as W + B A · alpha / r written by hand."""
    base, adapter = sorter
    loaded = hf.load(str(base), adapter=str(adapter))
    assert type(loaded.model) is BertForSequenceClassification
    plain = BertForSequenceClassification.from_pretrained(base)
    wanted = logits(by_hand(plain, adapter, 8 / 4))
    assert torch.allclose(logits(loaded.model), wanted, atol=1e-6)
    plain = BertForSequenceClassification.from_pretrained(base)
    assert not torch.allclose(logits(plain), wanted, atol=1e-2)
    assert torch.equal(logits(loaded.model), logits(by_peft(plain, adapter)))


def test_merged_its_layers_are_plain(hf, sorter, tmp_path):
    """The same answers to 1e-5, no module of peft, and a folder that plain transformers reads."""
    base, adapter = sorter
    whole = hf.load(str(base), adapter=str(adapter), merge=True, name="whole")
    apart = hf.load(str(base), adapter=str(adapter), name="apart")
    assert torch.allclose(logits(whole.model), logits(apart.model), atol=1e-5)
    plain = BertForSequenceClassification.from_pretrained(base)
    assert [*whole.model.state_dict()] == [*plain.state_dict()]
    assert type(whole.model) is type(plain)
    assert all(one.requires_grad for one in whole.model.parameters())
    assert "folded into the weights" in note_texts(whole)
    hf.save("whole", str(tmp_path / "out"))
    again = BertForSequenceClassification.from_pretrained(tmp_path / "out")
    assert same(again, whole.model)


def test_its_page_says_what_it_is(hf, sorter):
    """Kind, rank, alpha, modules, share, base and place; the head is not called random."""
    base, adapter = sorter
    loaded = hf.load(str(base), adapter=str(adapter))
    said = rows(loaded)
    assert said["adapter"] == "LORA, rank 4, alpha 8"
    assert said["put on"] == "query, value: 4 modules"
    assert said["whole in it"] == "classifier"
    count = 4 * (32 * 4 + 4 * 32) + 32 * 3 + 3
    assert said["its weights"].startswith(f"{count:,} parameters")
    assert said["trained on"] == str(base)
    assert said["adapter from"] == str(adapter)
    assert "LORA of lora" in str(hf.models())
    assert not any(note.level == "warning" for note in loaded.page().notes)


def test_a_head_that_the_adapter_brings_is_not_random(hf, masked_bert, tmp_path):
    """The base has no classifier: the adapter's task says which head, and brings its weights."""
    model = BertForSequenceClassification.from_pretrained(masked_bert, num_labels=3)
    adapter = adapter_folder(tmp_path / "lora", model, task_type="SEQ_CLS")
    loaded = hf.load(str(masked_bert), adapter=str(adapter), num_labels=3)
    assert type(loaded.model) is BertForSequenceClassification
    assert loaded.report.random_modules == ("pooler",)
    loaded = hf.load(str(masked_bert), adapter=str(adapter), merge=True, num_labels=3)
    assert "classifier" not in loaded.report.missing
    with pytest.raises(SourceError, match=r"classifier.* is 3 .*and 2 .*here.*num_labels=3"):
        hf.load(str(masked_bert), adapter=str(adapter))


def test_a_decoder_writes_with_it(hf, writer):
    """``generate`` gives what peft's own does, greedy."""
    base, adapter = writer
    loaded = hf.load(str(base), adapter=str(adapter))
    other = by_peft(GPT2LMHeadModel.from_pretrained(base), adapter)
    fixed = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(loaded.model.generate(IDS, **fixed), other.generate(input_ids=IDS, **fixed))


@pytest.mark.parametrize(
    "make",
    [
        lambda: peft.IA3Config(target_modules=["query", "dense"], feedforward_modules=["dense"]),
        lambda: peft.LoHaConfig(r=4, alpha=8, target_modules=["query"]),
        lambda: peft.LoraConfig(r=4, target_modules=["query", "key"], use_dora=True),
        lambda: peft.LoraConfig(r=4, target_modules=["query"], rank_pattern={"0.*query": 2}),
    ],
    ids=["ia3", "loha", "dora", "pattern"],
)
@pytest.mark.parametrize("merge", [False, True])
def test_its_kin_give_what_peft_gives(hf, masked_bert, tmp_path, make, merge):
    """Other kinds too, on the model and folded in."""
    model = BertForMaskedLM.from_pretrained(masked_bert)
    adapter = adapter_folder(tmp_path / "kin", model, make())
    loaded = hf.load(str(masked_bert), adapter=str(adapter), merge=merge)
    wanted = logits(by_peft(model, adapter))
    assert torch.allclose(logits(loaded.model), wanted, atol=1e-4, rtol=1e-4)


def test_what_it_lacks_and_what_is_not_used_is_said(hf, sorter, masked_bert, tmp_path):
    """Weights that are missing, without a place, modules that are not there, and another base."""
    from safetensors.torch import load_file, save_file

    base, adapter = sorter
    odd = changed(adapter, tmp_path / "odd", target_modules=["query", "value", "nowhere"])
    path = odd / "adapter_model.safetensors"
    state = load_file(path)
    first = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"
    state[first.replace("layer.0", "layer.7")] = state.pop(first)
    save_file(state, path)
    said = note_texts(hf.load(str(base), adapter=str(odd)))
    assert "1 weight of the adapter missing in its file" in said
    assert "1 weight of the adapter without a place" in said
    assert "layer.7" in said
    assert "modules that the model does not have: nowhere" in said
    other = changed(adapter, tmp_path / "other", base_model_name_or_path="org/another")
    assert "was trained on 'org/another'" in note_texts(hf.load(str(base), adapter=str(other)))
    for base_named in ("~nobody_at_all/x", "a\0b"):  # no path of anything: a stranger wrote it
        odd = changed(adapter, tmp_path / "odd_base", base_model_name_or_path=base_named)
        assert "was trained on '" in note_texts(hf.load(str(base), adapter=str(odd), name="odd"))
        hf.drop("odd")
        shutil.rmtree(odd)
    with pytest.raises(SourceError, match=r"no weight for BertForMaskedLM.*--task"):
        hf.load(
            str(masked_bert),
            adapter=str(changed(adapter, tmp_path / "x", target_modules=["zz"])),
            class_="BertForMaskedLM",
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"merge": True}, "--adapter PATH says which"),
        ({"adapter": "a", "engine": "openvino"}, "--adapter and --engine"),
        ({"adapter": "a", "quantize": "int8"}, "--adapter and --quantize"),
        ({"adapter": "a", "endpoint": "http://127.0.0.1:1"}, "--adapter and --endpoint"),
        ({"adapter": "a", "share": "b"}, "--adapter and --share"),
        ({"adapter": "a", "gguf": "x.gguf"}, "GGUF file"),
        ({"set": {"adapter_kwargs": {}}}, "that is --adapter here"),
    ],
)
def test_what_does_not_go_together_is_one_line(hf, sorter, words, said):
    """Nothing is read, nothing is loaded."""
    with pytest.raises(OptionError, match=said) as caught:
        hf.load(str(sorter[0]), **words)
    assert "\n" not in str(caught.value)
    assert len(hf.session) == 0


def test_tied_weights_are_not_changed_twice(hf, tmp_path):
    """A merge into an output layer that is the embeddings too would change both."""
    base = writer_folder(tmp_path / "base")
    model = GPT2LMHeadModel.from_pretrained(base)
    settings = {"target_modules": ["lm_head"], "task_type": "CAUSAL_LM"}
    adapter = adapter_folder(tmp_path / "lora", model, **settings)
    hf.load(str(base), adapter=str(adapter))
    with pytest.raises(OptionError, match=r"--merge would change .*wte.* tied to lm_head"):
        hf.load(str(base), adapter=str(adapter), merge=True)


def test_without_peft_the_line_names_the_extra(hf, sorter, monkeypatch):
    """Before anything is read."""
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hf-magics\[peft\]'"):
        hf.load(str(sorter[0]), adapter=str(sorter[1]))


def test_its_layers_are_named_as_peft_shows_them(hf, sorter):
    """The tree has the base layer and both factors, and no rooms for what is not there."""
    base, adapter = sorter
    hf.load(str(base), adapter=str(adapter), name="tuned")
    listed = {one["module"]: one["class"] for one in hf.layers("tuned").records()}
    query = "bert.encoder.layer.0.attention.self.query"
    assert listed[query] == "lora.Linear"
    below = {name.removeprefix(f"{query}.") for name in listed if name.startswith(f"{query}.")}
    factors = {f"{one}{rest}" for one in ("lora_A", "lora_B") for rest in ("", ".default")}
    assert below == {"base_layer", "lora_dropout", "lora_dropout.default", *factors}
    hf.load(str(base), adapter=str(adapter), merge=True, name="whole")
    assert "lora" not in str(hf.layers("whole"))


def test_it_is_let_go_whole(hf, sorter):
    """Nothing of the model or the adapter is left."""
    base, adapter = sorter
    model = weakref.ref(hf.load(str(base), adapter=str(adapter), name="tuned").model)
    hf.drop("tuned")
    gc.collect()
    assert model() is None


def test_it_is_moved_and_cast_with_the_model(hf, sorter):
    """A base in bfloat16 keeps its dtype, as with peft itself; a cast takes all of it."""
    base, adapter = sorter
    loaded = hf.load(str(base), adapter=str(adapter), dtype="bfloat16", name="half")
    assert loaded.model.dtype == torch.bfloat16
    plain = BertForSequenceClassification.from_pretrained(base, dtype=torch.bfloat16)
    assert torch.equal(logits(loaded.model), logits(by_peft(plain, adapter)))
    whole = hf.load(str(base), adapter=str(adapter), dtype="bfloat16", merge=True)
    assert {one.dtype for one in whole.model.parameters()} == {torch.bfloat16}
    assert "bfloat16 rounds what it adds" in note_texts(whole)
    hf.use("half", dtype="float32")
    assert {one.dtype for one in loaded.model.parameters()} == {torch.float32}


def test_tokens_that_only_the_adapters_tokenizer_has_are_named(hf, masked_bert, tmp_path):
    """A chat adapter brings its own: the page says which option takes it."""
    adapter = adapter_folder(tmp_path / "lora", BertForMaskedLM.from_pretrained(masked_bert))
    tokenizer = BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)})
    base = shutil.copytree(masked_bert, tmp_path / "base")
    tokenizer.save_pretrained(base)
    tokenizer.save_pretrained(adapter)
    assert "tokenizer has" not in note_texts(hf.load(str(base), adapter=str(adapter)))
    tokenizer.add_tokens(["<|user|>"])
    tokenizer.save_pretrained(adapter)
    said = note_texts(hf.load(str(base), adapter=str(adapter)))
    assert f"has <|user|>, which this one does not: --tokenizer {adapter}" in said
