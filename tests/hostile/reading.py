"""What of a page is text, what would be more than that, and which characters are not to be read."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

TAGS = {
    *(
        "div",
        "p",
        "strong",
        "span",
        "br",
        "img",
        "pre",
        "samp",
        "sub",
        "details",
        "summary",
        "ul",
        "li",
    ),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"class", "style", "src", "alt", "title", "scope", "open", "cellpadding"}
EMPTY = {"br", "img"}
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def unseen(text: str) -> list[str]:
    """The characters that a terminal obeys or does not draw, each with what is before it."""
    at = [at for at, one in enumerate(text) if one not in "\n\t"]
    return [
        ascii(text[max(0, one - 40) : one + 1])
        for one in at
        if unicodedata.category(text[one]) in _UNSEEN
    ]


class Read(HTMLParser):
    """The text of a page, what things in it are called, and what else no page of ours has."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.called: list[str] = []
        self.foreign: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.foreign += [f"{tag} is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what no page of ours has; what a picture is called is text."""
        if tag not in EMPTY:
            self._open.append(tag)
        self.foreign += [tag] if tag not in TAGS else []
        self.foreign += [f"{tag} {name}" for name, _ in attributes if name not in ATTRIBUTES]
        given = dict(attributes)
        if not (given.get("src") or "data:image/png;").startswith("data:image/"):
            self.foreign.append(f"{tag} of {given['src']}")
        self.called += [given.get(name) or "" for name in ("alt", "title")]

    def handle_endtag(self, tag: str) -> None:
        """Note what closes something else."""
        if not self._open or self._open.pop() != tag:
            self.foreign.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Take the text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Note it."""
        self.foreign.append(f"<!--{data}")

    def handle_decl(self, data: str) -> None:
        """Note it."""
        self.foreign.append(f"<!{data}")

    def handle_pi(self, data: str) -> None:
        """Note it."""
        self.foreign.append(f"<?{data}")


def strings(part: object) -> Iterator[str]:
    """Every string that a page, or a part of one, is made of."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, tuple):
        for one in part:
            yield from strings(one)
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from strings(getattr(part, field.name))
