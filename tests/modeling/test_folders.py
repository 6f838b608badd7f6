"""Folders that are replaced whole: after a kill, on a full disk, where nothing can be written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import BertForMaskedLM

from hf_magics.errors import SaveError
from hf_magics.modeling import folders
from tests.modeling.tiny import BERT, bert_folder, same

KILLED = """
import os, sys
from pathlib import Path
from hf_magics.modeling import folders

target = Path(sys.argv[1])
staging = folders.staging_for(target)
(staging / "half").write_text("new")
rename, count = Path.rename, []

def then_die(path, *rest):
    rename(path, *rest)
    count.append(path)
    if len(count) == int(sys.argv[2]):
        os._exit(9)

Path.rename = then_die
folders.swap_in(staging, target)
"""


def killed_in_a_swap(target: Path, after: int) -> None:
    """Replace a folder in a process that dies after so many of its renames."""
    command = [sys.executable, "-c", KILLED, str(target), str(after)]
    assert subprocess.run(command, check=False).returncode == 9


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    """A folder with a tiny BERT."""
    return bert_folder(tmp_path / "bert")


def test_a_load_restores_what_a_kill_left_aside(hf, folder):
    """Killed between the two renames, the old checkpoint is there again at the next load."""
    before = contents(folder)
    killed_in_a_swap(folder, 1)
    assert not folder.exists()
    loaded = hf.load(str(folder))
    assert contents(folder) == before
    assert same(loaded.model, BertForMaskedLM.from_pretrained(folder))


def test_a_load_through_a_link_restores_too(hf, folder, tmp_path):
    """A link to the folder is another name for it, also after a kill."""
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    killed_in_a_swap(folder, 1)
    assert hf.load(str(tmp_path / "link")).name == "link"


def test_a_save_restores_what_a_kill_left_aside(hf, folder, tmp_path):
    """The next save finds the old checkpoint, refuses to replace it unasked, and cleans up."""
    before = contents(folder)
    killed_in_a_swap(folder, 1)
    made = hf.new("bert", task="fill-mask", **BERT)
    with pytest.raises(SaveError, match="is not empty: --overwrite"):
        hf.save(str(folder))
    assert contents(folder) == before
    hf.save(str(folder), overwrite=True)
    assert same(BertForMaskedLM.from_pretrained(folder), made.model)
    assert [path.name for path in tmp_path.iterdir()] == ["bert"]


def test_after_the_second_rename_the_new_one_stands(hf, folder, tmp_path):
    """Killed before the old one was removed, the new content is complete; a save tidies up."""
    killed_in_a_swap(folder, 2)
    assert contents(folder) == {"half": b"new"}
    hf.new("bert", **BERT)
    hf.save(str(folder), overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["bert"]
    assert (folder / "half").read_text() == "new"


@pytest.mark.parametrize("name", ["model [1]", "a*b", ".hidden", "ünï"])
def test_odd_names_are_tidied_up_too(tmp_path, name):
    """What a process left behind is removed, whatever characters the name has."""
    target = tmp_path / name
    left = folders.staging_for(target)
    (left / "half").write_text("unfinished")
    with folders.staged(target) as again:
        assert list(again.iterdir()) == []
        folders.swap_in(again, target)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_interrupted_swap_puts_the_old_one_back(tmp_path, monkeypatch):
    """When the second rename is refused, the old folder has its name again."""
    target = tmp_path / "old"
    target.mkdir()
    (target / "file").write_text("old")
    with pytest.raises(OSError, match="No such file"):
        folders.swap_in(tmp_path / "not there", target)
    assert contents(target) == {"file": b"old"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux: /proc can't be written")
def test_a_place_that_cannot_be_written_is_named(hf):
    """A folder that can't be made is one line that names it."""
    hf.new("bert", **BERT)
    with pytest.raises(SaveError, match="'/proc/hf-magics' can't be written") as caught:
        hf.save("/proc/hf-magics")
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here: that needs root on Linux")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_checkpoint(hf, small_disk):
    """No room is told with both numbers before writing; the old checkpoint stands."""
    folder = bert_folder(small_disk / "bert")
    before = contents(folder)
    hf.new("bert", task="fill-mask", **BERT)
    with pytest.raises(SaveError, match=r"the disk is full: the model needs .* has .* free"):
        hf.save(str(folder), overwrite=True)
    assert contents(folder) == before
    assert [path.name for path in small_disk.iterdir()] == ["bert"]


def test_a_disk_that_fills_up_while_writing_leaves_the_old_checkpoint(hf, small_disk, monkeypatch):
    """Where the room ends in the middle of the writing, nothing of it is left."""
    folder = bert_folder(small_disk / "bert")
    before = contents(folder)
    hf.new("bert", task="fill-mask", **BERT)
    monkeypatch.setattr("hf_magics.modeling.saving._check_room", lambda *_: None)
    with pytest.raises(SaveError, match=r"the disk is full: .*is as it was"):
        hf.save(str(folder), overwrite=True)
    assert contents(folder) == before
    assert [path.name for path in small_disk.iterdir()] == ["bert"]


def test_a_disk_that_is_read_only_is_named(hf, small_disk):
    """Also to the root user, whom modes don't hold back."""
    folder = bert_folder(small_disk / "bert")
    before = contents(folder)
    hf.new("bert", **(BERT | {"num_hidden_layers": 1, "max_position_embeddings": 16}))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for path in (folder, small_disk / "new"):
        with pytest.raises(SaveError, match=r"can't be written: (Read-only|Permission)"):
            hf.save(str(path), overwrite=True)
    assert contents(folder) == before
    assert [path.name for path in small_disk.iterdir()] == ["bert"]
