"""The grammar of SPF records for the reference evaluator: one function for each rule of RFC 7208 section 12, from the bottom up.

Where a rule is ambiguous, all readings are tried. Shares no code with `rdns_milter.checks.spf` or with pyspf. A record of more than
4096 bytes, or with a term of more than 512 bytes, is an error, as the milter documents.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass, field

ALPHA, DIGIT = frozenset(string.ascii_letters), frozenset(string.digits)
VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
UNRESERVED = ALPHA | DIGIT | frozenset("-._~")  # RFC 3986 2.3
MAX_RECORD, MAX_TERM = 4096, 512
RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class PermError(Exception):
    """The result of check_host() is permerror."""


def splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield every division of a text into two parts."""
    for index in range(len(text) + 1):
        yield text[:index], text[index:]


def is_macro_body(text: str) -> bool:
    """The inside of macro-expand: macro-letter transformers *delimiter; the number of parts must not be zero (7.3)."""
    if text[:1].lower() not in tuple("slodiphcrtv"):
        return False
    digits = text[1:]
    rest = digits.lstrip(string.digits)
    number = digits[: len(digits) - len(rest)]
    if number and set(number) == {"0"}:
        return False
    if rest[:1] in ("r", "R"):
        rest = rest[1:]
    return set(rest) <= set(".-+,/_=")


def pieces(text: str) -> list[str] | None:
    """Divide a macro-string into macro-expands and single literals. Return None if it is not a macro-string."""
    found = []
    index = 0
    while index < len(text):
        if text[index] != "%":
            piece = text[index]
            if piece not in VISIBLE:
                return None
        elif text[index + 1 : index + 2] in ("%", "_", "-"):
            piece = text[index : index + 2]
        else:
            closing = text.find("}", index)
            piece = text[index : closing + 1]
            if closing < 0 or piece[1:2] != "{" or not is_macro_body(piece[2:-1]):
                return None
        found.append(piece)
        index += len(piece)
    return found


def is_macro_expand(text: str) -> bool:
    return text.startswith("%") and pieces(text) == [text]


def is_toplabel(text: str) -> bool:
    """toplabel: ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )"""
    if not text or not set(text) <= ALPHA | DIGIT | {"-"} or "-" in (text[0], text[-1]):
        return False
    return bool(set(text) & ALPHA) or "-" in text


def is_domain_end(text: str) -> bool:
    if is_macro_expand(text):
        return True
    return text.startswith(".") and (is_toplabel(text[1:]) or (text.endswith(".") and is_toplabel(text[1:-1])))


def is_domain_spec(text: str) -> bool:
    """domain-spec: macro-string domain-end, without the letters that 7.2 allows in explanations only."""
    for head, end in splits(text):
        if is_domain_end(end) and (parts := pieces(head)) is not None:
            return not any(part[:2] == "%{" and part[2] in "crtCRT" for part in [*parts, end])
    return False


def cidr(text: str, largest: int) -> int | None:
    """Return the number of a cidr-length with its slash; `largest` for an empty text; None for a syntax error."""
    if not text:
        return largest
    digits = text[1:]
    if text[0] != "/" or not digits or not set(digits) <= DIGIT or (digits[0] == "0" and digits != "0"):
        return None
    return int(digits) if len(digits) <= 3 and int(digits) <= largest else None


def dual_cidr(text: str) -> tuple[int, int] | None:
    """Return the lengths of dual-cidr-length, [ ip4-cidr-length ] [ "/" ip6-cidr-length ]; None for a syntax error."""
    for head, tail in splits(text):
        four = cidr(head, 32)
        six = cidr(tail[1:], 128) if tail[:2] == "//" else 128 if not tail else None
        if four is not None and six is not None:
            return four, six
    return None


