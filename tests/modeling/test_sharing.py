"""Two heads on one backbone: the weights are in memory once, and the answers are the same."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
)

import hf_magics as hf
from hf_magics.errors import OptionError, SessionNameError


def pointers(model) -> set[int]:
    return {one.data_ptr() for one in (*model.parameters(), *model.buffers())}


def notes(result) -> str:
    return " ".join(note.text for note in result.page().notes)


@pytest.fixture
def both(session, minilm):
    """MiniLM as a backbone, and a classifier with three labels on it."""
    first = hf.load(minilm, name="first")
    torch.manual_seed(3)
    second = hf.load(minilm, name="second", task="text-classification", share="first", num_labels=3)
    return first, second


def test_the_second_costs_its_head_alone(both):
    """Every parameter of the backbone is the same object; the head is 384 × 3 and 3."""
    first, second = both
    theirs = dict(first.model.named_parameters())
    mine = dict(second.model.bert.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(mine[name] is theirs[name] for name in mine)
    new = pointers(second.model) - pointers(first.model)
    own = [one for one in second.model.parameters() if one.data_ptr() in new]
    assert sum(one.numel() for one in own) == 384 * 3 + 3
    assert "90.9 MB that are in memory once" in notes(second)
    assert "training one trains both" in notes(second)


def test_the_list_of_models_counts_shared_weights_once(both):
    """By hand: the backbone's bytes, and the head's."""
    rows = {row["name"]: row for row in hf.models().records()}
    backbone = sum(one.nbytes for one in both[0].model.parameters())
    assert rows["first"]["shared_bytes"] == rows["second"]["shared_bytes"]
    assert abs(rows["first"]["shared_bytes"] - backbone) < 10_000  # and buffers
    text = str(hf.models())
    assert "shared" in text
    assert "90.9 MB of weights" in text


def test_outputs_are_those_of_a_model_that_shares_nothing(session, antiberty_folder):
    """A masked LM on the backbone of another head, ties kept: equal bit by bit."""
    hf.load(antiberty_folder, name="base", task="feature-extraction")
    shared = hf.load(antiberty_folder, name="lm", task="fill-mask", share="base").model
    alone = AutoModelForMaskedLM.from_pretrained(antiberty_folder)
    ids = torch.tensor([[2, 5, 6, 4, 9, 3]])
    with torch.inference_mode():
        assert torch.equal(shared(ids).logits, alone(ids).logits)
    tied = shared.get_output_embeddings().weight, shared.get_input_embeddings().weight
    assert (tied[0] is tied[1]) == alone.config.tie_word_embeddings
    assert not shared.training
    assert not hf.session["lm"].random


@pytest.fixture(scope="module")
def antiberty_folder(tmp_path_factory):
    """A tiny masked LM, tied, saved in two files."""
    folder = tmp_path_factory.mktemp("lm")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=30,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertForMaskedLM(config).save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    return str(folder)


def test_the_donor_may_have_the_head(session, antiberty_folder):
    """The backbone of a masked LM, shared by a bare model and a classifier."""
    lm = hf.load(antiberty_folder, name="lm", task="fill-mask").model
    base = hf.load(antiberty_folder, name="base", task="feature-extraction", share="lm").model
    head = hf.load(antiberty_folder, name="c", task="text-classification", share="base").model
    assert base.embeddings.word_embeddings.weight is lm.bert.embeddings.word_embeddings.weight
    assert (
        head.bert.encoder.layer[2].output.dense.weight
        is lm.bert.encoder.layer[2].output.dense.weight
    )
    alone = AutoModel.from_pretrained(antiberty_folder, add_pooling_layer=False)
    ids = torch.tensor([[2, 5, 6, 3]])
    with torch.inference_mode():
        mine, theirs = base(ids).last_hidden_state, alone(ids).last_hidden_state
    assert torch.equal(mine, theirs)


def test_training_one_trains_both(both):
    """A step of an optimiser on one is a step of the other, and the pages know."""
    first, second = both
    before = first.model.encoder.layer[0].output.dense.weight.clone()
    optimiser = torch.optim.SGD(second.model.parameters(), lr=0.1)
    second.model(torch.tensor([[101, 7592, 102]]), labels=torch.tensor([1])).loss.backward()
    optimiser.step()
    assert not torch.equal(before, first.model.encoder.layer[0].output.dense.weight)
    third = hf.load(hf.session["first"].origin.where, name="third", share="first")
    assert "has changed since it was loaded" in notes(third)


def test_moving_one_is_refused(both):
    """It would move half of the other."""
    with pytest.raises(OptionError, match="shares its weights with first"):
        hf.use("second", dtype="bfloat16")
    hf.drop("second")
    hf.use("first", dtype="bfloat16")
    assert hf.session["first"].model.dtype == torch.bfloat16


def test_dropping_one_leaves_the_other(both):
    """The weights stay for the one that is there, and that is not called a leak."""
    result = hf.drop("first")
    assert not result.alive
    assert hf.session["second"].model(torch.tensor([[101, 102]])).logits.shape == (1, 3)


def test_the_same_line_again_gives_the_same_model(both, minilm):
    again = hf.load(minilm, name="second", task="text-classification", share="first", num_labels=3)
    assert "already loaded" in notes(again)


def test_saved_and_read_back_it_is_a_whole_checkpoint(both, tmp_path):
    hf.save(str(tmp_path / "out"), name="second")
    back = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    ids = torch.tensor([[101, 7592, 102]])
    with torch.inference_mode():
        assert torch.equal(back(ids).logits, both[1].model(ids).logits)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"share": "first1"}, "no model named 'first1'.*first"),
        ({"dtype": "bfloat16"}, "first is in float32"),
        ({"engine": "openvino"}, "leave out --engine"),
        ({"num_hidden_layers": 2, "intermediate_size": 64}, "changes the backbone"),
    ],
)
def test_what_can_not_be_shared_is_told(session, minilm, words, said):
    hf.load(minilm, name="first")
    with pytest.raises((OptionError, SessionNameError), match=said):
        hf.load(minilm, name="second", **{"share": "first", **words})
    assert list(hf.session) == ["first"]


def test_another_checkpoint_is_told(session, minilm, antiberty_folder):
    hf.load(minilm, name="first")
    with pytest.raises(OptionError, match="is not the same: leave out --share"):
        hf.load(antiberty_folder, name="second", share="first")


PEAK = """
import json, sys, threading, time
import torch
import hf_magics as hf
from transformers import BertConfig, BertModel
folder, dtype, kind = sys.argv[1:4]
hf.new("bert", name="warm", hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
       intermediate_size=32, vocab_size=50)
