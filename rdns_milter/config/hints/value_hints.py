"""Suggest how to write a value that cannot be read. It may be in the notation of another program, such as "*@example.com".

Pure. Must never suggest a value that cannot be read. Never raises.

RFC 4632 3.1 (CIDR), RFC 5321 4.1.2 and 4.1.3 (mailboxes, address literals).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network, summarize_address_range
from typing import NamedTuple

from ...net.names import canonical, is_hostname, parse_address, parse_literal
from ...net.networks import parse_network
from ...text.toml import quoted

MAX_TEXT = 300  # characters of a value for which a hint is searched
_MAX_STEPS = 3  # corrections of one value, as in ' "*.example.com",'
_MAX_NETWORKS = 8  # that a range of addresses may need to be suggested as networks
_SHOWN = 260  # characters of a suggested value

NETWORK, NAME, MAILBOX = "network", "name", "mailbox"  # the kinds of values


class Suggestion(NamedTuple):
    """Values to write instead. `words`: the condition under which they are right, or ""; `alternatives`: True if only one of them
    is to be written."""

    values: tuple[str, ...]
    words: str
    alternatives: bool = False

    def __str__(self) -> str:
        shown = " or ".join(map(_quoted, self.values)) if self.alternatives else _shown(self.values)
        return f"{self.words} write {shown}".strip()


def _quoted(value: str) -> str:
    return quoted(value, _SHOWN)


def _shown(values: tuple[str, ...]) -> str:
    return _quoted(values[0]) if len(values) == 1 else f"[{', '.join(map(_quoted, values))}]"


Form = Callable[[str], Suggestion | None]
Read = Callable[[str], object]


def hint(text: str, kind: str, read: Read) -> str:
    """Return the end of the message about a value that `read` refuses with ValueError; "" if there is no hint."""
    if len(text) > MAX_TEXT:
        return ""
    if text.strip() in _ANYTHING and kind != NETWORK:
        return "; to match anything leave the condition out"
    found = _other_kind(text, kind) or _written_otherwise(text, kind, read) or _wildcard(text, kind)
    return f"; {found}" if found else ""


def _written_otherwise(text: str, kind: str, read: Read) -> str:
    """Return a hint for a value that is in another notation, or that is right for another condition."""
    found = _searched(text, _FORMS[kind], read)
    if found:
        return str(found)
    if kind != MAILBOX and "@" in text:
        return 'mailboxes are tested by the conditions "mailfrom" and "rcpt"'
    if kind == NETWORK:
        name = (
            (text,)
            if _readable((text,), _read_domain)
            else getattr(_searched(text, _FORMS[NAME], _read_domain), "values", ())
        )
        return f"names are tested by other conditions: ptr = {_shown(name)}" if name else ""
    network = _searched(text, _FORMS[NETWORK], parse_network)
    return f"networks are tested by another condition: client = {_shown(network.values)}" if network else ""


def _wildcard(text: str, kind: str) -> str:
    if "*" not in text and "?" not in text:
        return ""
    example = (
        'a network such as "192.0.2.0/24"'
        if kind == NETWORK
        else 'a suffix such as ".example.com" for all names below it'
    )
    return f"wildcards are not possible: write {example}"


_ANYTHING = frozenset(
    ("*", "**", "*.*", ".*", "%", "@", "*@", "@*", "*@*", "*@*.*", ".*@.*", ".", "all", "any", "ALL", "ANY")
)


def _searched(text: str, forms: Iterable[Form], read: Read) -> Suggestion | None:
    """Correct the text step by step until it can be read."""
    texts = [text]
    for step in range(_MAX_STEPS):
        following: list[str] = []
        for each in texts:
            for suggestion in filter(None, (form(each) for form in forms)):
                if _readable(suggestion.values, read):
                    # The last of several corrections alone would not explain the whole.
                    return suggestion._replace(words="") if step and len(suggestion.values) == 1 else suggestion
                if len(suggestion.values) == 1:
                    following.append(suggestion.values[0])
        texts = list(dict.fromkeys(following))
    return None


def _readable(values: Iterable[str], read: Read) -> bool:
    try:
        for value in values:
            read(value)
    except ValueError:
        return False
    return True


def _other_kind(text: str, kind: str) -> str:
    """Return a hint for a value that is right for another condition; "" if it is not."""
    text = text.strip()
    if kind != NETWORK and (parse_literal(text) or parse_address(text) or _readable((text,), parse_network)):
        return 'addresses and networks are tested by the condition "client"'
    if kind == NETWORK and text.lower() in ("localhost", "localhost."):
        return 'for this host write ["127.0.0.0/8", "::1"]'
    return ""


def _read_domain(text: str) -> None:
    name = canonical(text.removeprefix("."))
    if not is_hostname(name) or "." not in name:
        raise ValueError


def _form(pattern: str, *values: str, words: str = "", alternatives: bool = False) -> Form:
    """Return a function that suggests the values for a text that matches the pattern. The values may refer to groups of the
    pattern."""
    compiled = re.compile(rf"(?:{pattern})\Z", re.IGNORECASE | re.DOTALL)

    def apply(text: str) -> Suggestion | None:
        match = compiled.match(text)
        if match is None:
            return None
        found = tuple(match.expand(value) for value in values)
        return None if found == (text,) else Suggestion(found, words, alternatives)

    return apply


def _several(text: str) -> Suggestion | None:
    pieces = tuple(piece for piece in re.split(r"[\s,;|]+", text.strip("()[]{}")) if piece)
    return Suggestion(pieces, "for several values") if len(pieces) > 1 else None


def _regular_expression(text: str) -> Suggestion | None:
    """Suggest the name that a simple regular expression stands for: r"/^(.*\\.)?example\\.com$/"."""
    if not re.search(r"\A[/^]|[$/]i?\Z|\\|\.\*|\(", text):
        return None
    inner = re.sub(r"\A/|/[a-z]*\Z", "", text).removeprefix("^").removesuffix("$").replace("\\", "")
    optional = re.match(r"\((?:\?:)?(?:\.\*|\.\+)\.\)\?(.+)\Z|\(\^\|\.\)(.+)\Z", inner)
    if optional:
        name = optional[1] or optional[2]
        return Suggestion((name, f".{name}"), "regular expressions are not possible here:")
    name = re.sub(r"\A(?:\.[*+])*@", "", inner)
    name = re.sub(r"\A(?:\.[*+])+\.?", ".", name)
    return Suggestion((name,), "regular expressions are not possible here:")


_SUFFIX = "for all names below a domain"
_COMMON: tuple[Form, ...] = (
    _form(r"\s*(\S(?:.*\S)?)\s*", r"\1", words="without blanks at its ends"),
    _form(r"['\"`\u2018-\u201f](.*)['\"`\u2018-\u201f][,;]?", r"\1", words="without further quotes"),
    _form(r"(.+)[,;]", r"\1", words="without the mark at its end"),
    _form(r"(?:.*[\s\"])?<\s*([^<>]+?)\s*>", r"\1", words="without angle brackets"),
    _form(r"<?([^<>]+)>?", r"\1", words="without angle brackets"),
    _form(r"[a-z][a-z0-9+.-]*://(?:[^/@]*@)?([^/:?#]+).*", r"\1", words="without scheme and path"),
    _form(r"(?!\[|[0-9a-f]{0,4}:[0-9a-f]{0,4}:)[a-z][a-z0-9]{0,11}[:=]\s*(.+)", r"\1", words="without the word before it"),
    _form(r"(.+?)/+", r"\1", words="without the slash"),
    _form(r"([^:]+|\[.+\]):\d{1,5}", r"\1", words="without the port"),
    _form(r"([^\s#]+)#.*", r"\1", words="without the comment"),
    _form(
        r"(\S+)\s+(?:ok|reject|dunno|relay|permit|accept|allow|deny|discard|defer|tempfail|hold|block|yes|true|1)\b.*",
        r"\1",
        words="without an action",
    ),
    _form(r"(?:!|~|not\s)\s*(.+)", r"\1", words='for an exception use "unless": there'),
)  # fmt: skip

_FORMS: dict[str, tuple[Form, ...]] = {}
_FORMS[NAME] = (
    _form(r"[*%]([a-z0-9][^*?%@]*\.[^*?%@]+)", r"\1", r".\1", words="for a domain and all names below it"),
    _form(r"\.?(?:[^.@/\\]*[*?%][^.@/\\]*\.)+([^*?%@/\\]+)", r".\1", words=_SUFFIX),
    _form(r"\.{2,}(.+)", r".\1", words=_SUFFIX),
    _form(r"(.+?)\.{2,}", r"\1", words="without the dots at its end"),
    _form(r"@(\.?[^@]+)", r"\1", words="without @"),
    _form(r"\[(.+)\]", r"\1", words="without brackets"),
    *_COMMON,
    _regular_expression,
    _several,
)
_FORMS[MAILBOX] = (
    _form(r"\s*|<\s*>|null|<null>|none|empty", "<>", words="for the null sender"),
    _form(r"(?:[*%+]|\.\*|\*\.\*)?@(?:\*?\.)+([^@*]+)", r".\1", words="for all mailboxes below a domain"),
    _form(r"(?:[*%+]|\.\*|\*\.\*)?@([^@*]+)", r"\1", words="for all mailboxes of a domain"),
    _form(r"([^*?%@\s]+)@(?:\*|\*\.\*|\.|%)", r"\1@", words="for this local part in any domain"),
    _form(
        r"([^*?%@\s]+)@(?:[^.@]*\*[^.@]*\.|\.)+([^@*]+)",
        r"\1@",
        r".\2",
        words="a local part and a suffix cannot be combined:",
        alternatives=True,
    ),
    _form(r"[^@]*[*?%^$|\[\]{}][^@]*@(?:\*\.|\.)([^@*]+)", r".\1", words="for all mailboxes below a domain"),
    _form(r"[^@]*[*?%^$|\[\]{}][^@]*@([^@*]+)", r"\1", words="for all mailboxes of a domain"),
    _form(r"(\S+)\s*@\s*(\S+)", r"\1@\2", words="without blanks"),
    _form(r"([^@]+@)\[?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]*:[0-9a-f:.]+)\]?", r"\1[\2]", words="for an address literal"),
    *_FORMS[NAME],
)  # fmt: skip


def _networks(text: str) -> Iterator[tuple[str, ...]]:
    """Yield networks that the text may denote."""
    first, sign, last = (part.strip() for part in re.sub("[\u2013\u2014]|\\.\\.+", "-", text).partition("-"))
    if sign and last:
        yield _range(first, f"{first.rpartition('.')[0]}.{last}" if last.isdecimal() else last)
    octets = re.match(r"((?:[0-9]{1,3}\.){0,2}[0-9]{1,3})(?:\.[*x]?)*(?:/[0-9]{1,2})?\Z", text, re.IGNORECASE)
    if octets:
        known = [str(int(octet)) for octet in octets[1].split(".")]
        yield (f"{'.'.join(known + ['0'] * (4 - len(known)))}/{8 * len(known)}",)
    groups = re.match(r"([0-9a-f]{1,4}(?::[0-9a-f]{1,4}){1,6}):{0,2}(?:\*:?)*\Z", text, re.IGNORECASE)
    if groups:
        yield (f"{groups[1]}::/{16 * (groups[1].count(':') + 1)}",)
    if re.match(r"[0-9.]+(?:\s+|\s*/\s*)[0-9.]+\Z", text):
        yield (_masked(re.sub(r"\s+|\s*/\s*", "/", text)),)
    if re.match(r"0*[0-9]+(?:\.0*[0-9]+){3}(?:/[0-9]+)?\Z", text):
        yield (re.sub(r"(?<![0-9])0+(?=[0-9])", "", text),)


def _range(first: str, last: str) -> tuple[str, ...]:
    begin, end = parse_address(first), parse_address(last)
    if begin is None or end is None or begin.version != end.version or int(begin) > int(end):
        return ()
    found = []
    for network in summarize_address_range(begin, end):
        found.append(str(network) if network.num_addresses > 1 else str(network.network_address))
        if len(found) > _MAX_NETWORKS:
            return ()
    return tuple(found)


def _masked(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def _network_form(text: str) -> Suggestion | None:
    for values in _networks(text):
        if values and _readable(values, parse_network):
            return Suggestion(values, "for such a network" if "/" in "".join(values) else "for such an address")
    return None


_FORMS[NETWORK] = (
    _form(r"\*(?:\.\*)*|all|any|\*/\*|0/0|::", "0.0.0.0/0", "::/0", words="for all addresses"),
    _network_form,
    _form(r"\[(?:ipv6:)?([^\[\]]+)\](?:/\d+|:\d+)?", r"\1", words="without brackets"),
    _form(r"\[([^\[\]]+)\](/\d+)", r"\1\2", words="without brackets"),
    _form(r"([^%]+)%\w+", r"\1", words="without the zone"),
    _form(r"ipv6:(.+)", r"\1", words="without the word before it"),
    *_COMMON,
    _several,
)
