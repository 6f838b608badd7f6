"""A server of OpenAI's protocol on loopback, whose answers a test chooses."""

from __future__ import annotations

import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG = {name: math.log(prob) for name, prob in {"sure": 0.75, "less": 0.125, "low": 0.0625}.items()}
WORDS = ((" Rome", "sure", ((" Rome", "sure"), (" Paris", "less"), (" the", "low"))),)
# what a token is, how likely, and what else was
TOKENS = (
    *WORDS,
    (" is", "less", ((" was", "sure"), (" is", "less"), (" has", "low"))),
    (".", "low", (("!", "sure"), (",", "less"), (".", "low"))),
)
TEXT = "".join(text for text, _, _ in TOKENS)


class Answering:
    """The switches of a server, and what was asked of it.

    Attributes:
        models: what it lists; None: it has no such list.
        token: the one that it wants, ``""`` for none.
        refuses: path -> (status, body): what it answers there.
        fields: fields of a request that it answers 400 to.
        renamed: whether it wants ``max_completion_tokens``, and names it where ``max_tokens`` comes.
        chances: whether it tells probabilities.
        lines: the raw lines of its streams, in the place of what it would say.
        cut: after so many events the connection breaks off.
        pause: seconds before each event.
        usage: whether it counts tokens.
        asked: the bodies that came, with their path.
        left: set when a client went away in the middle of a stream.
    """

    def __init__(self) -> None:
        self.models = [{"id": "org/model", "object": "model", "max_model_len": 4096}]
        self.token = ""
        self.refuses = {}
        self.fields = ()
        self.renamed = False
        self.chances = True
        self.lines = None
        self.cut = None
        self.pause = 0.0
        self.usage = True
        self.finish = "length"
        self.kind = "text/event-stream"
        self.asked = []
        self.signed = []
        self.left = threading.Event()
        self.url = ""

    def limit(self, body, otherwise=None):
        """The tokens that are asked for."""
        return body.get("max_completion_tokens" if self.renamed else "max_tokens", otherwise)

    def events(self, body, *, chat):
        """The events of an answer."""
        for text, chance, top in TOKENS[: self.limit(body)]:
            logs = None
            if self.chances and body.get("logprobs"):
                logs = _chat_logs(text, chance, top) if chat else _text_logs(text, chance, top)
            yield _event(text, logs, chat=chat)
        yield _event("", None, chat=chat, finish_reason=self.finish)
        if self.usage:
            written = min(self.limit(body, 99), len(TOKENS))
            counts = {"prompt_tokens": 7, "completion_tokens": written, "total_tokens": 7 + written}
            yield {
                "choices": [],
                "usage": {**counts, "prompt_tokens_details": {"cached_tokens": 4}},
            }


def _event(text, logs, *, chat, finish_reason=None):
    said = {"delta": {"content": text}} if chat else {"text": text}
    return {"choices": [{"index": 0, **said, "logprobs": logs, "finish_reason": finish_reason}]}


def _chat_logs(text, chance, top):
    others = [{"token": one, "logprob": LOG[prob]} for one, prob in top]
    return {"content": [{"token": text, "logprob": LOG[chance], "top_logprobs": others}]}


def _text_logs(text, chance, top):
    others = {one: LOG[prob] for one, prob in top}
    return {"tokens": [text], "token_logprobs": [LOG[chance]], "top_logprobs": [others]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        says = self.server.says
        if self._refuses():
            return
        if says.models is None:
            self._send(404, b"no such page", "text/plain")
        else:
            self._send(200, json.dumps({"object": "list", "data": says.models}).encode())

    def do_POST(self):
        says = self.server.says
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        says.asked.append((self.path, body))
        if self._refuses():
            return
        if says.renamed and "max_tokens" in body:
            said = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead."
            )
            self._send(400, json.dumps({"error": {"message": said}}).encode())
            return
        unknown = [name for name in says.fields if name in body]
        if unknown:
            self._send(400, json.dumps({"error": {"message": f"no {unknown[0]} here"}}).encode())
            return
        if body.get("stream"):
            self._stream(says, body)
            return
        texts = TEXT if says.limit(body) >= len(TOKENS) else TOKENS[0][0]
        choice = {"text": texts, "message": {"role": "assistant", "content": texts}}
        answer = {"id": "", "created": 0, "model": "", "system_fingerprint": "", "usage": None}
        choice |= {"index": 0, "finish_reason": "stop"}
        self._send(200, json.dumps({**answer, "choices": [choice]}).encode())

    def _refuses(self):
        says, path = self.server.says, self.path.partition("/v1/")[2]  # by a proxy: the whole URL
        sent = self.headers.get("authorization", "")
        says.signed.append(sent)
        if says.token and sent != f"Bearer {says.token}":
            # some servers repeat what they got
            self._send(401, json.dumps({"error": {"message": f"wrong key: {sent}"}}).encode())
            return True
        if path in says.refuses:
            status, data = says.refuses[path]
            self._send(status, data if isinstance(data, bytes) else json.dumps(data).encode())
            return True
        return False

    def _stream(self, says, body):
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", says.kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        lines = says.lines
        if lines is None:
            events = says.events(body, chat="chat" in self.path)
            lines = [f"data: {json.dumps(one, ensure_ascii=False)}" for one in events]
            lines += ["data: [DONE]"]
        try:
            for line in lines[: says.cut]:  # a test may put anything in their place
                time.sleep(says.pause)
                data = line if isinstance(line, bytes) else line.encode()
                self._chunk(data + b"\n\n")
            if says.cut is None:
                self._chunk(b"")
        except OSError:
            says.left.set()

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _send(self, status, data, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        if status in range(300, 400):
            self.send_header("location", "http://127.0.0.1:9/v1/models")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    says: Answering

    def handle_error(self, *_):
        """A client that goes away is no news."""


def start() -> tuple[_Server, Answering]:
    """Serve on a port that is free, in a thread; ``shutdown`` and ``server_close`` end it."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.says = Answering()
    server.says.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, server.says
