"""The session as one script: in order, each model once, and the tensors that the session had."""

import json
import re
from collections import deque
from pathlib import Path

import nbformat
import pytest
import torch

import hf_magics as hf
from hf_magics.errors import InputError, OptionError, SaveError, SessionNameError
from hf_magics.export.renaming import defined, renamed
from hf_magics.export.sections import sections_of, whole
from hf_magics.modeling import store
from tests.home import lint, run_home
from tests.inference.plain import byte_level

TINY = "hidden_size=32 num_hidden_layers=2 num_attention_heads=2 intermediate_size=32"


@pytest.fixture
def worked(shell, minilm, tmp_path, monkeypatch):
    """A shell in which two models were used in turn."""
    monkeypatch.chdir(tmp_path)
    shell.names["minilm"] = minilm
    for line in (
        f'%hf_new bert {TINY} --task fill-mask --seed 1 --tokenizer "$minilm" -n one-model',
        "%hf_infer A [MASK] sat.",
        f'%hf_new bert {TINY} --task text-classification --seed 2 --tokenizer "$minilm" -n other',
        "%hf_infer A cat sat.",
        "%hf_attention -m one-model A cat.",
        "%hf_infer A cat sat.",
        "%%hf_infer -m one-model\nA [MASK] sat.\nAnother [MASK] stood.",
    ):
        shell.run(line)
    return shell


def test_the_session_is_one_script(worked):
    """Two models, one tokenizer, no step twice; it ends with the tensors of the last step."""
    code = worked.run("%hf_code --all").code
    assert code.count("BertForMaskedLM(") == code.count("BertForSequenceClassification(") == 1
    assert code.count("AutoTokenizer.from_pretrained(") == 1
    assert code.count("import ") == 2
    assert code.count('texts = ["A cat sat."]') == 1
    headings = re.findall(r"^# (.*)$", code, re.MULTILINE)
    assert headings == [
        "Make a BertForMaskedLM with random weights",
        'Run "A [MASK] sat." through one-model: fill-mask',
        "Make a BertForSequenceClassification with random weights",
        'Attention weights of one-model for "A cat."',
        'Run "A cat sat." through other: text-classification',
        "Run 2 texts through one-model: fill-mask",
    ]
    found = run_home(code)
    last = hf.infer(["A [MASK] sat.", "Another [MASK] stood."], model="one-model")
    assert torch.equal(found["outputs"].logits, last.outputs.logits)
    attention = hf.attention("A cat.", model="one-model").attention
    assert torch.equal(found["attention"], attention)


def test_a_name_takes_what_was_done_with_that_model(worked):
    """How it came to be and all that was done with it, by the plain names."""
    code = worked.run("%hf_code other").code
    assert "BertForMaskedLM" not in code
    assert "\nmodel = BertForSequenceClassification(config)\n" in code
    found = run_home(code)
    assert torch.equal(
        found["outputs"].logits, hf.infer("A cat sat.", model="other").outputs.logits
    )


def test_a_model_that_was_dropped_or_replaced_still_has_its_code(worked):
    """The name means the model that has it now, else the last one that had."""
    worked.run("%hf_drop one-model")
    assert "BertForMaskedLM(config)" in worked.run("%hf_code one-model").code
    worked.run(f"%hf_new bert {TINY} -n other --seed 9 --replace")
    code = worked.run("%hf_code other").code
    assert "torch.manual_seed(9)" in code
    assert "torch.manual_seed(2)" not in code


def test_a_move_stands_where_it_was_made(worked):
    """A cast between two steps is between them in the script."""
    worked.run("%hf_use other --dtype bfloat16")
    worked.run("%hf_infer A dog sat.")
    code = worked.run("%hf_code other").code
    assert code.index("A cat sat.") < code.index("model.to(torch.bfloat16)") < code.index("A dog")
    assert run_home(code)["outputs"].logits.dtype is torch.bfloat16


def test_a_script_is_written(worked):
    """Whole, and over another file only where that is asked for."""
    shown = worked.run("%hf_code --all --to session.py")
    assert Path("session.py").read_text(encoding="utf-8") == shown.code
    assert "written to session.py" in shown._repr_html_()
    with pytest.raises(SaveError, match=r"session\.py is there already: --overwrite replaces it"):
        hf.code(to="session.py")
    hf.code(to="session.py", overwrite=True)
    with pytest.raises(SaveError, match=r"session\.txt is to end in \.py"):
        hf.code(to="session.txt")
    with pytest.raises(SaveError, match="can't be written"):
        hf.code(to="no/such/folder/session.py")


