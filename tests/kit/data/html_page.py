"""Parse a page of HTML into tags, texts, and numbers with their places in the JSON output."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """A parsed page. `tags`: with their attributes; `open`: tags that were not closed; `numbers`: by their `data-n`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.numbers: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._key = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self._key = dict(attrs).get("data-n") or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._key = ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._key:
            self.numbers.append((self._key, data))


def at(found: Any, key: str) -> Any:
    """Return the value at a place in the document."""
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    return found


def check_numbers(html: str, found: dict[str, Any]) -> int:
    """Check every number of the page against the document; return how many there are."""
    numbers = Page(html).numbers
    for key, text in numbers:
        assert int(text.replace(",", "")) == at(found, key), key
    return len(numbers)
