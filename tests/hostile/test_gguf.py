"""GGUF files that are cut short, or whose headers lie: one line that names the file, by each engine."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import hf_magics as hf
from hf_magics.errors import HFMagicsError
from tests.hostile.changes import HTML, POINTER
from tests.hostile.measuring import memory

pytestmark = pytest.mark.slow


def _counted(at: int, number: int):
    return lambda raw: raw[:at] + struct.pack("<Q", number) + raw[at + 8 :]


CHANGES = {
    **{
        f"cut at {at:,}": lambda raw, at=at: raw[:at]
        for at in (0, 1, 4, 8, 16, 24, 30, 100, 1_000, 100_000, 1_000_000, 2_500_000)
    },
    "another kind": lambda raw: b"GGML" + raw[4:],
    "a version to come": lambda raw: raw[:4] + struct.pack("<I", 99) + raw[8:],
    "tensors without end": _counted(8, 2**60),
    "fields without end": _counted(16, 2**60),
    "no fields": _counted(16, 0),
    "a name without end": _counted(24, 2**62),
    "a web page": lambda _: HTML.encode(),
    "a pointer": lambda _: POINTER.encode(),
    "zeros": lambda _: bytes(5_000),
}


@pytest.fixture(scope="module")
def begin(smollm2, tmp_path_factory):
    """The first megabytes of a real file; what reads those is imported, once for all."""
    with Path(smollm2).open("rb") as file:
        raw = file.read(3_000_000)
    path = tmp_path_factory.mktemp("cut") / "model.gguf"
    path.write_bytes(raw)
    with pytest.raises(HFMagicsError):
        hf.load(str(path))
    return raw


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("engine", ["torch", "llamacpp"])
def test_it_is_refused_in_one_line(session, begin, tmp_path, name, engine):
    """The session is as before, and the memory."""
    if engine == "llamacpp":
        pytest.importorskip("llama_cpp")
    path = tmp_path / "model.gguf"
    path.write_bytes(CHANGES[name](begin))
    before = memory()
    with pytest.raises(HFMagicsError) as caught:
        hf.load(str(path), engine=engine)
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert "JSON" not in said
    assert not session
    del caught  # and with it the frames that it was raised in
    assert memory() - before < 50_000_000
