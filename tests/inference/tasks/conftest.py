"""Tiny checkpoints that see and hear, made once."""

import pytest

import hf_magics as hf
from tests.inference.tasks import hearing, seeing


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """Makes a tiny checkpoint once, and returns its folder."""
    made = {}

    def folder(name: str) -> str:
        if name not in made:
            make = getattr(seeing, name, None) or getattr(hearing, name)
            made[name] = make(tmp_path_factory.mktemp("tiny") / name)
        return made[name]

    return folder


@pytest.fixture
def load_tiny(session, tiny_folder):
    """Loads a tiny checkpoint under its own name, and returns its folder."""

    def load(name: str) -> str:
        hf.load(tiny_folder(name), name=name)
        return tiny_folder(name)

    return load
