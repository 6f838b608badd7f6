"""An adapter saved, loaded again, taken from the notebook and written as plain code."""

import shutil

import pytest
import torch
from transformers import (
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
)

from hf_magics.errors import (
    InputError,
    SaveError,
    SessionNameError,
    SourceError,
)
from tests.export.explaining import check_explained
from tests.modeling.tiny import BERT, note_texts, same, states_of_scripts

peft = pytest.importorskip("peft")
from tests.modeling.lora import (  # noqa: E402 - it needs peft
    adapter_folder,
    by_peft,
    changed,
    logits,
    rows,
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
