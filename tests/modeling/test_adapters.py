"""Adapters: what is put on gives what peft gives, what it lacks is said, and it is saved alone."""

import gc
import json
import shutil
import weakref

import pytest
import torch
from transformers import (
    BertForMaskedLM,
    BertForSequenceClassification,
    BertTokenizer,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from hf_magics.errors import (
    InputError,
    MissingExtraError,
    OptionError,
    SaveError,
    SessionNameError,
    SourceError,
)
from tests.export.explaining import check_explained
from tests.modeling.tiny import BERT, WORDS, note_texts, same, states_of_scripts

peft = pytest.importorskip("peft")
from tests.modeling.lora import (  # noqa: E402 - it needs peft
    IDS,
    adapter_folder,
    by_hand,
    by_peft,
    sorter_folder,
    writer_folder,
)


@pytest.fixture(scope="module")
def sorter(tmp_path_factory):
    """The folder of a BERT with a head of three labels, and of an adapter for it; not to be changed."""
    base = sorter_folder(tmp_path_factory.mktemp("sorter") / "base")
    model = BertForSequenceClassification.from_pretrained(base)
    return base, adapter_folder(base.parent / "lora", model, task_type="SEQ_CLS")


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """The folder of a GPT-2, and of an adapter for it; not to be changed."""
    base = writer_folder(tmp_path_factory.mktemp("writer") / "base")
    settings = {"target_modules": ["c_attn"], "task_type": "CAUSAL_LM", "fan_in_fan_out": True}
    return base, adapter_folder(
        base.parent / "lora", GPT2LMHeadModel.from_pretrained(base), **settings
    )


def logits(model):
    with torch.inference_mode():
        return model(IDS).logits


def rows(result):
    return dict(result._facts.more)


def changed(adapter, folder, **settings):
    """A copy of an adapter with other settings."""
    folder.mkdir()
    for one in adapter.iterdir():
        (folder / one.name).write_bytes(one.read_bytes())
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


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
    with pytest.raises(SourceError, match=r"no weight for BertForMaskedLM.*--task"):
        hf.load(
            str(masked_bert),
            adapter=str(changed(adapter, tmp_path / "x", target_modules=["zz"])),
            class_="BertForMaskedLM",
        )


def test_it_is_saved_alone_and_loads_again(hf, sorter, tmp_path):
    """The folder has the adapter, peft reads it, and the page says how it is loaded."""
    base, adapter = sorter
    loaded = hf.load(str(base), adapter=str(adapter), name="tuned")
    saved = hf.save("tuned", str(tmp_path / "out"))
    assert {*saved.files} == {"adapter_config.json", "adapter_model.safetensors"}
    assert f"%hf_load {base} --adapter {tmp_path / 'out'}" in note_texts(saved)
    plain = BertForSequenceClassification.from_pretrained(base)
    assert torch.equal(logits(by_peft(plain, tmp_path / "out")), logits(loaded.model))
    again = hf.load(str(base), adapter=str(tmp_path / "out"))
    assert same(again.model, loaded.model)
    with pytest.raises(SaveError, match="holds a whole model"):
        hf.save("tuned", str(shutil.copytree(base, tmp_path / "copy")), overwrite=True)
    with pytest.raises(SaveError, match="--max-shard-size"):
        hf.save("tuned", str(tmp_path / "other"), max_shard_size="1MB")
    hf.load(str(base), name="whole")
    hf.save("whole", str(tmp_path / "out"), overwrite=True)
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def test_the_same_line_again(hf, sorter, tmp_path):
    """The model that is there, until the adapter's files change; another adapter is another model."""
    base, adapter = sorter
    own = changed(adapter, tmp_path / "own")
    model = hf.load(str(base), adapter=str(own), name="tuned").model
    assert hf.load(str(base), adapter=str(own), name="tuned").model is model
    with pytest.raises(SessionNameError, match="with other options"):
        hf.load(str(base), adapter=str(own), merge=True, name="tuned")
    (own / "adapter_config.json").write_text((own / "adapter_config.json").read_text() + "\n")
    with pytest.raises(SessionNameError, match="files of its adapter have changed"):
        hf.load(str(base), adapter=str(own), name="tuned")
    again = hf.load(str(base), adapter=str(own), name="tuned", replace=True)
    assert again.model is not model


def test_its_code_gives_the_same_tensors(hf, sorter, tmp_path):
    """Plain peft and transformers, with and without the merge, and the save."""
    base, adapter = sorter
    apart = hf.load(str(base), adapter=str(adapter), name="apart")
    saved = hf.save("apart", str(tmp_path / "out"))
    scripts = {"apart": saved.code.replace(str(tmp_path / "out"), str(tmp_path / "script"))}
    whole = hf.load(str(base), adapter=str(adapter), merge=True)
    scripts["whole"] = whole.code
    assert "with the adapter" in hf.code("apart").code
    check_explained(hf.code("apart").code, hf.explain("apart").code)
    states = states_of_scripts(scripts, tmp_path)
    for name, loaded in (("apart", apart), ("whole", whole)):
        wanted = loaded.model.state_dict()
        assert states[name].keys() == wanted.keys()
        assert all(torch.equal(one, wanted[key]) for key, one in states[name].items())
    one, other = ((tmp_path / name / "adapter_model.safetensors") for name in ("out", "script"))
    assert one.read_bytes() == other.read_bytes()


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


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # of peft 0.19
def test_a_model_of_peft_is_taken_from_the_notebook(hf, sorter, tmp_path):
    """As it was trained there: the model inside it, its adapter shown, and saved alone."""
    base, adapter = sorter
    mine = by_peft(BertForSequenceClassification.from_pretrained(base), adapter)
    taken = hf.add(mine, name="mine", variable="mine")
    assert taken.model is mine.get_base_model()
    assert rows(taken)["adapter"] == "LORA, rank 4, alpha 8"
    assert hf.add(mine, name="mine").model is taken.model
    saved = hf.save("mine", str(tmp_path / "out"))
    assert f"--adapter {tmp_path / 'out'}" in note_texts(saved)
    plain = BertForSequenceClassification.from_pretrained(base)
    assert torch.equal(logits(by_peft(plain, tmp_path / "out")), logits(mine))
    plain = BertForSequenceClassification.from_pretrained(base)
    prompts = peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2)
    made = peft.get_peft_model(plain, prompts)
    with pytest.raises(InputError, match="not PeftModel"):
        hf.add(made, name="prompts")


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


