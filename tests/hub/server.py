"""A hub on loopback: the HTTP that huggingface_hub speaks, answered from local folders.

`Hub` keeps repositories and its switches, `answer` says what a request gets, and the handler only
carries it. The contents are read when a repository is added: a folder that changes later changes
nothing here, until it is added again, which is a new commit.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.repos import Refusal, Repo, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Self

GATED = "Access to model {} is restricted."


@dataclass
class Answer:
    """One HTTP response; `cut` is where its body breaks off, and the connection with it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


class Hub:
    """Repositories made from folders, served on 127.0.0.1 between `start` and `stop`.

    Attributes:
        requests: (method, path) of all that was asked, in order of arrival; clear it at will.
        ranges: the parts of files that were asked for, such as `bytes=1024-`.
        token: the one token that may see private repositories and the files of gated ones.
    """

    token = "hf_loopback"

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.ranges: list[str] = []
        self._repos: dict[str, Repo] = {}
        self._failures: Iterator[int] = iter(())
        self._cut: int | None = None
        self._delay = 0.0
        self._garbled: dict[str, str] = {}
        self._server: _Server | None = None
        self._port = 0

    def add(
        self,
        repo_id: str,
        folder: Path,
        *,
        revisions: Mapping[str, Path] | None = None,
        private: bool = False,
        gated: bool = False,
    ) -> str:
        """Serve `folder` as the branch `main`, and others under their names; returns main's commit.

        The same repository again is a push: `main` moves on, older commits are still served.
        """
        known = self._repos.get(repo_id)
        repo = Repo(repo_id, private, gated, *((known.refs, known.commits) if known else ()))
        for name, path in {"main": folder, **(revisions or {})}.items():
            snapshot = Snapshot.of(path)
            repo.commits[snapshot.commit] = snapshot
            repo.refs[name] = snapshot.commit
        self._repos[repo_id] = repo
        return repo.refs["main"]

    def commit(self, repo_id: str, revision: str = "main") -> str:
        """The 40 hex digits of a revision."""
        return self._repos[repo_id].at(revision).commit

    def fail_with(self, status: int | None, times: int = sys.maxsize) -> None:
        """Answer the next requests with this bare status; None lifts it."""
        self._failures = itertools.repeat(status, times) if status else iter(())

    def fail_in_turn(self, statuses: Iterable[int | None]) -> None:
        """Answer the next requests with these statuses; None among them lets one through."""
        self._failures = iter([status or 0 for status in statuses])

    def cut_after(self, size: int | None) -> None:
        """Break off the body of each file after so many bytes; None lifts it."""
        self._cut = size

    def garble(self, repo_id: str, name: str) -> None:
        """Send as many other bytes in the place of a file, under its hash; "" lifts it."""
        self._garbled[repo_id] = name

    def delay(self, seconds: float) -> None:
        """Wait so long before each answer; 0 lifts it."""
        self._delay = seconds

    @property
    def url(self) -> str:
        """The address, also of a hub that was stopped: nothing listens there then."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen; on the same port as before, where the hub was stopped in between."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections and drop those that clients keep alive."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def answer(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        """What a request gets, the switches included."""
        url = urlsplit(target)
        self.requests.append((method, url.path))
        failure = next(self._failures, 0)
        if failure:
            return Answer(failure)
        try:
            return self._route(url.path, parse_qs(url.query), headers)
        except Refusal as refusal:
            body = json.dumps({"error": str(refusal)}).encode()
            return Answer(refusal.status, body, refusal.headers)

    def _route(self, path: str, query: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        # split first: a slash inside a revision (refs/pr/1) arrives quoted
        parts = [unquote(part) for part in path.split("/")[1:]]
        if parts[:2] == ["api", "models"]:
            repo, rest = self._find(parts[2:], headers)
            return _api(repo, rest, query)
        repo, rest = self._find(parts, headers)
        match rest:
            case ["resolve", revision, *inside]:
                return self._file(repo, revision, "/".join(inside), headers)
        raise Refusal(404, "EntryNotFound", f"Cannot find {path}")

    def _find(self, parts: list[str], headers: Mapping[str, str]) -> tuple[Repo, list[str]]:
        size = 2 if "/".join(parts[:2]) in self._repos else 1  # "org/name", or an old "name"
        repo = self._repos.get("/".join(parts[:size]))
        if repo is None or (repo.private and not self._knows(headers)):
            # a real hub does not tell a stranger whether a repository exists
            status = 404 if "Authorization" in headers else 401
            raise Refusal(status, "RepoNotFound", "Repository not found")
        return repo, parts[size:]

    def _knows(self, headers: Mapping[str, str]) -> bool:
        return headers.get("Authorization") == f"Bearer {self.token}"

    def _file(self, repo: Repo, revision: str, path: str, headers: Mapping[str, str]) -> Answer:
        if repo.gated and not self._knows(headers):
            status = 403 if "Authorization" in headers else 401
            raise Refusal(status, "GatedRepo", GATED.format(repo.name))
        snapshot = repo.at(revision)
        commit = {"X-Repo-Commit": snapshot.commit}
        if path not in snapshot.files:
            raise Refusal(404, "EntryNotFound", "Entry not found", **commit)
        content = snapshot.files[path]
        if path == self._garbled.get(repo.name):
            content = content[:-1] + bytes([content[-1] ^ 1])
        wanted = headers.get("Range", "")
        self.ranges += [wanted] if wanted else []
        answer = _ranged(content, wanted)
        answer.headers |= commit | {"ETag": f'"{snapshot.etag(path)}"', "Accept-Ranges": "bytes"}
        answer.cut = self._cut
        return answer


def _api(repo: Repo, rest: list[str], query: Mapping[str, Any]) -> Answer:
    match rest:
        case []:
            found: Any = repo.info("main", blobs="blobs" in query)
        case ["revision", revision]:
            found = repo.info(revision, blobs="blobs" in query)
        case ["tree", revision, *inside]:
            recursive = query.get("recursive", ["false"])[0].lower() in {"true", "1"}
            found = repo.at(revision).tree("/".join(inside), recursive=recursive)
        case _:
            found = None
    if not found:
        raise Refusal(404, "EntryNotFound", f"{'/'.join(rest)} does not exist")
    return Answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})


def _ranged(content: bytes, wanted: str) -> Answer:
    if not wanted.startswith("bytes="):
        return Answer(200, content)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or sys.maxsize), len(content) - 1)
    if start > end:
        return Answer(416, headers={"Content-Range": f"bytes */{len(content)}"})
    shown = {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
    return Answer(206, content[start : end + 1], shown)


_PIECE = 8 * 2**20


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive, as the client expects of a hub
    disable_nagle_algorithm = True  # headers and body go in two writes: 40 ms each otherwise
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        answer = self._begin()
        body = answer.body[: answer.cut]
        for start in range(0, len(body), _PIECE):
            if start:  # a slow hub is slow in the middle of a file too
                self.server.stopping.wait(self.server.hub._delay)
            self.wfile.write(body[start : start + _PIECE])
        if answer.cut is not None and answer.cut < len(answer.body):
            self.close_connection = True

    def do_HEAD(self) -> None:
        self._begin()

    def _begin(self) -> Answer:
        self.server.stopping.wait(self.server.hub._delay)
        answer = self.server.hub.answer(self.command, self.path, self.headers)
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        return answer

    def log_message(self, *args: object) -> None:
        """Quiet: `Hub.requests` is the log."""


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], hub: Hub) -> None:
        super().__init__(address, _Handler)
        self.hub = hub
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # a client that is killed or stopped in the middle is what these tests are about
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster
