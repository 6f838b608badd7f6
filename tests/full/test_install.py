"""The package as a user gets it: the wheel, the oldest and the newest versions, its types.

Needs a package index, and minutes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.full.declared import BOUNDS, DEPENDENCIES, EXTRAS, PROJECT, named, release
from tests.full.layers import run
from tests.hub.children import ROOT

pytestmark = [pytest.mark.full, pytest.mark.slow]

TINY = "hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64"
TYPED = """
import hf_magics as hf


def main(text: str) -> list[str]:
    made = hf.new("bert", name="tiny", tokenizer="mini", seed=0, hidden_size=32)
    reveal_type(made)
    reveal_type(hf.tokens(text, model="tiny"))
    reveal_type(hf.infer([text], set={"output_hidden_states": True}).outputs)
    reveal_type(hf.save("folder", overwrite=True))
    return list(hf.session)
"""
REVEALED = [
    "modeling.results.ModelResult",
    "inference.token_pages.TokensResult | inference.token_pages.ComparedTokens",
    "Any",
    "modeling.saving.SaveResult",
]


def test_the_wheel_holds_the_package_and_the_licence(wheel):
    """All of its modules, the mark that it is typed, the licence; no test, no cache, no notebook."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(one for one in names if one.endswith("METADATA"))).decode()
    info = {one for one in names if ".dist-info/" in one}
    assert {one.partition("/")[2] for one in info} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "licenses/LICENSE",
    }
    here = {str(one.relative_to(ROOT).as_posix()) for one in ROOT.glob("hf_magics/**/*.py")}
    assert set(names) - info == here | {"hf_magics/py.typed"}
    assert "License-Expression: Apache-2.0" in metadata
    assert str(ROOT) not in metadata


def test_a_fresh_install_brings_what_it_needs_and_no_more(installed):
    """Its dependencies agree, and nothing of the groups for tests and development is there."""
    versions, needed = set(installed.versions()), {named(one)[0] for one in DEPENDENCIES}
    groups = [*PROJECT["dependency-groups"].values(), *EXTRAS.values()]
    wanted = {named(one)[0] for group in groups for one in group if isinstance(one, str)}
    assert needed <= versions
    assert not (wanted - needed) & versions
    run([sys.executable, "-m", "pip", "--python", installed.python, "check"])


def test_a_fresh_install_works_in_a_script(installed, child):
    """``import hf_magics`` imports nothing heavy; a model is made and run."""
    code = f"""
import sys
import hf_magics as hf
assert not {{"torch", "transformers", "IPython"}} & set(sys.modules)
hf.new("bert", name="tiny", {TINY})
print(tuple(hf.infer([[1, 2, 3]]).outputs.last_hidden_state.shape), hf.__file__)
"""
    shape, _, file = child(installed, code).strip().rpartition(" ")
    assert shape == "(1, 3, 32)"
    assert Path(file).is_relative_to(installed.packages)


def test_the_newest_versions_work(installed, smoke):
    """The main job with the newest version of everything that pip finds, but torch."""
    assert smoke(installed)["hf-magics"] == PROJECT["project"]["version"]


def test_the_oldest_declared_versions_work(oldest, smoke):
    """The main job with each lower bound of pyproject.toml, but torch's."""
    versions = smoke(oldest)
    assert {name: release(versions[name]) for name in BOUNDS} == {
        name: release(version) for name, version in BOUNDS.items()
    }


def test_a_typed_script_is_checked(tmp_path, installed, env):
    """A typed script: mypy --strict knows the types of the verbs' results, and finds a wrong argument."""
    checked = installed.over(tmp_path / "env").install("mypy")
    script = tmp_path / "script.py"
    command = [checked.python, "-m", "mypy", "--strict", script.name]
    script.write_text(TYPED)
    said = run(command, env=env, cwd=tmp_path, timeout=600).stdout
    revealed = re.findall(r'Revealed type is "([^"]*)"', said)
    assert [one.replace("hf_magics.", "") for one in revealed] == REVEALED, said
    script.write_text(TYPED.replace("seed=0", "seed='none'"))
    done = subprocess.run(
        list(map(str, command)), env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'Argument "seed" to "new" has incompatible type "str"' in done.stdout
