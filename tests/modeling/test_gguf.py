"""A real GGUF file: loaded, run, saved, and the same afterwards."""

import pytest
import transformers
from transformers import AutoTokenizer

import hf_magics
from hf_magics.modeling.snippets import model_snippet
from tests.modeling.tiny import same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(smollm2):
    """SmolLM2 from its GGUF file, loaded once: the page of it, and the entry."""
    page = hf_magics.load(smollm2, name="smol")
    return page, hf_magics.session.remove("smol")


@pytest.fixture(scope="module")
def entry(loaded):
    return loaded[1]


@pytest.fixture
def smol(hf, entry):
    """The entry in the session of this test."""
    hf.session.add(entry)
    return entry


def test_it_has_its_head_and_tokenizer(hf, smol, smollm2):
    """A GGUF file gives a model for generation that knows what the original knows."""
    row = hf.models().records()[0]
    assert (row["head"], row["kind"], row["source"]) == ("LlamaForCausalLM", "gguf", smollm2)
    ids = smol.tokenizer("The capital of France is", return_tensors="pt")
    made = smol.model.generate(**ids, max_new_tokens=1, do_sample=False)
    assert smol.tokenizer.decode(made[0]) == "The capital of France is Paris"
    assert "gguf_file=" in "\n".join(model_snippet(smol).lines)


def test_its_page_says_of_its_weights_what_they_are(loaded):
    """Two bytes each, and one warning of that: not that packed ones take no more in float32."""
    page, entry = loaded
    row = page.records()[0]
    assert row["dtype"] == "float16"
    assert sum(one.nbytes for one in entry.model.parameters()) == 2 * row["parameters"]
    warnings = [note.text for note in page.page().notes if note.level == "warning"]
    assert len(warnings) == 1
    assert "float32 takes twice the memory" in warnings[0]


def test_it_is_saved_and_stays_as_it_was(hf, smol, tmp_path):
    """It reloads bit by bit, and the model in memory keeps its quantizer and config."""
    quantizer, config = smol.model.hf_quantizer, smol.model.config
    hf.save(str(tmp_path / "out"))
    assert smol.model.hf_quantizer is quantizer
    assert smol.model.config is config
    assert hasattr(config, "quantization_config")
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert same(back, smol.model)
    ids = AutoTokenizer.from_pretrained(tmp_path / "out")("The capital of France").input_ids
    assert ids == smol.tokenizer("The capital of France").input_ids
