"""The hub on loopback is a hub to those who ask it: over HTTP, huggingface_hub and transformers."""

from __future__ import annotations

import json
import time
from collections import Counter
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest

from tests.hub.children import hub_environment, run_ipython, run_python
from tests.hub.server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TINY = "org/tiny-bert"
WEIGHTS = f"/{TINY}/resolve/main/model.safetensors"
# transformers 5.23 keeps no `config._commit_hash`: the cache knows which commit a revision was
LOAD = """
import json
from pathlib import Path
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModel, AutoTokenizer

def commit(revision=None, **how):
    return Path(try_to_load_from_cache("org/tiny-bert", "config.json", revision=revision)).parent.name

def load(**how):
    model = AutoModel.from_pretrained("org/tiny-bert", **how)
    tokenizer = AutoTokenizer.from_pretrained("org/tiny-bert", **how)
    return {
        "ids": tokenizer("hello world!")["input_ids"],
        "commit": commit(**how),
        "weights": float(model.embeddings.word_embeddings.weight.sum()),
    }
"""
ASK = """
import json
from huggingface_hub import HfApi, hf_hub_download

def error(ask, *arguments, **how):
    try:
        ask(*arguments, **how)
    except Exception as problem:
        response = getattr(problem, "response", None)
        return [type(problem).__name__, response is not None and response.status_code]
"""


@pytest.fixture
def line(hub: Hub) -> Iterator[HTTPConnection]:
    """One kept-alive connection to the hub."""
    connection = HTTPConnection(hub.url.removeprefix("http://"), timeout=5)
    yield connection
    connection.close()