def test_a_long_script_that_was_written_is_folded(session, tmp_path):
    """It is read in its file; a short one, or one that stands on the page alone, is open."""
    sizes = {"vocab_size": 40, "num_hidden_layers": 1}
    for times in range(1, 17):
        hf.new("bert", name=f"number{times}", hidden_size=12 * times, **sizes)
    long = hf.code(all=True, to=str(tmp_path / "long.py"))
    short = hf.code("number1", to=str(tmp_path / "short.py"))
    (fold,) = long.page().parts
    assert fold.summary == f"The script, {len(long.code.splitlines())} lines"
    assert fold.parts == hf.code(all=True).page().parts
    assert not any("The script," in getattr(part, "summary", "") for part in short.page().parts)
    assert long.code.rstrip() in repr(long)


def test_a_notebook_is_written(worked):
    """It is valid, has a text above each step, and its cells run to the same tensors."""
    worked.run("%hf_explain --all --notebook session.ipynb")
    book = nbformat.read("session.ipynb", as_version=4)
    nbformat.validate(book)
    texts = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    assert texts[0] == "## 1. Make a BertForMaskedLM with random weights"
    assert len(texts) == 6
    cells = [cell.source for cell in book.cells if cell.cell_type == "code"]
    assert all(cells)
    found = run_home("\n\n".join(cells) + "\n")
    last = hf.infer(["A [MASK] sat.", "Another [MASK] stood."], model="one-model")
    assert torch.equal(found["outputs"].logits, last.outputs.logits)
    assert "# Nothing is trained here" in json.dumps(book)


def test_the_page_has_what_matters_first(worked):
    """The step's own lines, highlighted, then the whole script folded; a terminal is plain."""
    result = worked.run("%hf_code")
    html = result._repr_html_()
    assert html.index("texts = ") < html.index("<details") < html.index("from_pretrained")
    assert "color:" in html
    assert "<script" not in html
    title = "# Run 2 texts through one-model: fill-mask\n"
    assert repr(result) == title + result.code.rstrip("\n")


def test_what_can_not_be_had_is_said(session):
    """One line each."""
    with pytest.raises(InputError, match="nothing was done yet: %hf_load SOURCE loads a model"):
        hf.code()
    hf.new("bert", hidden_size=32, num_hidden_layers=1, num_attention_heads=2, name="tiny")
    with pytest.raises(SessionNameError, match="named 'tiney'; did you mean 'tiny'"):
        hf.code("tiney")
    with pytest.raises(OptionError, match="--all the whole session"):
        hf.code("tiny", all=True)


def test_names_are_changed_and_nothing_else():
    """No attribute, no keyword of a call, no text."""
    code = 'model = f(model=1)\nx = y.model(model, model=model)["model"]\ndef g(model):\n    pass'
    wanted = code.replace("model = f", "a = f").replace("(model, model=model)", "(a, model=a)")
    assert renamed(code, {"model": "a"}) == wanted.replace("g(model)", "g(a)")
    assert defined("a = 1\nb, c = 2, 3\ndef d():\n    e = 1\nf.g = 1\nfor h in a:\n    pass") == [
        *("a", "b", "c", "d", "h")
    ]


def test_long_variables_are_filled_in(shell, minilm):
    """Short ones are written down; of a long one the script has the name, above the code."""
    shell.names["minilm"], shell.names["short"] = minilm, ["A cat.", "Two dogs."]
    shell.names["many"] = [f"Text number {number} of a column." for number in range(200)]
    shell.names["ids"] = {"input_ids": torch.tensor([[101, 7592, 102]])}
    shell.run(f'%hf_new bert {TINY} --seed 1 --tokenizer "$minilm" -n tiny')
    assert 'texts = ["A cat.", "Two dogs."]' in shell.run("%hf_infer -i short").code
    for line, what in (
        ("%hf_infer --task features -i many", "outputs"),
        ("%hf_map many --task embed", "answers"),
        ("%hf_tokens -i many", "ids"),
    ):
        result = shell.run(line)
        above = result.code.split("\n\n")[1]
        assert above.startswith("many = ...  # a ")
        assert "Text number" not in result.code
        assert len(run_home(result.code, many=shell.names["many"])[what]) in {200, 2}
    result = shell.run("%hf_infer -i ids")
    found = run_home(result.code)["outputs"].last_hidden_state
    assert torch.equal(found, result.outputs.last_hidden_state)


