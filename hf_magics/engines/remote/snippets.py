"""Plain huggingface_hub code: what ``.code`` says of a model that is served elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies

from huggingface_hub import constants

from hf_magics.engines.remote.address import Address
from hf_magics.engines.remote.wire import LIMIT, TOKEN, http
from hf_magics.inference.generation.options import Plan
from hf_magics.snippets import Name, Snippet, call, literal, quoted

_BODY_NAMES = ("temperature", "top_p", "frequency_penalty", "presence_penalty")


def body_words(made: Plan, limit: str = LIMIT) -> dict[str, Any]:
    """Return the fields of a request that say how to write; ``limit`` is that of the tokens."""
    words: dict[str, Any] = {limit: made.limit, "temperature": 0.0}
    if made.sampled:
        words["temperature"] = 1.0
    words |= {
        name: value
        for name, value in made.words.items()
        if name in _BODY_NAMES and value is not None
    }
    if made.seed is not None:
        words["seed"] = made.seed
    return words | ({"stop": list(made.stop)} if made.stop else {})


def loading(address: Address, timeout: float) -> Snippet:
    """Return the client; its token is in the environment, and never that of the hub."""
    # where none is set, the client would send the hub's own token to this server
    token = Name(f'os.environ.get("{TOKEN}", "none")')
    made = call("InferenceClient", base_url=address.url, token=token, timeout=timeout)
    imports, lines = _reaching(address)
    return Snippet(
        ("import os", "from huggingface_hub import InferenceClient", *imports),
        (*lines, f"client = {made}"),
    )


def writing(
    model: str,
    made: Plan,
    timeout: float,
    limit: str,
) -> Snippet:
    """Return a completion for each of ``prompts``; the client has no method for these.

    Args:
        model: What the server calls it.
        made: The options.
        timeout: How long the server may send nothing, in seconds.
        limit: What the server calls the limit of tokens.
    """
    words = body_words(made, limit)
    several = made.sequences > 1
    if several and made.seed is not None:
        words["seed"] = Name(f"{made.seed} + number")
    body = {"model": model, "prompt": Name("prompt"), **words}
    loop = f" for number in range({made.sequences})" if several else ""
    return Snippet(
        ("from huggingface_hub.utils import get_session",),
        (
            "def complete(body):",
            "    response = get_session().post(",
            '        f"{client.model}/completions",',
            "        json=body,",
            '        headers={"Authorization": f"Bearer {client.token}"},',
            f"        timeout={timeout},",
            "    )",
            "    response.raise_for_status()",
            '    return response.json()["choices"][0]["text"]',
            "",
            "",
            "texts = [",
            f"    complete({_dict(body)})",
            f"    for prompt in prompts{loop}",
            "]",
        ),
    )


def replying(model: str, made: Plan, limit: str) -> Snippet:
    """Return one reply to ``messages``; ``limit`` is what the server calls that of the tokens."""
    words = body_words(made, limit)
    if limit != LIMIT:  # the client has no argument of that name
        words["extra_body"] = Name(f"{{{quoted(limit)}: {words.pop(limit)}}}")
    made_ = call("client.chat_completion", Name("messages"), model=model, **words)
    return Snippet((), (f"output = {made_}", "texts = [output.choices[0].message.content]"))


def _reaching(address: Address) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what hub's HTTP client needs where it would not reach the server from here."""
    past_proxy = address.loopback and bool(getproxies())
    if not past_proxy and not constants.is_offline_mode():
        return (), ()
    library = http.__name__
    words = "trust_env=False" if address.loopback else ""
    return (
        (f"import {library}", "from huggingface_hub import set_client_factory"),
        (
            "# hub's own client reaches no server offline, and none on this machine past a proxy",
            f"set_client_factory(lambda: {library}.Client({words}))",
        ),
    )


def _dict(body: Mapping[str, Any]) -> str:
    rows = (f"        {quoted(name)}: {literal(value)},\n" for name, value in body.items())
    return "{\n" + "".join(rows) + "    }"
