"""The way through a hub id: the first load over HTTP, later ones from the cache, and what is asked."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from transformers import BertForMaskedLM

from tests.hub.checkpoints import digest, save_kinds
from tests.hub.children import (
    Cell,
    hub_environment,
    one_line,
    page,
    put_in_cache,
    run_magics,
    run_python,
)
from tests.hub.server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

TINY = "org/tiny-bert"
INFO = f"/api/models/{TINY}"
BEGIN = "import hf_magics as hf; from tests.hub.checkpoints import digest; s = hf.session"
WEIGHTS = "digest(s.current.model)"
FIRST = {
    "begin": BEGIN,
    "first": f"%hf_load {TINY}",
    "weights": WEIGHTS,
    "ids": "s.current.tokenizer('hello world!')['input_ids']",
    "code": "s.steps[-1].code",
    "again": f"%hf_load {TINY}",
    "v1": f"%hf_load {TINY} --revision v1 -n old",
    "v1 weights": WEIGHTS,
    "namesake": "%hf_load other/tiny-bert",
    "bare": "%hf_load org/bare",
    "lent": f"%hf_load org/bare -n lent --tokenizer {TINY}",
    "lent ids": "s.current.tokenizer('hello world!')['input_ids']",
    "config": "%hf_config org/config-only",
    "config code": "_.code",
    "pickled": "%hf_load org/pickled",
    "pickled weights": WEIGHTS,
    "sharded": "%hf_load org/sharded",
    "sharded weights": WEIGHTS,
    "templates": "s.current.tokenizer.chat_template",
    "commits": "[one.revision for one in s.log if hasattr(one, 'revision')]",
}


@dataclass
class Online:
    """A hub, a child's environment, and what a first session of it showed and asked."""

    hub: Hub
    env: dict[str, str]
    cells: dict[str, Cell]
    requests: list[tuple[str, str]]

    def value(self, name: str) -> object:
        """What a cell gave that shows no page."""
        return ast.literal_eval(page(self.cells[name]))

    def asked(self, repo_id: str) -> list[tuple[str, str]]:
        """What was asked of one repository: the method, and the path after its name."""
        return [
            (method, path.partition(f"{repo_id}/")[2] or path)
            for method, path in self.requests
            if repo_id in path
        ]


@pytest.fixture(scope="module")
def online(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):
    """One session that loads everything for the first time."""
    kinds = save_kinds(tmp_path_factory.mktemp("kinds"), checkpoints["main"])
    with Hub() as hub:
        hub.add(TINY, checkpoints["main"], revisions={"v1": checkpoints["v1"]})
        hub.add("other/tiny-bert", checkpoints["v1"])
        for name, folder in kinds.items():
            hub.add(f"org/{name}", folder)
        env = hub_environment(hub.url, tmp_path_factory.mktemp("home"))
        cells = dict(zip(FIRST, run_magics(FIRST.values(), env), strict=True))
        yield Online(hub, env, cells, list(hub.requests))


@pytest.fixture
def stopped(online: Online) -> Iterator[Online]:
    """The same, when nothing listens at the hub's address any more."""
    online.hub.stop()
    yield online
    online.hub.start()


def weights_of(folder: Path) -> str:
    return digest(BertForMaskedLM.from_pretrained(folder))


def pages(lines: list[str], env: Mapping[str, str]) -> list[str]:
    """The pages of lines that all succeed, in a new process."""
    return [page(cell) for cell in run_magics([BEGIN, *lines], env)[1:]]


def test_a_first_load_gives_what_plain_transformers_gives(online, checkpoints):
    """The weights to the last bit, the tokenizer, the id and the commit it was, in full."""
    shown = page(online.cells["first"])
    assert f"hub: {TINY}" in shown
    assert online.hub.commit(TINY) in shown
    assert "every weight came from the checkpoint" in shown
    assert "BertTokenizer, 19 entries" in shown
    assert online.value("weights") == weights_of(checkpoints["main"])
    assert online.value("ids") == [2, 13, 14, 15, 3]


def test_nothing_but_the_page_is_left_of_a_download(online):
    """No bar, warning or hint of another library, on neither stream."""
    for cell in online.cells.values():
        assert cell.error is None
        assert cell.stderr == ""
        assert not cell.stdout or cell.stdout.startswith("Out[")


def test_each_file_is_asked_for_once(online):
    """One question for the commit and its list of files, then each file that is needed, once."""
    commit = online.hub.commit(TINY)
    asked = online.asked(TINY)
    files = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    for name in files:
        for method in ("HEAD", "GET"):
            assert asked.count((method, f"resolve/{commit}/{name}")) == 1
    mains = [path for _, path in asked if "/main" in path or path == INFO]
    assert mains == [INFO, INFO]  # the load, and the tokenizer for another model


def test_the_same_line_again_gives_the_model_that_is_there(online):
    assert "already loaded" in page(online.cells["again"])


def test_a_revision_has_weights_and_a_commit_of_its_own(online, checkpoints):
    shown = page(online.cells["v1"])
    assert online.hub.commit(TINY, "v1") in shown
    assert online.value("v1 weights") == weights_of(checkpoints["v1"])
    assert online.value("v1 weights") != online.value("weights")


def test_two_repositories_of_one_name_have_two_names(online):
    assert page(online.cells["namesake"]).strip().startswith("tiny-bert-2 ")