def ip4(text: str) -> int | None:
    """Return an ip4-network as a number; None for a syntax error."""
    parts = text.split(".")
    if len(parts) != 4:
        return None
    value = 0
    for part in parts:
        if not part or not set(part) <= DIGIT or len(part) > 3 or (part[0] == "0" and part != "0") or int(part) > 255:
            return None
        value = value * 256 + int(part)
    return value


def ip6(text: str) -> int | None:
    """Return an ip6-network as a number (RFC 4291 2.2); None for a syntax error."""
    if text.count("::") > 1 or ":::" in text:
        return None
    head, dots, tail = text.rpartition(":")
    if "." in tail:
        last = ip4(tail)
        if last is None or not dots:
            return None
        text = f"{head}:{last >> 16:x}:{last & 0xFFFF:x}"
    left, compressed, right = text.partition("::")
    first = left.split(":") if left else []
    second = right.split(":") if right else []
    groups = len(first) + len(second)
    if groups > 7 if compressed else groups != 8:
        return None
    all_groups = first + ["0"] * (8 - groups) + second
    if any(not 1 <= len(group) <= 4 or not set(group) <= frozenset(string.hexdigits) for group in all_groups):
        return None
    return int("".join(group.zfill(4) for group in all_groups), 16)


@dataclass(frozen=True)
class Directive:
    """A directive. `domain`: None for the current domain; `network`: the address of ip4 and ip6 as a number; `lengths`: prefix
    lengths for IPv4 and IPv6."""

    text: str
    result: str
    kind: str
    domain: str | None = None
    network: int = 0
    lengths: tuple[int, int] = (32, 128)


def directive(text: str) -> Directive:
    """Parse a directive. Raises PermError."""
    result, body = (RESULTS[text[0]], text[1:]) if text[0] in RESULTS else ("pass", text)
    lower = body.lower()
    if lower == "all":
        return Directive(text, result, "all")
    for kind in ("include", "exists", "ptr"):
        if lower.startswith(f"{kind}:") and is_domain_spec(body[len(kind) + 1 :]):
            return Directive(text, result, kind, body[len(kind) + 1 :])
    if lower == "ptr":
        return Directive(text, result, "ptr")
    for kind, largest, read in (("ip4", 32, ip4), ("ip6", 128, ip6)):
        if lower.startswith(f"{kind}:"):
            for head, tail in splits(body[4:]):
                network, length = read(head), cidr(tail, largest)
                if network is not None and length is not None:
                    return Directive(text, result, kind, None, network, (length, length))
    for kind in ("a", "mx"):
        if lower.startswith(kind):
            for head, tail in splits(body[len(kind) :]):
                lengths = dual_cidr(tail)
                if lengths is not None and (not head or (head[0] == ":" and is_domain_spec(head[1:]))):
                    return Directive(text, result, kind, head[1:] if head else None, 0, lengths)
    raise PermError(f"no directive: {text}")


def is_modifier_name(text: str) -> bool:
    return text[:1] in ALPHA and set(text) <= ALPHA | DIGIT | set("-_.")


@dataclass
class Policy:
    """A parsed record."""

    directives: list[Directive] = field(default_factory=list)
    redirect: str = ""
    exp: str = ""


def read(record: str) -> Policy:
    """Parse a record. Raises PermError for a syntax error anywhere in it (4.6)."""
    terms = [term for term in record[len("v=spf1") :].split(" ") if term]
    if len(record) > MAX_RECORD or any(len(term) > MAX_TERM for term in terms):
        raise PermError("too long")
    policy = Policy()
    for term in terms:
        name, equals, value = term.partition("=")
        if not equals or not is_modifier_name(name):
            policy.directives.append(directive(term))
        elif name.lower() in ("redirect", "exp"):
            if getattr(policy, name.lower()) or not is_domain_spec(value):
                raise PermError(f"twice, or no domain-spec: {term}")
            setattr(policy, name.lower(), value)
        elif pieces(value) is None:
            raise PermError(f"no macro-string: {term}")
    return policy
