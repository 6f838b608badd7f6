"""The session: names, the same line again, models of the notebook."""

import pytest
import torch
import transformers
from transformers import BertConfig, BertForMaskedLM, BertModel

from hf_magics.errors import EvictedError, HFMagicsError, SessionNameError, TokenizerError
from hf_magics.modeling.kept import Kept
from tests.modeling.tiny import BERT, BERT_LINE, bert_folder, note_texts, vocabulary


def step(model) -> None:
    """One step of an optimiser."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    optimiser.step()


def test_the_same_line_gives_the_same_object(hf, masked_bert):
    """Loaded again with the same options, it is the object that is there, and the page says so."""
    first = hf.load(str(masked_bert), name="bert")
    again = hf.load(str(masked_bert), name="bert")
    assert again.model is first.model
    assert "already loaded: nothing has changed" in note_texts(again)
    assert hf.load(str(masked_bert), name="bert", device="auto").model is first.model


def test_other_options_are_another_model(hf, masked_bert):
    """The same source with other options is refused under its name and loaded under another."""
    first = hf.load(str(masked_bert), name="bert")
    with pytest.raises(SessionNameError, match=r"'bert' is loaded already.*--replace"):
        hf.load(str(masked_bert), name="bert", task="feature-extraction")
    other = hf.load(str(masked_bert), name="bert", task="feature-extraction", replace=True)
    assert type(other.model) is BertModel
    with pytest.raises(SessionNameError, match="dropped or replaced since"):
        _ = first.model


def test_after_training_the_same_line_says_so(hf, masked_bert):
    """Weights that an optimiser changed are never taken for the checkpoint's."""
    loaded = hf.load(str(masked_bert), name="bert")
    model = loaded.model
    step(model)
    with pytest.raises(SessionNameError, match="its weights have changed since"):
        hf.load(str(masked_bert), name="bert")
    assert hf.session["bert"].model is model
    fresh = hf.load(str(masked_bert), name="bert", replace=True)
    assert fresh.model is not model


def test_after_training_a_line_without_a_name_loads_beside(hf, masked_bert):
    """Without -n nothing is in the way: the checkpoint comes under a numbered name."""
    step(hf.load(str(masked_bert)).model)
    assert hf.load(str(masked_bert)).name == "masked-bert-2"


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_after_its_files_changed_the_same_line_says_so(hf, own_bert, file):
    """A checkpoint that was written anew is not taken for the one that was loaded."""
    hf.load(str(own_bert), name="bert")
    content = (own_bert / file).read_bytes()
    (own_bert / file).unlink()
    (own_bert / file).write_bytes(content)
    with pytest.raises(SessionNameError, match="its files have changed since"):
        hf.load(str(own_bert), name="bert")


def test_a_cast_is_a_change(hf, masked_bert):
    """A model that %hf_use cast is no longer what its line loads, and its code says how it came."""
    loaded = hf.load(str(masked_bert), name="bert")
    hf.use("bert", device="cpu")
    assert hf.load(str(masked_bert), name="bert").model is loaded.model
    code = hf.use("bert", dtype="bfloat16").code + hf.use("bert", dtype="float32").code
    assert "model.to(torch.bfloat16)\nmodel.to(torch.float32)" in code
    with pytest.raises(SessionNameError, match="it was cast to float32"):
        hf.load(str(masked_bert), name="bert")


def test_a_tokenizer_object_belongs_to_the_line(hf, own_bert, tmp_path):
    """The line without the tokenizer object does not give the model that has it."""
    tokenizer = transformers.BertTokenizer(vocab=str(vocabulary(tmp_path)))
    first = hf.load(str(own_bert), tokenizer=tokenizer)
    assert hf.load(str(own_bert), tokenizer=tokenizer).model is first.model
    assert hf.load(str(own_bert)).tokenizer is None
    with pytest.raises(TokenizerError, match="a tokenizer is needed, not dict"):
        hf.load(str(own_bert), tokenizer={})


def test_names_come_from_the_source_and_are_numbered(hf, tmp_path):
    """The last part of the source is the name, made of harmless characters, numbered where taken."""
    folder = bert_folder(tmp_path / "my model (é) 1!", BertModel)
    assert hf.load(str(folder)).name == "my-model-é-1"
    assert hf.load(f"{folder}/", dtype="float64").name == "my-model-é-1-2"
    digits = bert_folder(tmp_path / "7b", BertModel)
    assert hf.load(str(digits)).name == "model-7b"


@pytest.mark.parametrize("name", ["9x", "a b", "-x", "a/b", "$", "a'b", "x\n", "ein=s"])
def test_what_cannot_be_a_name_is_refused(hf, name):
    """A name with odd characters is refused before anything is made."""
    with pytest.raises(SessionNameError, match="can't be a name: letters, digits"):
        hf.new("bert", name=name, **BERT)
    assert len(hf.session) == 0