def test_a_repository_without_a_tokenizer_loads_and_takes_another(online):
    """Its absence is no error and nothing is invented; ``--tokenizer`` takes that of a hub id."""
    bare = page(online.cells["bare"])
    assert ["tokenizer", "none"] in [line.split() for line in bare.splitlines()]
    assert online.value("lent ids") == [2, 13, 14, 15, 3]


def test_the_config_of_a_hub_id_is_shown_without_its_weights(online):
    """And the code for it runs elsewhere: it names the commit, and no cache of ours."""
    assert "hidden_size" in page(online.cells["config"])
    code = online.value("config code")
    assert online.hub.commit("org/config-only") in code
    assert "local_files_only" not in code


def test_pickled_weights_start_no_conversion(online, checkpoints):
    """Transformers would have a service open a pull request there, from a thread of its own."""
    assert online.value("pickled weights") == weights_of(checkpoints["main"])
    asked = [path for _, path in online.asked("org/pickled")]
    assert not [path for path in asked if "commits" in path or "discussions" in path]
    assert not [path for path in asked if "safetensors" in path]


def test_shards_and_templates_in_folders_come_along(online, checkpoints):
    assert online.value("sharded weights") == weights_of(checkpoints["main"])
    assert online.value("templates") == {"default": "plain", "rag": "with documents"}


def test_the_log_holds_the_commits(online):
    """A branch moves: what is run again later is the commit that was loaded."""
    assert all(len(commit) == 40 for commit in online.value("commits"))


def test_the_code_gives_the_same_weights_elsewhere(online, tmp_path):
    """Plain transformers, with the commit in it, in a process and a cache that know nothing."""
    code = online.value("code")
    assert online.hub.commit(TINY) in code
    check = (
        "from tests.hub.checkpoints import digest\nprint(digest(model), tokenizer('cat').input_ids)"
    )
    done = run_python(f"{code}\n{check}", hub_environment(online.hub.url, tmp_path))
    assert done.stdout.splitlines()[-1] == f"{online.value('weights')} [2, 7, 3]"


def test_a_later_session_asks_only_what_the_commit_is_now(online):
    """Nothing is asked of a commit by its hash, nor where it is forbidden."""
    online.hub.requests.clear()
    commit = online.hub.commit(TINY, "v1")
    shown = pages([f"%hf_load {TINY}", WEIGHTS], online.env)
    assert online.hub.requests == [("GET", INFO)]
    assert ast.literal_eval(shown[1]) == online.value("weights")
    online.hub.requests.clear()
    quiet = [
        f"%hf_load {TINY} --revision {commit}",
        WEIGHTS,
        f"%hf_load {TINY} -n cached --offline",
        WEIGHTS,
        "%hf_load org/pickled --offline",
        "%hf_load org/sharded --offline",
        f"%hf_load org/bare -n lent --offline --tokenizer {TINY}",
        "%config HFMagics.offline = True",
        "%hf_config org/config-only",
    ]
    shown = pages(quiet, online.env)
    assert online.hub.requests == []
    assert ast.literal_eval(shown[1]) == online.value("v1 weights")
    assert ast.literal_eval(shown[3]) == online.value("weights")


STOPPED = {
    "begin": BEGIN,
    "main": f"%hf_load {TINY}",
    "weights": WEIGHTS,
    "v1": f"%hf_load {TINY} --revision v1 -n old",
    "v1 weights": WEIGHTS,
    "config": "%hf_config org/config-only",
    "lent": f"%hf_load org/bare -n lent --tokenizer {TINY}",
    "pickled": "%hf_load org/pickled",
    "sharded": "%hf_load org/sharded",
    "no weights": "%hf_load org/config-only",
    "v2": f"%hf_load {TINY} --revision v2",
    "unknown": "%hf_load org/tiny-brt",
    "unknown, offline": "%hf_load org/tiny-brt --offline",
    "v2, offline": f"%hf_load {TINY} --revision v2 --offline",
}


def test_without_the_hub_the_cached_commit_is_taken(stopped):
    """And the page says so, that of a config too; what is not in the cache is named."""
    cells = dict(zip(STOPPED, run_magics(STOPPED.values(), stopped.env), strict=True))
    commit = stopped.hub.commit(TINY)
    note = f"the hub can't be reached: this is the cached commit {commit[:12]}"
    assert note in page(cells["main"])
    for name in ("v1", "config", "lent", "pickled", "sharded"):
        assert "this is the cached commit" in " ".join(page(cells[name]).split())
    for name in ("weights", "v1 weights"):
        assert page(cells[name]) == page(stopped.cells[name])
    assert "weights of 'org/config-only'" in one_line(cells["no weights"])
    assert "the cache has of it: main, v1" in one_line(cells["v2"])
    assert "nearest cached id is 'org/tiny-bert'" in one_line(cells["unknown"])
    assert "(offline)" in one_line(cells["unknown, offline"])
    assert "revision 'v2'" in one_line(cells["v2, offline"])


def test_a_push_is_seen_and_what_was_cached_stays(hub, hub_env, checkpoints):
    """``main`` is what it is now; where the new commit did not arrive whole, the old one is there."""
    old = hub.commit(TINY)
    put_in_cache(TINY, checkpoints["main"], old, hub_env)
    new = hub.add(TINY, checkpoints["v1"])
    part = [f"%hf_config {TINY}", f"%hf_load {TINY} -n before --offline"]
    whole = [f"%hf_load {TINY}", f"%hf_load {TINY} -n after --offline"]
    _, before, now, after = pages([*part, *whole], hub_env)
    assert old in before
    assert new in now
    assert new in after