def test_a_model_of_the_notebook_is_filled_in(session, minilm):
    """A script can't hold it; it says where it belongs, and runs with it."""
    hf.new("bert", hidden_size=32, num_hidden_layers=1, num_attention_heads=2, name="it", seed=1)
    model = hf.session["it"].model
    hf.add(model, minilm, "mine", variable="net.encoder")
    code = hf.infer("A cat.", model="mine", task="features").code
    assert "net_encoder = ...  # a BertModel: fill it in\n" in code
    assert lint(code) == ""
    found = run_home(code, net_encoder=model)
    assert "model = net_encoder" in code
    assert torch.is_tensor(found["outputs"].last_hidden_state)


def test_no_token_is_written(session, minilm, monkeypatch):
    """A token that a line gave is read from the environment in the script."""
    monkeypatch.setenv("HF_TOKEN", "from the environment")
    hf.load(minilm, name="mini", set={"token": "hf_secret"})
    result = hf.infer("A cat.", task="features")
    assert "hf_secret" not in result.code
    assert 'token=os.environ["HF_TOKEN"]' in result.code
    assert lint(result.code) == ""
    steps = session.steps
    assert "hf_secret" not in whole(sections_of(steps))


def test_of_very_many_steps_the_first_are_forgotten(session, minilm, monkeypatch):
    """A loop that runs for ever does not fill the memory, and the page says what is missing."""
    monkeypatch.setattr(session, "steps", deque(maxlen=3))
    monkeypatch.setattr(store, "_MOST_STEPS", 3)
    monkeypatch.setattr(session, "forgotten", 0)
    hf.new("bert", hidden_size=32, num_hidden_layers=1, num_attention_heads=2, name="it", seed=1)
    for ids in ([1, 2], [3, 4], [5, 6], [7, 8]):
        hf.infer(ids, task="features")
    result = hf.code(all=True)
    assert "[1, 2]" not in result.code
    assert result.code.count("BertModel(config)") == 1
    assert "the first 2 steps of the session are forgotten" in result._repr_html_()
    run_home(result.code)
    monkeypatch.setattr(session, "forgotten", 1)
    assert "the first 1 step of the session is forgotten" in hf.code(all=True)._repr_html_()


def test_a_session_of_one_step_that_was_repeated_counts_one(session, minilm):
    hf.new("bert", hidden_size=32, num_hidden_layers=1, num_attention_heads=2, name="it", seed=1)
    for _ in range(2):
        hf.use("it")
    assert "in 1 step<" in hf.code("it")._repr_html_()


def test_what_is_filled_in_is_not_overwritten(session, minilm):
    """A tokenizer of the notebook, behind a model that loads one of its own under the same name."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    hf.new("bert", name="first", seed=1, tokenizer=minilm, **sizes)
    hf.infer("A cat.", task="features")
    model, other = hf.session["first"].model, byte_level()
    hf.add(model, other, "mine")
    result = hf.infer("the fox", task="features")
    code = hf.code(all=True).code
    assert lint(code) == ""
    found = run_home(code, mine=model, mine_tokenizer=other)
    assert found["inputs"]["input_ids"].tolist() == other(["the fox"])["input_ids"]
    assert torch.equal(found["outputs"].last_hidden_state, result.outputs.last_hidden_state)


def test_of_a_model_that_was_trained_it_says_what_to_save(worked):
    """Above what was done with it, once; and nothing of a model that is as it was made."""
    with torch.no_grad():
        hf.session["other"].model.classifier.bias.add_(1)
    worked.run("%hf_infer -m other A cat sat.")
    code = hf.code(all=True).code
    assert code.count("are in no file yet") == 1
    assert code.index("BertForSequenceClassification(") < code.index("save_pretrained(folder)")
    lint(code)
