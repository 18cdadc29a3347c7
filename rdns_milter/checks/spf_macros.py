"""Expand the macros of SPF records, and turn the results into names that DNS can be asked for.

Pure: makes no lookup; spf_evaluation.py finds the validated names for %{p}. Takes time linear in the length of its input, because
records are untrusted and the event loop is blocked meanwhile.

RFC 7208 7 (macros), 4.3 (domains that are evaluated), RFC 8616 4 (local parts outside ASCII).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from ..net.names import MAX_NAME, Address, canonical

# Letters whose value can differ between messages of the same client and domain. The receiver can, because several MTAs can share
# one milter.
MESSAGE_SPECIFIC = frozenset("slhtr")
# Allowed only in the text of an explanation (RFC 7208 7.2).
TEXT_ONLY = frozenset("crt")

_MACRO = re.compile(
    r"%(?:(?P<literal>[%_-])"
    r"|\{(?P<letter>[slodiphcrtv])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[.+,/_=-]*)\})"
    r"|%",
    re.IGNORECASE | re.ASCII,
)
_LITERALS = {"%": "%", "_": " ", "-": "%20"}
# domain-end (RFC 7208 7.1) without a macro: a top label, which is not a number and has no hyphen at either end.
_TOP_LABEL = re.compile(r"\.(?![0-9]+\.?\Z)[0-9a-z](?:[0-9a-z-]*[0-9a-z])?\.?\Z", re.IGNORECASE | re.ASCII)
_INVISIBLE = re.compile(r"[^!-~]")
_LABEL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,63}\Z")
_ASKABLE = re.compile(r"(?:[ -\-/-~]{1,63}\.)*[ -\-/-~]{1,63}\Z")  # printable ASCII, labels of 1 to 63 bytes
_ESCAPE = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)
MAX_EXPANSION = 8192  # characters of the expanded macros of one term
_HELO_LENGTH = 255  # characters of the HELO name in %{h}


class MacroError(ValueError):
    """The text is not a valid macro-string."""


def macro_values(address: Address, local: str, domain: str, helo: str, receiver: str = "") -> dict[str, str]:
    """Return the values of the macro letters for one message, except `d`, `p` and `t`, which depend on the evaluation.

    A HELO name that is missing or not printable is "unknown", so that it cannot break the sender's record. So is a receiver whose
    name is not fully qualified (RFC 7208 7.3).
    """
    helo = helo[:_HELO_LENGTH]
    if not helo.isascii():
        helo = canonical(helo)
    is_ipv6, client = address.version == 6, str(address)
    return {
        "s": f"{local}@{domain}",
        "l": local,
        "o": domain,
        "i": ".".join(address.exploded.replace(":", "").upper()) if is_ipv6 else client,
        "v": "ip6" if is_ipv6 else "in-addr",
        "h": helo if helo and helo.isprintable() else "unknown",
        "c": client,
        "r": (receiver if receiver.isascii() else canonical(receiver)) if is_domain(canonical(receiver)) else "unknown",
    }


def validated_name(domain: str, names: Sequence[str]) -> str:
    """Return the value of `p` (RFC 7208 7.3): the domain if it is one of the client's validated names; else the first validated
    name below the domain; else the first validated name; else "unknown"."""
    below = [name for name in names if name.endswith(f".{domain}")]
    return domain if domain in names else (below or names or ["unknown"])[0]


def expand(text: str, value: Callable[[str], str]) -> str:
    """Return the text with its macros expanded. `value`: returns the value of a lower-case letter.

    Raises MacroError for an invalid macro, and if the values have more than MAX_EXPANSION characters.
    """
    length = 0

    def replacement(macro: re.Match[str]) -> str:
        nonlocal length
        if macro["literal"]:
            return _LITERALS[macro["literal"]]
        if not macro["letter"]:
            raise MacroError(f"not a macro: {text[macro.start() : macro.start() + 20]}")
        expansion = value(macro["letter"].lower())
        length += len(expansion)
        if length > MAX_EXPANSION:
            raise MacroError("macros that expand too far")
        expansion = _transformed(expansion, macro)
        # A value outside ASCII is not escaped: it must not match any name, and escaped it would be a valid one (RFC 8616 4).
        return quote(expansion, safe="~") if macro["letter"].isupper() and expansion.isascii() else expansion

    return _MACRO.sub(replacement, text)


def _transformed(value: str, macro: re.Match[str]) -> str:
    """Apply the transformers of a macro: split at the delimiters, reverse, keep the last parts, join with dots (RFC 7208 7.3)."""
    digits, reverse, delimiters = macro["digits"], macro["reverse"], macro["delimiters"] or "."
    if not digits and not reverse and not macro["delimiters"]:
        return value
    for delimiter in delimiters[1:]:
        value = value.replace(delimiter, delimiters[0])
    parts = value.split(delimiters[0])
    if reverse:
        parts.reverse()
    if digits:
        count = int(digits)
        if not count:
            raise MacroError("a macro that keeps no part")
        parts = parts[-count:]
    return ".".join(parts)


def check_macros(text: str, in_domain: bool) -> None:
    """Raise MacroError unless the text is a valid macro-string (RFC 7208 7.1). `in_domain`: it is a domain-spec, which excludes
    some letters (7.2)."""
    if _INVISIBLE.search(text):
        raise MacroError("Invalid character found")
    for macro in _MACRO.finditer(text) if "%" in text else ():
        letter = macro["letter"]
        if not letter and not macro["literal"]:
            raise MacroError("Invalid macro")
        if letter and in_domain and letter.lower() in TEXT_ONLY:
            raise MacroError(f"%{{{letter}}} is for explanations only")
        if macro["digits"] and not macro["digits"].strip("0"):
            raise MacroError("A macro that keeps no part")


def ends_in_domain(text: str) -> bool:
    """Return whether a macro-string ends in a domain-end (RFC 7208 7.1): a macro or a top label."""
    if _TOP_LABEL.search(text):
        return True
    # Scan from the start: the "%" of an apparent macro at the end can be the second half of "%%".
    return "%" in text and [macro.end() for macro in _MACRO.finditer(text)][-1] == len(text)


def cut_to_name(text: str) -> str:
    """Return the name of an expanded domain-spec: without a final dot, shortened to 253 characters by removing labels on the left
    (RFC 7208 7.3)."""
    text = text.removesuffix(".")
    if len(text) <= MAX_NAME:
        return text
    dot = text.find(".", len(text) - MAX_NAME - 1)
    return text[dot + 1 :]


def name_to_ask(text: str) -> str:
    """Return a name without a final dot in the form of a Question. "" if it cannot or should not be asked: such a name counts as
    nonexistent."""
    name = text.lower()
    return name if len(name) <= MAX_NAME and _ASKABLE.match(name) else ""


def name_in_answer(text: str) -> str:
    """Return the name in a PTR or MX value, without its escapes, in the form of a Question; "" as in `name_to_ask`."""
    return name_to_ask(_ESCAPE.sub(_octet, text) if "\\" in text else text)


def _octet(escape: re.Match[str]) -> str:
    octet = chr(int(escape[1])) if len(escape[1]) == 3 else escape[1]
    return "\0" if octet == "." else octet  # a dot inside a label, which a Question cannot express


def is_domain(name: str) -> bool:
    """Return whether SPF is evaluated for a canonical name (RFC 7208 4.3).

    It needs two labels or more and must not be an address. Labels can contain more characters than those of host names, because a
    wildcard record covers such names too.
    """
    if len(name) > MAX_NAME:
        return False
    labels = name.split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and all(_LABEL.match(label) for label in labels)
