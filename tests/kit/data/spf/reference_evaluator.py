"""A second SPF evaluator, small and slow, written from the text of RFC 7208. Tests compare `rdns_milter.checks.spf` with it.

Shares no code with `rdns_milter.checks.spf` or with pyspf, asks one question after the other, and caches nothing. The grammar is in
reference_grammar.py.

Where the RFC leaves a choice, it follows what the milter documents. A lookup of `include`, `a`, `mx`, `exists` or `redirect` that
finds nothing counts as void, a lookup of `ptr`, %{p} or `exp` does not (4.6.4). Of the client's names only the first ten in
alphabetical order are used (4.6.4); %{p} is the first of them if no other is preferred (7.3). More than ten MX records are an
error. A name that DNS cannot hold has no records (4.8). A domain with a local part outside ASCII in it has no records (RFC 8616 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from tests.kit.data.spf.reference_grammar import (
    DIGIT,
    MAX_TERM,
    UNRESERVED,
    VISIBLE,
    Directive,
    PermError,
    pieces,
    read,
)

Name = str
Records = tuple[object, ...]
Ask = Callable[[Name, str], Records | None]  # the records, () if there are none, None for a temporary error


class TempError(Exception):
    """The result of check_host() is temperror."""


def can_be_asked(name: str) -> bool:
    """Return whether DNS can hold the name (RFC 1035 2.3.4), and it is printable ASCII, as an SPF record can express it."""
    octets = all(character in VISIBLE or character == " " for character in name)
    return octets and len(name) <= 253 and all(1 <= len(label) <= 63 for label in name.split("."))


@dataclass
class Verdict:
    """The result of check_host(), with the term that matched."""

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
        """Return the client's names that resolve to its address (5.5)."""
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
        """Expand a domain-spec to the name that is looked up (7.3)."""
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
        """Return the explanation; "" after any error (6.2)."""
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
