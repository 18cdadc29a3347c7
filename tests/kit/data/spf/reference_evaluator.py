"""A second SPF evaluator, small and slow, written from the text of RFC 7208: what `rdns_milter.checks.spf` is compared with.

Shares no code with it or with pyspf. The grammar is a function for each rule of section 12, and where a rule can be read in several
ways all ways are tried. It asks one question after the other and keeps nothing.

Where the RFC leaves a choice this is what is taken, as the milter documents it: each lookup of `include`, `a`, `mx`, `exists` and
`redirect` that finds nothing counts as void (4.6.4), those of `ptr`, %{p} and `exp` do not; of the client's names the first ten in
alphabetical order are looked at (4.6.4), and the first of them is %{p} if none is better (7.3); more than ten MX records are an
error; a name that DNS cannot hold has no records (4.8); a local part outside ASCII names nothing (RFC 8616 4); a record of more
than 4096 octets, or with a term of more than 512, is an error.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

ALPHA, DIGIT = frozenset(string.ascii_letters), frozenset(string.digits)
VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
UNRESERVED = ALPHA | DIGIT | frozenset("-._~")  # RFC 3986 2.3
MAX_RECORD, MAX_TERM = 4096, 512
RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

Name = str
Records = tuple[object, ...]
Ask = Callable[[Name, str], Records | None]  # the records, () if there are none, None for trouble


class PermError(Exception):
    """check_host() returns permerror."""


class TempError(Exception):
    """check_host() returns temperror."""


# Section 12, from the bottom up


def splits(text: str) -> Iterator[tuple[str, str]]:
    """Every way to divide a text in two."""
    for index in range(len(text) + 1):
        yield text[:index], text[index:]


def is_macro_body(text: str) -> bool:
    """macro-letter transformers *delimiter; the number of parts must not be zero (7.3)."""
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
    """A macro-string as its macro-expands and single literals; None if it is none."""
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
    """( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )"""
    if not text or not set(text) <= ALPHA | DIGIT | {"-"} or "-" in (text[0], text[-1]):
        return False
    return bool(set(text) & ALPHA) or "-" in text


def is_domain_end(text: str) -> bool:
    if is_macro_expand(text):
        return True
    return text.startswith(".") and (is_toplabel(text[1:]) or (text.endswith(".") and is_toplabel(text[1:-1])))


def is_domain_spec(text: str) -> bool:
    """macro-string domain-end, without the letters that 7.2 keeps for explanations."""
    for head, end in splits(text):
        if is_domain_end(end) and (parts := pieces(head)) is not None:
            return not any(part[:2] == "%{" and part[2] in "crtCRT" for part in [*parts, end])
    return False


def cidr(text: str, largest: int) -> int | None:
    """A cidr-length behind its slash; the largest for an empty text; None if it is none."""
    if not text:
        return largest
    digits = text[1:]
    if text[0] != "/" or not digits or not set(digits) <= DIGIT or (digits[0] == "0" and digits != "0"):
        return None
    return int(digits) if len(digits) <= 3 and int(digits) <= largest else None


def dual_cidr(text: str) -> tuple[int, int] | None:
    """[ ip4-cidr-length ] [ "/" ip6-cidr-length ]"""
    for head, tail in splits(text):
        four = cidr(head, 32)
        six = cidr(tail[1:], 128) if tail[:2] == "//" else 128 if not tail else None
        if four is not None and six is not None:
            return four, six
    return None


def ip4(text: str) -> int | None:
    """ip4-network as a number."""
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
    """ip6-network as a number (RFC 4291 2.2)."""
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
    """A directive: `domain` None for the current one; `network` of ip4 and ip6; prefix lengths for IPv4 and IPv6."""

    text: str
    result: str
    kind: str
    domain: str | None = None
    network: int = 0
    lengths: tuple[int, int] = (32, 128)


def directive(text: str) -> Directive:
    """Raises PermError."""
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
    """A record, read."""

    directives: list[Directive] = field(default_factory=list)
    redirect: str = ""
    exp: str = ""


def read(record: str) -> Policy:
    """Raises PermError for a syntax error anywhere in it (4.6)."""
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


def can_be_asked(name: str) -> bool:
    """Whether DNS can hold a name (RFC 1035 2.3.4), and it is in the ASCII that a record can write."""
    octets = all(character in VISIBLE or character == " " for character in name)
    return octets and len(name) <= 253 and all(1 <= len(label) <= 63 for label in name.split("."))


# Sections 4 to 8


@dataclass
class Verdict:
    """What check_host() returns, beside the matching term of the record that decided."""

    result: str
    explanation: str = ""
    mechanism: str = ""


@dataclass
class Reference:
    """One check. `asked`: the questions, in order."""

    ask: Ask
    address: IPv4Address | IPv6Address
    sender: tuple[str, str]
    helo: str
    receiver: str = "unknown"
    terms: int = 10
    voids: int = 2
    asked: dict[tuple[str, str], None] = field(default_factory=dict)

    def check(self) -> Verdict:
        self._terms = self._voids = 0
        self._exp: tuple[str, str] | None = None
        self._mechanism = ""
        try:
            result = self._check_host(self.sender[1], top=True)
        except PermError:
            return Verdict("permerror")
        except TempError:
            return Verdict("temperror")
        explanation = self._explanation() if result == "fail" else ""
        return Verdict(result, explanation, self._mechanism)

    def _check_host(self, domain: str, top: bool) -> str:
        if "." not in domain or not can_be_asked(domain):
            return "none"  # 4.3
        texts = [text for text in self._lookup(domain, "TXT") if isinstance(text, bytes)]
        records = [text for text in texts if text.lower() == b"v=spf1" or text.lower().startswith(b"v=spf1 ")]
        if not records:
            return "none"  # 4.5
        if len(records) > 1 or not records[0].isascii():
            raise PermError("records")
        policy = read(records[0].decode("ascii"))
        if top:
            self._exp = (policy.exp, domain) if policy.exp else None
        for each in policy.directives:
            if self._matches(each, domain):
                if top:
                    self._mechanism = each.text
                return each.result
        if policy.redirect and not any(each.kind == "all" for each in policy.directives):
            self._count_term()
            result = self._check_host(self._expand(policy.redirect, domain), top)
            if result == "none":
                raise PermError("redirect to nothing")
            return result
        return "neutral"  # 4.7

    def _matches(self, each: Directive, domain: str) -> bool:
        six = self.address.version == 6
        length = each.lengths[six]
        if each.kind == "all":
            return True
        if each.kind in ("ip4", "ip6"):
            return (each.kind == "ip6") == six and self._near(each.network, length)
        target = domain if each.domain is None else self._expand(each.domain, domain)
        self._count_term()
        if not target or not target.isascii():
            return False
        if each.kind == "include":
            result = self._check_host(target, top=False)
            if result == "none":
                raise PermError("include of nothing")
            return result == "pass"
        if each.kind == "ptr":
            return any(name == target.lower() or name.endswith("." + target.lower()) for name in self._validated())
        if each.kind == "exists":
            return bool(self._lookup(target, "A"))
        if each.kind == "a":
            return any(self._near(address, length) for address in self._addresses(target))
        hosts = sorted(mx for mx in self._lookup(target, "MX") if isinstance(mx, tuple))
        if len(hosts) > 10:
            raise PermError("MX")
        return any(self._near(address, length) for _, host in hosts for address in self._addresses(host))

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > self.terms:
            raise PermError("terms")

    def _near(self, network: int, length: int) -> bool:
        bits = self.address.max_prefixlen - length
        return int(self.address) >> bits == network >> bits

    def _addresses(self, name: str, counts: bool = True) -> list[int]:
        six = self.address.version == 6
        found = self._lookup(name, "AAAA" if six else "A", counts)
        return [int(IPv6Address(text) if six else IPv4Address(text)) for text in found if isinstance(text, str)]

    def _lookup(self, name: str, kind: str, counts: bool = True) -> Records:
        name = name.lower()
        if not can_be_asked(name):
            return ()
        self.asked[name, kind] = None
        found = self.ask(name, kind)
        if found is None:
            raise TempError(name)
        if counts and not found:
            self._voids += 1
            if self._voids > self.voids:
                raise PermError("void lookups")
        return found

    def _validated(self) -> list[str]:
        """5.5: the client's names that lead back to it."""
        valid = []
        try:
            names = sorted(
                {name for name in self._lookup(self.address.reverse_pointer, "PTR", False) if isinstance(name, str)}
            )
        except TempError:
            return []
        for name in names[:10]:
            try:
                if int(self.address) in self._addresses(name, False):
                    valid.append(name)
            except TempError:
                continue
        return valid

    # Section 7

    def _expand(self, text: str, domain: str) -> str:
        """A domain-spec as the name to ask for (7.3)."""
        name = self._replaced(text, domain).removesuffix(".")
        while len(name) > 253 and "." in name:
            name = name.partition(".")[2]
        return name

    def _replaced(self, text: str, domain: str) -> str:
        special = {"%%": "%", "%_": " ", "%-": "%20"}
        parts = pieces(text) or []
        return "".join(
            special.get(part) or (self._macro(part[2:-1], domain) if len(part) > 1 else part) for part in parts
        )

    def _macro(self, body: str, domain: str) -> str:
        value = self._value(body[0].lower(), domain)
        transformers = body[1:].lower()
        digits = "".join(character for character in transformers if character in DIGIT)
        delimiters = "".join(c for c in transformers if c in ".-+,/_=") or "."
        for delimiter in delimiters:
            value = value.replace(delimiter, "\n")
        parts = value.split("\n")
        if "r" in transformers:
            parts.reverse()
        value = ".".join(parts[-int(digits) :] if digits else parts)
        if body[0].isupper() and value.isascii():
            value = "".join(c if c in UNRESERVED else f"%{ord(c):02X}" for c in value)
        return value

    def _value(self, letter: str, domain: str) -> str:
        local, own = self.sender
        six = self.address.version == 6
        dotted = ".".join(f"{int(self.address):032X}") if six else str(self.address)
        fixed = {"s": f"{local}@{own}", "l": local, "o": own, "d": domain, "i": dotted, "h": self.helo, "c": str(self.address),
                 "r": self.receiver, "v": "ip6" if six else "in-addr", "t": "0"}  # fmt: skip
        return fixed[letter] if letter in fixed else self._validated_name(domain)

    def _validated_name(self, domain: str) -> str:
        names = self._validated()
        if domain in names:
            return domain
        return next((name for name in names if name.endswith("." + domain)), (names or ["unknown"])[0])

    def _explanation(self) -> str:
        """6.2: whatever is wrong with it, there is none."""
        if self._exp is None:
            return ""
        spec, domain = self._exp
        try:
            texts = self._lookup(self._expand(spec, domain), "TXT", False)
        except TempError:
            return ""
        if len(texts) != 1 or not isinstance(texts[0], bytes) or not texts[0].isascii() or len(texts[0]) > MAX_TERM:
            return ""
        # explain-string = *( macro-string / SP )
        words = texts[0].decode("ascii").split(" ")
        if any(pieces(word) is None for word in words):
            return ""
        text = " ".join(self._replaced(word, domain) for word in words)
        return text if text.isascii() and text.isprintable() else ""