def test_an_adapter_of_transformers_itself_is_not_saved_as_something_else(hf, sorter, tmp_path):
    """Neither a checkpoint with names that nothing reads, nor half of one."""
    base, adapter = sorter
    model = BertForSequenceClassification.from_pretrained(base)
    model.load_adapter(str(adapter))
    hf.add(model, name="mine")
    with pytest.raises(SaveError, match="put on by load_adapter"):
        hf.save("mine", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_more_tokens_come_with_the_adapter(hf, tmp_path):
    """Embeddings that were made larger: the line says the field, they are put on, and saved too."""
    sizes = BERT | {"num_key_value_heads": 2, "pad_token_id": 0}
    base, wide = tmp_path / "base", tmp_path / "lora"
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**sizes))
    model.save_pretrained(base)
    model.resize_token_embeddings(104, mean_resizing=False)
    settings = {"target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}
    adapter_folder(wide, model, embeddings=True, **settings)
    with pytest.raises(SourceError, match=r"is 104 × 32 there and 100 × 32 here: vocab_size=104"):
        hf.load(str(base), adapter=str(wide))
    loaded = hf.load(str(base), adapter=str(wide), vocab_size=104, name="more")
    assert torch.equal(logits(loaded.model), logits(by_peft(model, wide)))
    assert not any(note.level == "warning" for note in loaded.page().notes)
    hf.save("more", str(tmp_path / "out"))
    again = hf.load(str(base), adapter=str(tmp_path / "out"), vocab_size=104)
    assert same(again.model, loaded.model)


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