def ask(line: HTTPConnection, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    line.request(method, path, headers=headers)
    response = line.getresponse()
    return response.status, response.headers, response.read()


def said(code: str, env: Mapping[str, str]) -> Any:
    """Run code whose last line of output is JSON."""
    return json.loads(run_python(code, env).stdout.splitlines()[-1])


def test_one_connection_carries_many_requests(hub, line, checkpoints):
    """HEAD tells the size without a body, and what follows on the line is not shifted by it."""
    weights = (checkpoints["main"] / "model.safetensors").read_bytes()
    status, headers, body = ask(line, "HEAD", WEIGHTS)
    socket = line.sock
    assert (status, body, int(headers["Content-Length"])) == (200, b"", len(weights))
    assert headers["X-Repo-Commit"] == hub.commit(TINY)
    assert ask(line, "GET", WEIGHTS)[2] == weights
    assert ask(line, "GET", f"/{TINY}/resolve/main/nothing.json")[0] == 404
    status, part_headers, body = ask(line, "GET", WEIGHTS, Range="bytes=100-")
    assert (status, body) == (206, weights[100:])
    assert part_headers["ETag"] == headers["ETag"]
    assert ask(line, "GET", WEIGHTS, Range="bytes=10-19")[2] == weights[10:20]
    assert ask(line, "GET", WEIGHTS, Range=f"bytes={len(weights)}-")[0] == 416
    assert line.sock is socket
    assert hub.requests[:2] == [("HEAD", WEIGHTS), ("GET", WEIGHTS)]


def test_a_folder_lists_what_lies_in_it(hub, line, tmp_path):
    for path in ("config.json", "chat/one.jinja", "chat/old/two.jinja"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    hub.add("org/nested", tmp_path)
    tree = "/api/models/org/nested/tree/main"
    expected = {
        tree: {"config.json", "chat"},
        f"{tree}/chat": {"chat/one.jinja", "chat/old"},
        f"{tree}?recursive=true": {"config.json", "chat/one.jinja", "chat/old/two.jinja"},
    }
    for path, inside in expected.items():
        assert {entry["path"] for entry in json.loads(ask(line, "GET", path)[2])} == inside
    assert ask(line, "GET", f"{tree}/none")[1]["X-Error-Code"] == "EntryNotFound"


def test_a_push_moves_main_and_keeps_what_was(hub, line, checkpoints):
    """The commit follows from the contents alone, and an older one can still be asked for."""
    before = hub.commit(TINY)
    assert hub.add(TINY, checkpoints["v1"]) == hub.commit(TINY, "v1") != before
    old = ask(line, "HEAD", WEIGHTS.replace("main", before))[1]
    assert old["X-Repo-Commit"] == before
    assert hub.add(TINY, checkpoints["main"]) == before


def test_switches_make_it_fail_and_are_lifted(hub, line):
    hub.fail_with(503, times=1)
    assert [ask(line, "HEAD", WEIGHTS)[0] for _ in range(2)] == [503, 200]
    hub.delay(0.2)
    start = time.monotonic()
    assert ask(line, "HEAD", WEIGHTS)[0] == 200
    assert time.monotonic() - start >= 0.2
    hub.delay(0)
    hub.cut_after(1000)
    with pytest.raises(IncompleteRead) as cut:
        ask(line, "GET", WEIGHTS)
    assert len(cut.value.partial) == 1000
    line.close()
    hub.cut_after(None)
    assert ask(line, "GET", WEIGHTS)[0] == 200


def test_a_stopped_hub_answers_nobody_and_comes_back(hub, line):
    """Nor those who keep a connection; it starts again at the same address."""
    assert ask(line, "HEAD", WEIGHTS)[0] == 200
    url = hub.url
    hub.stop()
    with pytest.raises(OSError):  # noqa: PT011 # closed or refused: the system's choice
        ask(line, "HEAD", WEIGHTS)
    line.close()
    assert hub.start().url == url
    assert ask(line, "HEAD", WEIGHTS)[0] == 200


def test_model_info_tells_commit_and_files(hub, hub_env, checkpoints):
    code = """
    info = HfApi().model_info("org/tiny-bert", files_metadata=True)
    v1 = HfApi().model_info("org/tiny-bert", revision="v1")
    print(json.dumps([info.sha, v1.sha, {file.rfilename: file.size for file in info.siblings}]))
    """.replace("\n    ", "\n")
    sha, v1, files = said(ASK + code, hub_env)
    assert (sha, v1) == (hub.commit(TINY), hub.commit(TINY, "v1"))
    assert files == {path.name: path.stat().st_size for path in checkpoints["main"].iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)


ERRORS = {
    'HfApi().model_info, "org/none"': ["RepositoryNotFoundError", 401],
    'HfApi().model_info, "org/none", token="hf_other"': ["RepositoryNotFoundError", 404],
    'HfApi().model_info, "org/private-bert"': ["RepositoryNotFoundError", 401],
    'HfApi().model_info, "org/private-bert", token="hf_loopback"': None,
    'HfApi().model_info, "org/gated-bert"': None,  # anybody may see that it is there
    'hf_hub_download, "org/gated-bert", "config.json"': ["GatedRepoError", 401],
    'hf_hub_download, "org/gated-bert", "config.json", token="hf_other"': ["GatedRepoError", 403],
    'hf_hub_download, "org/gated-bert", "config.json", token="hf_loopback"': None,
    'HfApi().model_info, "org/tiny-bert", revision="v2"': ["RevisionNotFoundError", 404],
    'hf_hub_download, "org/tiny-bert", "none.json"': ["RemoteEntryNotFoundError", 404],
}


def test_errors_are_those_of_a_real_hub(hub_env):
    calls = "\n".join(f"    error({call})," for call in ERRORS)
    met = said(f"{ASK}\nprint(json.dumps([\n{calls}\n]))", hub_env)
    assert dict(zip(ERRORS, met, strict=True)) == ERRORS


def test_nobody_at_the_address_is_known_at_once(hub, hub_env):
    """`model_info` asks once: no retries before it says that nothing listens."""
    hub.stop()
    code = """
    import time
    start = time.monotonic()
    problem = error(HfApi().model_info, "org/tiny-bert", timeout=3)
    print(json.dumps([problem, time.monotonic() - start]))
    """.replace("\n    ", "\n")
    problem, seconds = said(ASK + code, hub_env)
    assert problem == ["ConnectError", False]
    assert seconds < 2


@pytest.mark.slow
def test_transformers_loads_over_http(hub, hub_env):
    """Model and tokenizer, a revision of other weights, and a token for what is private."""
    main, v1 = said(f'{LOAD}print(json.dumps([load(), load(revision="v1")]))', hub_env)
    assert main["ids"] == v1["ids"] == [2, 13, 14, 15, 3]
    assert (main["commit"], v1["commit"]) == (hub.commit(TINY), hub.commit(TINY, "v1"))
    assert main["weights"] != pytest.approx(v1["weights"])
    private = LOAD.replace(TINY, "org/private-bert")
    again = said(f"{private}print(json.dumps(load()))", hub_env | {"HF_TOKEN": Hub.token})
    assert again == main


@pytest.mark.slow
def test_what_a_load_asks(hub, hub_env):
    """A first load asks for files, a second only what `main` is now, a cached commit nothing.

    The tokenizer lists the repository each time, whatever is in the cache (transformers 5.23).
    """
    info, pin = f"/api/models/{TINY}", f"'{TINY}', revision='{hub.commit(TINY)}'"
    first, second = (_asked(hub, hub_env, "load()") for _ in range(2))
    model = _asked(hub, hub_env, f"AutoModel.from_pretrained({pin})")
    tokenizer = _asked(hub, hub_env, f"AutoTokenizer.from_pretrained({pin})")
    weights = WEIGHTS.replace("main", hub.commit(TINY))
    assert (first.count(("HEAD", weights)), first.count(("GET", weights))) == (1, 1)
    lists = (f"{info}/tree/main", f"{info}/tree/main/additional_chat_templates")
    assert {path for _, path in second} <= {info, *lists}
    assert model == []
    assert all(path.startswith(f"{info}/tree/") for _, path in tokenizer)


@pytest.mark.slow
def test_what_is_cached_loads_without_the_hub(hub, hub_env):
    """With `local_files_only`, or the model alone by its commit."""
    online = said(f"{LOAD}print(json.dumps(load()))", hub_env)
    hub.stop()
    offline = f"""{LOAD}
AutoModel.from_pretrained("{TINY}", revision="{online["commit"]}")
print(json.dumps(load(local_files_only=True)))
"""
    assert said(offline, hub_env) == online


def _asked(hub: Hub, env: Mapping[str, str], code: str) -> list[tuple[str, str]]:
    hub.requests.clear()
    run_python(f"{LOAD}{code}", env)
    print(f"\n{len(hub.requests)} requests: {code}")  # for those who run it with -s
    print("\n".join(f"  {count} {' '.join(key)}" for key, count in Counter(hub.requests).items()))
    return list(hub.requests)


@pytest.mark.slow
def test_transformers_wraps_what_the_hub_says(hub_env):
    """`from_pretrained` raises OSError, with the hub's own error as its cause."""
    code = """
    from transformers import AutoModel

    def cause(name, how):
        try:
            AutoModel.from_pretrained(name, **how)
        except OSError as problem:
            return type(problem.__cause__).__name__

    names = ["org/none", "org/private-bert", "org/gated-bert", "org/tiny-bert"]
    how = [{}, {}, {}, {"revision": "v2"}]
    print(json.dumps(list(map(cause, names, how))))
    """.replace("\n    ", "\n")
    missing = "RepositoryNotFoundError"
    assert said(ASK + code, hub_env) == [
        missing,
        missing,
        "GatedRepoError",
        "RevisionNotFoundError",
    ]


def test_a_shell_tells_each_cell_apart(hub_env):
    """A value, an error in one line, a traceback, and code that can't be read."""
    cells = ["1 + 1", "%nope", "print('a')\n1 / 0", "x = 3;", "def f(:", "x"]
    value, usage, failed, silent, unread, late = run_ipython(cells, hub_env)
    assert (value.result, value.error, value.stderr) == ("2", None, "")
    assert (usage.error, usage.stderr.count("\n")) == ("UsageError", 1)
    assert (failed.error, failed.stdout.splitlines()[0]) == ("ZeroDivisionError", "a")
    assert (silent.stdout, silent.result) == ("", None)
    assert (unread.error, late.result) == ("SyntaxError", "3")


def test_a_child_that_fails_shows_what_it_said(hub_env):
    with pytest.raises(AssertionError, match=r"(?s)exit 1.*spoken.*NameError"):
        run_python("print('spoken'); nothing", hub_env)


def test_a_child_knows_no_secret_of_the_tester(hub, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("HTTP_PROXY", "http://elsewhere:1")
    assert not {"HF_TOKEN", "HTTP_PROXY"} & set(hub_environment(hub.url, tmp_path))
