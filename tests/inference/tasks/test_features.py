"""The page of features: a row a tensor, notes, values, pictures."""

import pytest
import torch
import transformers
from PIL import Image
from transformers import DynamicCache

import hf_magics as hf
from hf_magics.display import html, text
from hf_magics.display.parts import Code, Fold, Heat, Page, Table
from hf_magics.errors import HeadError, InputError
from hf_magics.inference.tasks.features import answer
from hf_magics.settings import Settings
from tests.home import run_home

NAN, INF = float("nan"), float("inf")
SETTINGS = Settings()


def table(outputs, **settings) -> Table:
    return answer(outputs, Settings(**settings)).parts[0]


def cells(outputs) -> dict[str, object]:
    shown = table(outputs)
    return dict(zip((column.name for column in shown.columns), shown.rows[0], strict=True))


def test_a_row_holds_the_numbers_of_a_tensor():
    """Name, shape, dtype, device and statistics are those of the tensor."""
    tensor = torch.arange(24.0).reshape(2, 3, 4)
    row = cells({"logits": tensor})
    assert (row["tensor"], row["shape"], row["dtype"], row["device"]) == (
        "logits",
        "2 × 3 × 4",
        "float32",
        "cpu",
    )
    assert (row["min"], row["max"], row["mean"]) == ("0.0000", "23.0000", "11.5000")
    assert row["std"] == f"{tensor.double().std():.4f}"
    assert (row["NaN"], row["Inf"]) == ("0", "0")


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_whole_numbers_have_no_decimals(dtype):
    """The least and the largest are IDs or counts; a mean is none."""
    row = cells({"mask": torch.tensor([0, 1, 1, 1]).to(dtype)})
    assert (row["min"], row["max"], row["mean"]) == ("0", "1", "0.7500")


def test_the_picture_is_of_the_first_matrix():
    """The heat map shows the first matrix, says so, and its scale is that of its cells."""
    tensor = torch.arange(24.0).reshape(2, 3, 4)
    picture = cells({"logits": tensor})["picture"]
    assert isinstance(picture, Heat)
    assert picture.values == tuple(map(tuple, tensor[0].tolist()))
    assert (picture.low, picture.high) == (0.0, 11.0)
    assert picture.label == "means of blocks of logits[0], from 0.0000 to 11.0000"


def test_values_are_folded_as_torch_prints_them():
    """The corner values stand in a fold, in torch's own words; 16 numbers are read at a glance."""
    fold = answer({"logits": torch.eye(5)}, SETTINGS).parts[-1]
    assert isinstance(fold, Fold)
    assert fold.parts == (Code(f"# logits\n{torch.eye(5)}", "python"),)
    few = answer({"logits": torch.eye(4)}, SETTINGS).parts[-1]
    assert few == Code(f"# logits\n{torch.eye(4)}", "python")


def test_what_is_not_finite_is_noted():
    """A note names the tensor and counts; tensors that are finite have none."""
    bad = torch.tensor([[NAN, NAN, INF, 1.0]])
    found = answer({"logits": bad, "fine": torch.ones(2)}, SETTINGS)
    assert found.notes == (
        "logits holds 2 NaN and 1 Inf: its statistics are over the finite values",
    )
    row = cells({"logits": bad})
    assert (row["min"], row["NaN"], row["Inf"], row["std"]) == ("1.0000", "2", "1", "–")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(2.5),
        torch.empty(0, 4),
        torch.tensor([True, False]),
        torch.tensor([NAN, INF]),
        torch.tensor([[INF, -INF, NAN, 1.0]]),
        torch.zeros(2, 2, 2, 2, 2),
        torch.ones(2, dtype=torch.complex64),
        torch.empty(2, device="meta"),
        torch.tensor([2**62, -5]),
        torch.tensor([1e-30, 1e30]),
    ],
    ids=str,
)
def test_every_tensor_can_be_drawn(tensor):
    """Both renderers draw any tensor's row."""
    found = answer({"strange": tensor}, SETTINGS)
    page = Page("x", found.parts)
    assert "strange" in html.render(page)
    assert "strange" in text.render(page, width=100)


