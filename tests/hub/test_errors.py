"""What the hub refuses, or fails to give: one line that says what to type, the session as before."""

from __future__ import annotations

import pytest

from tests.hub.children import one_line, page, put_in_cache, run_magics
from tests.hub.server import Hub

pytestmark = pytest.mark.slow

TINY = "org/tiny-bert"
SESSION = "__import__('hf_magics').session"
TOKEN = "__import__('os').environ['HF_TOKEN'] = "

# a line, and what its error has to name
REFUSED = {
    "%hf_load org/tiny-bart": ("'org/tiny-bart'", "private", "HF_TOKEN", "cached id is 'org/tiny-"),
    "%hf_load org/private-bert": ("'org/private-bert'", "private", "HF_TOKEN"),
    "%hf_load org/gated-bert": ("'org/gated-bert' is gated", "terms", "HF_TOKEN"),
    f"%hf_load {TINY} --revision v2": ("'v2'", "--revision"),
    f"%hf_load {TINY} --revision {'0' * 40}": ("0" * 40, "--revision"),
    f"%hf_load {TINY} -n b --tokenizer org/none": ("'org/none'", "HF_TOKEN"),
    f"%hf_load {TINY} -n b --set variant=fp16": (TINY, "fp16"),
    f"%hf_load {TINY} -n b --gguf tiny.gguf": (TINY, "tiny.gguf"),
    "%hf_load org/gguf": ("'org/gguf' holds 2 GGUF files", "--gguf FILE", "a.gguf, b.gguf"),
    "%hf_load org/gguf --gguf c.gguf": ("'c.gguf'", "a.gguf, b.gguf"),
    "%hf_load org/gguf --gguf b.gguf": ("org/gguf/b.gguf", "is damaged"),
    "%hf_load org/a--b": ("'org/a--b'", "no repository can have that name"),
    f"%hf_load {'x' * 100}": ("no repository can have that name",),
    f"%hf_load https://huggingface.co/{TINY}/tree/main": ("the hub id alone", f"'{TINY}'"),
    "%hf_config org/none": ("'org/none'", "HF_TOKEN"),
    f"%hf_config {TINY} --vs org/none": ("'org/none'", "HF_TOKEN"),
}


def test_what_the_hub_refuses_is_one_line(hub, hub_env, tmp_path):
    """It names the thing, says what to type, and leaves the session as it was."""
    (tmp_path / "gguf").mkdir()
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / "gguf" / name).write_bytes(b"GGUF and no more")
    hub.add("org/gguf", tmp_path / "gguf")
    lines = [f"%hf_load {TINY}", *REFUSED, SESSION]
    loaded, *refused, session = run_magics(lines, hub_env)
    assert page(loaded)
    for cell, named in zip(refused, REFUSED.values(), strict=True):
        line = one_line(cell)
        assert all(word in line for word in named), line
    assert page(session) == "<hf_magics session: tiny-bert>"
    fetched = {path.rpartition("/")[2] for _, path in hub.requests if path.endswith(".gguf")}
    assert fetched == {"b.gguf"}


def test_a_token_opens_what_it_may_and_is_never_shown(hub_env):
    """Neither on a page nor in an error nor in the code; a wrong one is called wrong."""
    lines = [
        f"{TOKEN}'hf_wrong'",
        "%hf_load org/private-bert",
        "%hf_load org/gated-bert",
        f"{TOKEN}'hf_wröng'",
        "%hf_load org/private-bert",
        f"{TOKEN}'{Hub.token}'",
        "%hf_load org/private-bert",
        "%hf_load org/gated-bert",
        "_.code",
        f"{SESSION}.log",
    ]
    cells = run_magics(lines, hub_env)
    assert "HF_TOKEN" in one_line(cells[1])
    assert "is gated" in one_line(cells[2])
    assert "HF_TOKEN is no token" in one_line(cells[4])
    private, gated, *rest = (page(cell) for cell in cells[6:])
    assert "hub: org/private-bert" in private
    assert "hub: org/gated-bert" in gated
    said = " ".join([str(cells), *rest])
    assert not [one for one in ("hf_wrong", "hf_wröng", Hub.token) if one in said]


def test_a_hub_that_fails_is_named_and_asked_again(hub, hub_env):
    """At once, with its status, and the same line works when it is well."""
    statuses = (401, 429, 500, 503)
    hub.fail_in_turn(statuses)
    *failed, loaded = run_magics([f"%hf_load {TINY}"] * (len(statuses) + 1), hub_env)
    for status, cell in zip(statuses, failed, strict=True):
        assert str(status) in one_line(cell)
    assert TINY in page(loaded)
    assert len([path for _, path in hub.requests if path.startswith("/api")]) == len(failed) + 1


def test_other_bytes_than_the_hub_promised_are_not_kept(hub, hub_env, checkpoints):
    """As many as they should be, so that only the hash tells; the same line works afterwards."""
    changed = {"org/a": "model.safetensors", "org/b": "config.json", "org/c": "tokenizer.json"}
    for repo, name in changed.items():
        hub.add(repo, checkpoints["main"])
        hub.garble(repo, name)
    loads = [f"%hf_load {repo}" for repo in changed]
    *wrong, session = run_magics([*loads, *loads, SESSION], hub_env)
    for cell, (repo, name) in zip(wrong, [*changed.items()] * 2, strict=True):
        assert f"'{name}' of '{repo}' came with other bytes" in one_line(cell)
    assert page(session) == "<hf_magics session: nothing>"
    for repo in changed:
        hub.garble(repo, "")
    hub.requests.clear()
    for cell in run_magics(loads, hub_env):
        assert "BertTokenizer, 19 entries" in page(cell)
    fetched = {path for method, path in hub.requests if method == "GET" and "/resolve/" in path}
    for repo, name in changed.items():
        assert [one for one in fetched if one.startswith(f"/{repo}/") and one.endswith(name)]


def test_a_silent_hub_leaves_what_is_cached(hub, hub_env, checkpoints):
    """It is waited for no longer than the timeout of one question, and never for a file."""
    put_in_cache(TINY, checkpoints["main"], hub.commit(TINY), hub_env)
    hub.delay(60)
    cached, unknown = run_magics([f"%hf_load {TINY}", "%hf_load org/other"], hub_env)
    assert "can't be reached: this is the cached commit" in page(cached)
    line = one_line(unknown)
    assert "no folder 'org/other' here" in line
    assert "can't be reached" in line


def test_a_download_that_breaks_off_is_taken_up_again(hub, hub_env, checkpoints):
    """One clear line; the same line works afterwards, by a commit's hash too: nothing half is kept."""
    commit = hub.commit(TINY)
    sizes = {path.name: path.stat().st_size for path in checkpoints["main"].iterdir()}
    hub.cut_after(sizes.pop("model.safetensors") - 1)
    assert max(sizes.values()) < hub._cut
    load = f"%hf_load {TINY} --revision {commit}"
    broken, session = run_magics([load, SESSION], hub_env)
    assert "broke off" in one_line(broken)
    assert "run the line again" in broken.message
    assert page(session) == "<hf_magics session: nothing>"
    hub.cut_after(None)
    hub.requests.clear()
    (whole,) = run_magics([load], hub_env)
    assert "BertTokenizer, 19 entries" in page(whole)
    assert [path for method, path in hub.requests if method == "GET" and "resolve" in path] == [
        f"/{TINY}/resolve/{commit}/model.safetensors"
    ]