def test_a_failure_leaves_the_session_as_it_was(hf, masked_bert, tmp_path):
    """After each failed line the models, the current one and the log are what they were."""
    hf.new("bert", name="one", **BERT)
    hf.load(str(masked_bert), name="two")
    before = list(hf.session), hf.session.current_name, list(hf.session.log)
    tries = [
        lambda: hf.load(str(tmp_path / "none"), name="two", replace=True),
        lambda: hf.load(str(masked_bert), name="two", replace=True, hidden_act="gleu"),
        lambda: hf.load(str(masked_bert), name="two", replace=True, set={"odd": 1}),
        lambda: hf.load(str(masked_bert), name="two", replace=True, tokenizer=str(tmp_path)),
        lambda: hf.new("bert", name="one", replace=True, hidden_size=100),
        lambda: hf.use("one", dtype="int8"),
        lambda: hf.drop("one", "three"),
        lambda: hf.add(torch.nn.Linear(2, 2)),
    ]
    for attempt in tries:
        with pytest.raises(HFMagicsError):
            attempt()
        assert (list(hf.session), hf.session.current_name, list(hf.session.log)) == before


def test_a_model_of_the_notebook_comes_in_as_it_is(shell):
    """%hf_load -i takes the object itself, train mode and all, and says what is odd about it."""
    shell.names["mine"] = BertForMaskedLM(BertConfig(**BERT)).train()
    result = shell.run("%hf_load -i mine -n m")
    assert result.model is shell.names["mine"]
    assert result.model.training
    assert "train mode" in note_texts(result)
    assert result.records()[0]["kind"] == "notebook"
    assert "model = mine" in result.code


def test_a_member_can_be_taken(shell):
    """-i takes a dotted name: an attribute or a key."""
    shell.names["box"] = {"model": BertModel(BertConfig(**BERT)).eval()}
    assert shell.run("%hf_load -i box.model").name == "box.model"
    assert "no variable 'bix'" in shell.error("%hf_load -i bix.model")
    assert "has no 'modl'" in shell.error("%hf_load -i box.modl")


def test_add_takes_model_tokenizer_and_name(hf, tmp_path, minilm):
    """hf.add(model, tokenizer, name): both are the caller's own objects; a source works too."""
    model = BertModel(BertConfig(**BERT)).eval()
    tokenizer = transformers.BertTokenizer(vocab=str(vocabulary(tmp_path)))
    added = hf.add(model, tokenizer, "mine")
    assert added.model is model
    assert added.tokenizer is tokenizer
    assert hf.add(model, tokenizer, "mine").name == "mine"
    assert len(hf.session) == 1
    other = hf.add(BertModel(BertConfig(**BERT)), minilm, "other")
    assert other.tokenizer("Hello!").input_ids == [101, 7592, 999, 102]
    assert "AutoTokenizer.from_pretrained(" in other.code


def test_what_is_no_model_is_refused(shell):
    """-i with something else names its type."""
    shell.names["x"] = [1]
    assert "a transformers model is needed, not list" in shell.error("%hf_load -i x")


def test_the_last_one_in_is_current(shell):
    """The model last loaded, made or chosen is current; dropping it leaves the one before."""
    shell.run(f"%hf_new bert {BERT_LINE} -n one")
    shell.run(f"%hf_new bert {BERT_LINE} -n two")
    hf = __import__("hf_magics")
    assert hf.session.current_name == "two"
    shell.run("%hf_use one")
    assert hf.session.current_name == "one"
    shell.run("%hf_drop")
    assert hf.session.current_name == "two"
    shell.run("%hf_drop --all")
    assert "no model is loaded: %hf_load SOURCE" in shell.error("%hf_use")


def test_every_verb_is_logged_resolved(hf, masked_bert, tmp_path):
    """The log has a resolved spec for each verb, in order: class, name and dtype as they came out."""
    hf.load(str(masked_bert))
    hf.config()
    hf.save(str(tmp_path / "out"))
    hf.drop()
    kinds = [type(spec).__name__ for spec in hf.session.log]
    assert kinds == ["LoadSpec", "ConfigSpec", "SaveSpec", "DropSpec"]
    spec = hf.session.log[0]
    assert (spec.head, spec.name, spec.dtype) == ("BertForMaskedLM", "masked-bert", "float32")


def test_an_unknown_name_names_the_nearest(shell):
    """A name that is not there says what is loaded and which was meant."""
    shell.run(f"%hf_new bert {BERT_LINE} -n bert")
    assert shell.error("%hf_use brt") == (
        "no model named 'brt'; loaded: bert; did you mean 'bert'?"
    )


def test_outputs_are_kept_within_the_budget():
    """The newest outputs stay within the bytes allowed; what was let go says how to keep it."""
    kept = Kept()
    tickets = [kept.put(f"outputs {number}", 40, 100) for number in range(3)]
    assert kept.nbytes == 80
    assert kept.get(tickets[2]) == "outputs 2"
    with pytest.raises(EvictedError, match=r"outputs_bytes: .* -o NAME"):
        kept.get(tickets[0])
    assert kept.nbytes == 80


def test_outputs_go_with_the_model_that_made_them():
    """What one model made is let go, what another made stays, and the reason is told."""
    kept = Kept()
    mine, other = (kept.put("outputs", 40, 100, owner) for owner in (1, 2))
    assert kept.drop({1}) == 40
    assert kept.get(other) == "outputs"
    with pytest.raises(EvictedError, match=r"when its model was dropped: -o NAME"):
        kept.get(mine)
    assert kept.clear() == 40
    assert kept.nbytes == 0
