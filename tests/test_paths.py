"""A word is a path, or a line says why it can be none: no disk is asked twice in two ways."""

from pathlib import Path

import pytest

from hf_magics.errors import InputError, SaveError
from hf_magics.paths import path_of


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("half\ud800", "half of a surrogate pair"),
        ("nul\0", "null"),
        ("long" * 1_250, "too long"),
        ("~no-such-user/model", "home"),
    ],
)
def test_what_no_disk_can_have_is_refused(word, why):
    with pytest.raises(InputError, match=why) as caught:
        path_of(word)
    assert len(str(caught.value)) < 200
    with pytest.raises(SaveError):
        path_of(word, SaveError)


@pytest.mark.parametrize("word", ["there", "not-there", "no/such/folder", "undecoded\udcff", "~"])
def test_any_other_word_is_a_path(word, tmp_path, monkeypatch):
    """Whether it is there or not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert path_of(word) == Path(word).expanduser()
