"""The macros of an SPF record, and the names that come of them: what DNS is asked for on behalf of a sender.

Pure: asks nothing. Linear in the length of what it reads, since a record is hostile and the event loop waits meanwhile.

RFC 7208 7 (macros), 4.3 (which domains are evaluated at all), RFC 8616 4 (local parts outside ASCII).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from ..net.names import MAX_NAME, Address, canonical

# Whose value differs from message to message, though client and domain are the same. The receiver is one of several MTAs
# that one milter may serve.
MESSAGE_SPECIFIC = frozenset("slhtr")
# RFC 7208 7.2: in the text of an explanation only.
TEXT_ONLY = frozenset("crt")

_MACRO = re.compile(
    r"%(?:(?P<literal>[%_-])"
    r"|\{(?P<letter>[slodiphcrtv])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[.+,/_=-]*)\})"
    r"|%",
    re.IGNORECASE | re.ASCII,
)
_LITERALS = {"%": "%", "_": " ", "-": "%20"}
# domain-end (RFC 7208 7.1) where no macro ends the domain-spec: a top label, which is no number and has no hyphen at its edges.
_TOP_LABEL = re.compile(r"\.(?![0-9]+\.?\Z)[0-9a-z](?:[0-9a-z-]*[0-9a-z])?\.?\Z", re.IGNORECASE | re.ASCII)
_INVISIBLE = re.compile(r"[^!-~]")
_LABEL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,63}\Z")
_ASKABLE = re.compile(r"(?:[ -\-/-~]{1,63}\.)*[ -\-/-~]{1,63}\Z")  # printable octets, labels of 1 to 63
_ESCAPE = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)
MAX_EXPANSION = 8192  # characters that the macros of one term may put in
_HELO_LENGTH = 255  # characters of a greeting that %{h} stands for


class MacroError(ValueError):
    """A text that is no macro-string."""


def values(address: Address, local: str, domain: str, helo: str, receiver: str = "") -> dict[str, str]:
    """What the letters stand for in one message; `d`, `p` and `t` are left to whoever knows. A greeting that is missing, or
    cannot be a name, is "unknown": what a client leaves out must not break the sender's record. So is a receiver whose name
    is not fully qualified (RFC 7208 7.3)."""
    greeting = helo[:_HELO_LENGTH]
    if not greeting.isascii():
        greeting = canonical(greeting)
    six = address.version == 6
    return {
        "s": f"{local}@{domain}",
        "l": local,
        "o": domain,
        "i": ".".join(address.exploded.replace(":", "").upper()) if six else str(address),
        "v": "ip6" if six else "in-addr",
        "h": greeting if greeting and greeting.isprintable() else "unknown",
        "c": str(address),
        "r": (receiver if receiver.isascii() else canonical(receiver)) if is_domain(canonical(receiver)) else "unknown",
    }


def expand(text: str, value: Callable[[str], str]) -> str:
    """The text with its macros replaced; `value` gives what a (lower case) letter stands for. Raises MacroError, also for
    what becomes longer than MAX_EXPANSION."""
    length = 0

    def replacement(macro: re.Match[str]) -> str:
        nonlocal length
        if macro["literal"]:
            return _LITERALS[macro["literal"]]
        if not macro["letter"]:
            raise MacroError(f"no macro: {text[macro.start() : macro.start() + 20]}")
        worth = value(macro["letter"].lower())
        length += len(worth)
        if length > MAX_EXPANSION:
            raise MacroError("macros that expand too far")
        worth = _transformed(worth, macro)
        # What is outside ASCII stays so, and then names nothing: escaped, it would be another name (RFC 8616 4).
        return quote(worth, safe="~") if macro["letter"].isupper() and worth.isascii() else worth

    return _MACRO.sub(replacement, text)


def _transformed(worth: str, macro: re.Match[str]) -> str:
    """RFC 7208 7.3: split at the delimiters, reversed, the last few parts, joined with dots."""
    digits, reverse, delimiters = macro["digits"], macro["reverse"], macro["delimiters"] or "."
    if not digits and not reverse and not macro["delimiters"]:
        return worth
    for delimiter in delimiters[1:]:
        worth = worth.replace(delimiter, delimiters[0])
    parts = worth.split(delimiters[0])
    if reverse:
        parts.reverse()
    if digits:
        count = int(digits)
        if not count:
            raise MacroError("a macro that uses no part")
        parts = parts[-count:]
    return ".".join(parts)


def check_macros(text: str, in_domain: bool) -> None:
    """Check that a text is a macro-string (RFC 7208 7.1) whose letters are allowed: all of them, but in a domain-spec only those
    of 7.2. Raises MacroError."""
    if _INVISIBLE.search(text):
        raise MacroError("Invalid character found")
    for macro in _MACRO.finditer(text) if "%" in text else ():
        letter = macro["letter"]
        if not letter and not macro["literal"]:
            raise MacroError("Invalid macro")
        if letter and in_domain and letter.lower() in TEXT_ONLY:
            raise MacroError(f"%{{{letter}}} is for explanations only")
        if macro["digits"] and not macro["digits"].strip("0"):
            raise MacroError("A macro that uses no part")


def ends_in_domain(text: str) -> bool:
    """Whether a macro-string ends in a domain-end (RFC 7208 7.1): a macro or a top label."""
    if _TOP_LABEL.search(text):
        return True
    # What looks like a macro at the end may begin with the second half of "%%".
    return "%" in text and [macro.end() for macro in _MACRO.finditer(text)][-1] == len(text)


def cut_to_name(text: str) -> str:
    """An expanded domain-spec as the name that is asked for: no final dot, at most 253 characters, by leaving out labels
    on the left (RFC 7208 7.3)."""
    text = text.removesuffix(".")
    if len(text) <= MAX_NAME:
        return text
    dot = text.find(".", len(text) - MAX_NAME - 1)
    return text[dot + 1 :]


def name_to_ask(text: str) -> str:
    """The name, which has no final dot any more, as a question has it; "" if DNS cannot hold it, or should not be asked for it:
    then it does not exist."""
    name = text.lower()
    return name if len(name) <= MAX_NAME and _ASKABLE.match(name) else ""


def name_in_answer(text: str) -> str:
    """The name to ask for that a value of an answer (PTR, MX) means, its escapes undone; "" as `name_to_ask`."""
    return name_to_ask(_ESCAPE.sub(_octet, text) if "\\" in text else text)


def _octet(escape: re.Match[str]) -> str:
    octet = chr(int(escape[1])) if len(escape[1]) == 3 else escape[1]
    return "\0" if octet == "." else octet  # a dot inside a label: no question can say so


def is_domain(name: str) -> bool:
    """Whether a canonical name is evaluated at all (RFC 7208 4.3): two labels or more, of what RFC 5321 and DNS let
    stand in a domain (more than a host name has: a wildcard record speaks for odd names too), and no address."""
    if len(name) > MAX_NAME:
        return False
    labels = name.split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and all(_LABEL.match(label) for label in labels)