hf.session["warm"].model(torch.tensor([[1, 2]]))
hf.save(folder + "-warm", name="warm")
hf.load(folder + "-warm", name="again", dtype=dtype)
def memory():
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(kind + ":")).split()[1])
before, peak, done = memory(), [0], threading.Event()
def watch():
    while not done.is_set():
        peak[0] = max(peak[0], memory())
        time.sleep(0.002)
threading.Thread(target=watch).start()
hf.load(folder, name="large", dtype=dtype)
done.set()
model = hf.session["large"].model
weights = sum(one.nbytes for one in model.parameters())
print(json.dumps([peak[0] - before, weights]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads Linux's own account")
@pytest.mark.parametrize(("dtype", "kind"), [("float32", "VmRSS"), ("bfloat16", "RssAnon")])
def test_loading_peaks_at_little_more_than_the_weights(tmp_path, dtype, kind):
    """Stored in float32, loaded as it is and cast: at most 1.1 times the weights.

    Of the cast the pages of the file are not counted, which the system takes back as it needs them.
    """
    torch.manual_seed(0)
    config = BertConfig(hidden_size=1024, num_hidden_layers=12, num_attention_heads=16,
                        intermediate_size=4096, vocab_size=30_000)  # fmt: skip
    AutoModel.from_config(config).save_pretrained(tmp_path / "large")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PEAK), str(tmp_path / "large"), dtype, kind],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak, weights = json.loads(done.stdout.splitlines()[-1])
    assert peak <= 1.1 * weights


def test_a_trained_backbone_is_said(both, minilm):
    """Where it is shared on, in the code of both models, and by neither after a mere cast."""
    second = both[1]
    assert "have changed" not in hf.infer("a", model="first").code
    with torch.no_grad():
        second.model.bert.embeddings.word_embeddings.weight.mul_(1.1)
    for name in ("first", "second"):
        assert "the model's weights have changed" in hf.infer("a", model=name).code
    third = notes(hf.load(minilm, name="third", share="first"))
    assert "every weight came from first or the checkpoint" in third
    assert "first has changed since it was loaded" in third


def test_a_move_that_is_none_is_let_be(both):
    """And a real one says what to type."""
    hf.use("first", device="cpu", dtype="float32")
    with pytest.raises(OptionError, match="%hf_drop second first"):
        hf.use("first", dtype="bfloat16")
    hf.drop("second")
    hf.use("first", dtype="bfloat16")
    assert "have changed" not in hf.infer("a", model="first").code


def test_dropping_says_what_stays(both):
    """The backbone, while another has it."""
    assert "second has 90.9 MB of the weights of first: they stay" in notes(hf.drop("first"))
    assert "they stay" not in notes(hf.drop("second"))
