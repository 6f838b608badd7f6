"""Saves that are killed, or refused by the disk: the old checkpoint whole, or the new one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from transformers import BertModel

import hf_magics as hf
from tests.hostile.saving_child import make, save
from tests.modeling.test_folders import contents
from tests.modeling.tiny import same

KILLS = int(os.environ.get("HF_MAGICS_KILLS", "15"))  # the README's figure is of 300
SEED = int(os.environ.get("HF_MAGICS_SEED", "0")) or random.randrange(1, 10**6)
ROOT = Path(__file__).parents[2]
NOBODY = 65534
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks"),
]


@pytest.fixture
def whole(session, tmp_path_factory):
    """The files of two checkpoints, as saves leave them that nobody disturbs."""
    home = tmp_path_factory.mktemp("whole")
    make()
    for name in ("one", "two"):
        save(name, home / name)
    return {name: contents(home / name) for name in ("one", "two")}


@pytest.fixture(scope="module")
def saving():
    """A process that saves in forks of itself: one that was forked here would miss its threads."""
    command = [sys.executable, "-m", "tests.hostile.saving_child"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as child:
        yield child
        child.stdin.close()


def test_a_kill_at_any_moment_leaves_one_whole_checkpoint(tmp_path, whole, saving):
    """Over an older one and to a new folder; what it leaves beside goes with the next save."""
    draw = random.Random(f"{SEED} kills")
    save("one", tmp_path / "over")
    in_a_save = aside = 0
    for number in range(KILLS):
        after = kill(saving, tmp_path, draw)
        moment = f"kill {number} after {after:.4f} s, HF_MAGICS_SEED={SEED}"
        in_a_save += bool(hidden(tmp_path))
        aside += not (tmp_path / "over").exists()
        for folder in [tmp_path / "over", *tmp_path.glob("new-*")]:
            check_whole(folder, whole, moment)
        for name in {"over", *(one[1:].partition(".hf-")[0] for one in hidden(tmp_path))}:
            save("one", tmp_path / name)
            assert contents(tmp_path / name) == whole["one"], moment
        assert hidden(tmp_path) == [], moment
        for folder in tmp_path.glob("new-*"):
            shutil.rmtree(folder)
    print(f"{KILLS} kills: {in_a_save} in a save, {aside} between its two renames")


def kill(saving: subprocess.Popen[str], home: Path, draw: random.Random) -> float:
    """Let a process save without end, and kill it after a moment."""
    process, after = ask(saving, home=str(home)), draw.uniform(0, 0.3)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    while Path(f"/proc/{process}").exists():
        time.sleep(0.001)
    return after


def check_whole(folder: Path, whole: dict, moment: str) -> None:
    """What stands there is one of the checkpoints; where nothing does, a load puts it right."""
    if folder.exists():
        assert contents(folder) in whole.values(), f"{moment}: {folder.name}"
    loaded = hf.load(str(folder), name="it", replace=True)
    assert contents(folder) in whole.values(), f"{moment}: {folder.name}, after a load"
    assert same(BertModel.from_pretrained(folder), loaded.model), moment


def hidden(home: Path) -> list[str]:
    return sorted(one.name for one in home.iterdir() if one.name.startswith("."))


def ask(saving: subprocess.Popen[str], **words: object) -> object:
    saving.stdin.write(json.dumps(words) + "\n")
    saving.stdin.flush()
    return json.loads(saving.stdout.readline())


@pytest.mark.parametrize("limit", [1, 500, 20_000, 39_000])
def test_a_file_that_grows_too_large_leaves_the_old_checkpoint(tmp_path, whole, saving, limit):
    """The config does not fit in, or a shard: one line, and all is as it was."""
    save("one", tmp_path / "over")
    for name in ("over", "new"):
        said = ask(saving, folder=str(tmp_path / name), limit=limit)
        assert "is as it was" in said or "can't be written" in said
        assert "\n" not in said
    assert contents(tmp_path / "over") == whole["one"]
    assert [one.name for one in tmp_path.iterdir()] == ["over"]


@pytest.mark.parametrize("locked", ["the folder", "the one above"])
def test_a_folder_of_someone_else_is_left_alone(whole, saving, locked):
    """Who may not write there is told so in one line: modes don't hold the root user back."""
    if os.geteuid():
        pytest.skip("needs root, to be somebody else")
    with tempfile.TemporaryDirectory() as place:  # pytest's own are closed to others
        home = Path(place) / "home"
        save("one", home / "over")
        Path(place).chmod(0o755)
        home.chmod(0o777 if locked == "the folder" else 0o755)
        if locked == "the folder":
            os.chown(home / "over", NOBODY, NOBODY)
            (home / "over").chmod(0o555)
        said = ask(saving, folder=str(home / "over"), user=NOBODY)
        assert "can't be written: Permission denied" in said
        assert "\n" not in said
        assert contents(home / "over") == whole["one"]
        assert [one.name for one in home.iterdir()] == ["over"]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_modes_follow_the_umask(tmp_path, saving, umask):
    """Of the folder and of each file in it."""
    assert ask(saving, folder=str(tmp_path / "new"), umask=umask) == ""
    assert mode(tmp_path / "new") == 0o777 & ~umask
    modes = {one.name: mode(one) for one in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(modes, 0o666 & ~umask)
    assert len(modes) > 3


def test_a_folder_keeps_its_mode_when_it_is_replaced(tmp_path, saving):
    """One that was shared with a group still is."""
    (tmp_path / "over").mkdir()
    (tmp_path / "over").chmod(0o2775)
    assert ask(saving, folder=str(tmp_path / "over"), umask=0o077) == ""
    assert mode(tmp_path / "over") == 0o2775


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
