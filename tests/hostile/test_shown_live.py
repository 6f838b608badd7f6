"""What is shown of a stranger's objects, pictures and sounds, and what Tab offers of a folder."""

import json
from pathlib import Path

import pytest
import torch
from IPython.core.completer import provisionalcompleter

import hf_magics as hf
from tests.hostile.cells import LOADS
from tests.hostile.reading import Read, unseen
from tests.hostile.texts import ALL
from tests.inference.tasks import hearing, seeing


def check(result) -> str:
    """Look at a page in both its forms, and return its text."""
    html = Read(result._repr_html_())
    assert html.foreign == []
    for text in (html.text, "".join(html.called), repr(result), result.code):
        assert unseen(text) == []
    return html.text


def test_modules_may_be_called_anything(stranger):
    """A model that somebody made: in every page that lists its modules."""
    stranger.run(LOADS[0])
    sorter = hf.session["sorter"]
    for one in ALL:
        sorter.model.add_module(one.replace(".", "·"), torch.nn.Linear(1, 1))
    stranger.names.update(model=sorter.model, tokenizer=sorter.tokenizer)
    stranger.run("%hf_load -i model --tokenizer tokenizer -n other")
    for cell in ("%hf_models", "%hf_layers other", "%hf_compare sorter other", "%hf_tokens a"):
        check(stranger.run(cell))
    text = check(stranger.run("%hf_layers other --depth 9"))
    assert ALL[1].replace(".", "·") in text


@pytest.mark.parametrize("build", [seeing.detector, seeing.segmenter, hearing.listener])
def test_labels_of_pictures_and_sounds(shell, tmp_path, build):
    """They are in the tables, and what is drawn on a picture is called by them."""
    folder = Path(build(tmp_path / "it"))
    path = folder / "config.json"
    labels = {at: "".join(ALL[at::3]) for at in range(3)}
    named = {"id2label": labels, "label2id": {one: at for at, one in labels.items()}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **named}))
    shell.names.update(scene=seeing.scene(), tone=hearing.tone())
    shell.run(f'%hf_load "{folder}" -n it')
    result = shell.run(f"%hf_infer -i {'tone' if build is hearing.listener else 'scene'}")
    check(result)


def test_tab_offers_nothing_that_cannot_be_seen(stranger):
    """It would go into the line as it is, and the terminal would obey it."""
    for name in ("sound", "so\x1b[31mred", "so\u202efar"):
        Path(name).mkdir(exist_ok=True)
    with provisionalcompleter():
        found = [one.text for one in stranger.ip.Completer.completions("%hf_load so", 11)]
    assert any("sound" in one for one in found)
    assert unseen("".join(found)) == []
