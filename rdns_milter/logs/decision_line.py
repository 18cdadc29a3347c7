"""Write a decision as one log line, and read the line back. It holds every fact that the verdict depends on, so that an old log can
be judged by a new policy.

Pure: no files, no sockets, no clock. Must never raise, and never let text from the network end a line or pass for a key. Therefore
a line is printable ASCII whatever the client sent, and only a line that begins like the milter's own is read as one.

packaging/doc/log.md; RFC 8259 section 8.1 and RFC 7493 section 2.1 (text in JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Set
from types import MappingProxyType
from typing import Any

from ..policy.rules import ACTIONS
from .decision_keys import KEYS, LATER, NONE, TEXTS, WORDS, Decision, Value, values
from .escapes import BARE_CHARACTER, as_unicode, from_unicode, quoted, unquoted
from .line_prefix import prefix_pattern

MAX_LINE = 4095  # bytes; a line with its newline is written to a pipe in one piece (PIPE_BUF)
# If a line is too long, for example because of escapes, the limits of all texts are divided by these numbers in turn. With the
# last one every line fits, even at 24 bytes for a character.
_SHARES = (1, 2, 4, 8, 16, 32)
_ACTIONS = frozenset(ACTIONS)


def line(
    decision: Decision,
    format: str = "logfmt",  # noqa: A002 (the name of the option)
    without: Set[str] = frozenset(),
) -> str:
    """Return the line without its newline: at most MAX_LINE bytes of printable ASCII. `format`: "logfmt" or "json"; `without`: keys
    to leave out."""
    text = ""
    for share in _SHARES:
        found = values(decision, share)
        for key in without:
            del found[key]
        text = _FORMATS[format](found)
        if len(text) <= MAX_LINE:
            break
    return text


def _logfmt(values: Mapping[str, Value]) -> str:
    # Numbers and words need neither quotes nor escapes.
    return " ".join(
        [
            f"{key}={value if type(value) is int or key in WORDS else NONE if value is None else quoted(str(value), NONE)}"
            for key, value in values.items()
        ]
    )


def _json(values: Mapping[str, Value]) -> str:
    """Return a JSON object with null for absent values, and text that is valid Unicode."""
    return json.dumps({key: as_unicode(value) for key, value in values.items()}, separators=(",", ":"))


_FORMATS: Mapping[str, Callable[[Mapping[str, Value]], str]] = MappingProxyType({"logfmt": _logfmt, "json": _json})


# Reading back. The program's name before the line must be the milter's; journalctl's with-unit writes the unit's name instead.
_PREFIX = prefix_pattern(r"rdns-milter(?:\.service)?")
# Possessive quantifiers: the time is linear in the length of a hostile line.
_VALUE = rf'"[ !#-\[\]-~]*+(?:\\[ -~][ !#-\[\]-~]*+)*+"|{BARE_CHARACTER}*+'
_PAIRS = (f"(?: {key}=({_VALUE}))?" if key in LATER else f" {key}=({_VALUE})" for key in KEYS)
_WHOLE = re.compile(_PREFIX + "".join(_PAIRS).removeprefix(" "))
_START = re.compile(_PREFIX + r'(?=action=|(\{"action":))')
_PAIR = re.compile(rf"([a-z][a-z0-9_]*+)=({_VALUE})( |\Z)")
# What a decision is found by.
NAMES = ("qid", "client", "helo_name", "mailfrom", "rcpt", "ptr", "via")
_NAME_GROUPS = tuple(KEYS.index(key) + 1 for key in NAMES)
# The rest of a pair where a log daemon has cut the line.
_STUMP = re.compile(r'(?:[a-z][a-z0-9_]*+(?:="[ !#-\[\]-~]*+(?:\\[ -~][ !#-\[\]-~]*+)*+\\?)?)?\Z')


def parse(text: str) -> dict[str, str] | None:
    """Return the keys and values of one line of a log, with or without a log daemon's prefix; None if it is no decision.

    Values are unescaped. Absent texts (TEXTS) are "", and absent facts "none". Of a line that was cut, the keys that are complete
    are returned. Unknown keys, of newer versions, are kept. For the parts of `rcpt` see logged_evidence.rcpts_of."""
    if "action" not in text:
        return None
    text = text.rstrip("\r\n")
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        pairs = zip(KEYS, whole.groups(), strict=True)
        fields: dict[str, str] | None = _plain({key: value for key, value in pairs if value is not None}, text)
    elif (start := _START.match(text)) is not None:
        fields = _from_json(text[start.end() :]) if start[1] else _piecemeal(text, start.end())
    else:
        return None
    # Callers rely on these two keys.
    return fields if fields and fields.get("action") in _ACTIONS and "rule" in fields else None


def parse_names(text: str) -> Mapping[str, str] | None:
    """Return at least the keys of NAMES and their values, in half the time that `parse` takes; None if it is no decision."""
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return parse(text)
    values = ["" if each is None or each == NONE else each for each in whole.group(*_NAME_GROUPS)]
    if '"' in "".join(values) or whole[1] not in _ACTIONS or not values[0]:  # `none` is a text, not an absent queue id
        return parse(text)
    return dict(zip(NAMES, values, strict=True))


def _plain(fields: dict[str, str], text: str) -> dict[str, str]:
    """Remove quotes and escapes from the values; an absent text, which is `none`, becomes ""."""
    for key in TEXTS:
        if fields.get(key) == NONE:
            fields[key] = ""
    quotes = text.count('"')
    if not quotes:
        return fields
    # In most lines only the reply is quoted.
    alone = quotes == 2 and fields.get("reply", "")[:1] == '"'
    for key in ("reply",) if alone else tuple(fields):
        value = fields[key]
        if value[:1] == '"':
            fields[key] = unquoted(value) if "\\" in value else value[1:-1]
    return fields


def _piecemeal(text: str, at: int) -> dict[str, str] | None:
    """Read a line with other keys or another order than KEYS; None if it does not consist of pairs, or has a key twice."""
    fields: dict[str, str] = {}
    key, value, ended = "", "", " "
    while (pair := _PAIR.match(text, at)) is not None:
        key, value, ended = pair.groups()
        if key in fields:
            return None
        fields[key] = value
        at = pair.end()
    if not _STUMP.match(text, at):
        return None
    if not ended and "reply" not in fields and value[:1] != '"':
        del fields[key]  # the last value may be cut
    return _plain(fields, text)


def _from_json(text: str) -> dict[str, str] | None:
    try:
        loaded = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    return {
        key: "" if value is None else from_unicode(str(value))
        for key, value in loaded.items()
        if value is None or isinstance(value, str | int | float)
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that has each key once. Raises ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found