def test_caches_and_numbers_stand_apart():
    """What is no tensor has a table of its own: a cache by its size."""
    cache = DynamicCache()
    cache.update(torch.ones(1, 2, 3, 4), torch.ones(1, 2, 3, 4), 0)
    found = answer({"logits": torch.ones(2), "past_key_values": cache, "steps": 3}, SETTINGS)
    others = found.parts[1]
    assert others.rows == (
        ("past_key_values", "DynamicCache", "2 tensors of 1 × 2 × 3 × 4", "192 B"),
        ("steps", "int", "3", "–"),
    )
    assert [row[0] for row in found.parts[0].rows] == ["logits"]


def test_many_tensors_are_cut_and_said(tiny):
    """Rows over the setting are left out with a word on where they are; the data has them all."""
    outputs = {"hidden_states": tuple(torch.ones(1) for _ in range(60))}
    found = answer(outputs, Settings(rows=50))
    assert len(found.parts[0].rows) == 50
    assert found.parts[0].left_out == "10 more tensors: .df has them all"
    assert len(found.records) == 60
    assert table(outputs, rows=60).left_out == ""


def test_the_data_has_the_numbers(bert):
    """Records and df hold floats and shapes, not their words."""
    result = hf.infer("Hello!")
    (first, second) = result.records()
    tensor = result.outputs.last_hidden_state.double()
    assert first["tensor"] == "last_hidden_state"
    assert first["shape"] == (1, 4, 384)
    assert first["min"] == tensor.min().item()
    assert first["mean"] == pytest.approx(tensor.mean().item(), rel=1e-9)
    assert first["std"] == pytest.approx(tensor.std().item(), rel=1e-6)
    assert result.df["tensor"].tolist() == ["last_hidden_state", second["tensor"]]


def test_any_head_has_this_view(tiny):
    """--task features shows the tensors of a model with a head."""
    tiny("bert", class_="BertForSequenceClassification")
    result = hf.infer([[5, 6]], task="features")
    assert [row["tensor"] for row in result.records()] == ["logits"]
    assert result.records()[0]["shape"] == (1, 2)


def test_an_image_goes_through_the_models_own_processor(session):
    """A PIL image gives the tensors of what the processor makes of it; the code does the same."""
    processor = transformers.ViTImageProcessorPil(size={"height": 16, "width": 16})
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.ViTConfig(**small, intermediate_size=16, image_size=16, patch_size=8)
    model = transformers.ViTModel(config).eval()
    hf.add(model, processor, "v")
    image = Image.linear_gradient("L").convert("RGB")
    result = hf.infer(image, variable="image")
    assert result.task == "features"
    pixels = processor(images=[image], return_tensors="pt")
    with torch.inference_mode():
        expected = model(**pixels).last_hidden_state
    assert torch.equal(result.outputs.last_hidden_state, expected)
    space = run_home(result.code, v=model, processor=processor, image=image)
    assert torch.equal(space["outputs"].last_hidden_state, expected)


def test_an_image_without_a_processor_says_what_to_do(tiny):
    """One line, that names the way to give one."""
    tiny("vit")
    with pytest.raises(InputError, match=r"no image processor.*session\['vit'\]\.processor"):
        hf.infer(Image.new("RGB", (8, 8)))


def test_the_page_of_a_large_output_is_small():
    """The page of 512 × 30,522 values stays within its budget."""
    big = torch.zeros(1, 512, 30_522)
    page = Page("x", answer({"logits": big}, SETTINGS).parts)
    assert len(html.render(page)) < 2**16


def test_an_unknown_task_is_named(tiny):
    """The message names the nearest task and lists those that there are."""
    tiny("bert")
    with pytest.raises(HeadError, match=r"no task 'feature'.*'features'"):
        hf.infer([[1, 2]], task="feature")
