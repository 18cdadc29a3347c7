"""Generate random SPF records, valid and nearly valid, with random DNS records: one case for each number.

Uses every rule of RFC 7208's grammar in all forms, with small errors. There are few names, so that records include each other, loop
and come near the limits. Below `x.example` about half of the names have an address, and below `s.example` most names have a record,
so that names made by macros may exist or not.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random

Key = tuple[str, str]
Records = tuple[object, ...]

CLIENTS = ("192.0.2.1", "192.0.2.1", "192.0.2.130", "2001:db8::1", "::ffff:192.0.2.1")
LOCALS = ("alice", "bob", "al.ice+x", "", "a-b_c", "A%b", "d0", ".", "\u00e4")
GREETINGS = ("h0.example", "H1.example", "d1.example", "[192.0.2.1]", "alice", "x", "")
DOMAINS = tuple(f"d{number}.example" for number in range(4))
HOSTS = tuple(f"h{number}.example" for number in range(4))
ODD = ("nowhere.example", "example", "h0", "a..example", ".example", "a.example.", "trouble.example", f"{'l' * 64}.example",
       f"{'l.' * 130}example", "H0.Example", "_s.h-1.example", "a/b.example", "a=b.example", "a.1", "a.b-", "192.0.2.1", "a.b1.",
       "\u00e4.example", "a b.example")  # fmt: skip
ADDRESSES4 = ("192.0.2.1", "192.0.2.130", "192.0.2.2", "198.51.100.9")
ADDRESSES6 = ("2001:db8::1", "2001:db8::2", "2001:db8:1::1", "::ffff:192.0.2.1")
NETWORKS = {
    "ip4": (*ADDRESSES4, "192.0.2.0", "10.0.0.0", "0.0.0.0", "255.255.255.255"),
    "ip6": (*ADDRESSES6, "2001:DB8::", "::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::192.0.2.1",
            "1:2:3:4:5:6:192.0.2.1"),
}  # fmt: skip
BAD_NETWORKS = ("192.0.2", "192.0.2.01", "256.0.2.1", "192.0.2.1.", "", "1", "2001:db8::1", "192.0.2.1.example", ":", ":::",
                "2001:db8:1", "1:2:3:4:5:6:7:8:9", "1::2::3", "g::", "fe80::1%eth0", "00001::", "::192.0.2", "::192.0.2.01",
                "1:2:3:4:5:6:7:192.0.2.1")  # fmt: skip
LENGTHS = {
    "ip4": ("/0", "/8", "/24", "/25", "/31", "/32"),
    "ip6": ("/0", "/32", "/64", "/127", "/128"),
    "name": ("/0", "/24", "/32", "//0", "//64", "//127", "//128", "/24//64", "/0//0", "/32//128"),
}
BAD_LENGTHS = ("/33", "/024", "/00", "//129", "//064", "/", "//", "///64", "/24/24", "/24//", "/24/64", "//64/24", "/-1", "/a",
               "/999", "/1e1", "/24//129", "/ 24")  # fmt: skip
MECHANISMS = (
    "a",
    "a",
    "mx",
    "mx",
    "ptr",
    "ip4",
    "ip4",
    "ip6",
    "ip6",
    "exists",
    "exists",
    "include",
    "include",
    "include",
)
BEHIND_MACROS = (".x.example", ".x.example", ".s.example", ".s.example", ".example", "", ".trouble.example")
CHEAP = ("a:h0.example", "a", "exists:%{i}.x.example", "ptr", "mx:h1.example")  # terms with few lookups
REDIRECTS = (
    "redirect=d1.example",
    "redirect=d2.example",
    "REDIRECT=d3.example",
    "Redirect=%{l}.s.example",
    "redirect=nowhere.example",
)
EXPLANATIONS = ("exp=t.example", "exp=u.example", "EXP=t.example", "Exp=%{o}.t.example", "exp=%{p}")
ALLS = ("-all", "-all", "-all", "~all", "?all", "+all", "all", "-ALL")
MODIFIERS = ("x", "rr", "RR", "ra", "default", "op", "a", "all", "include", "r-_.9", "v", "exps", "redirect.")
BAD_NAMES = ("", "1x", "-x", "_x", "x!", "\u00e4", "re direct")
LITERALS = ("moo", "all.", "v=spf1", "=x", "%", "a,", "ip4", "ptr.", "-", "+-all", "\tall", "a\tb", "mx;", "include", "exists",
            "redirect", "exp", "redirect:d0.example", "exp:d0.example", "?exp=d0.example", "\x7f", "192.0.2.1", "prt", "all:",
            "all/0", "~", "ALL", "-All")  # fmt: skip
BAD_MACROS = ("%%{d}", "%", "%{", "%{}", "%{d", "%d}", "%{x}", "%{d0}", "%{d00}", "%{d1!}", "%{rd}", "a%b", "%%%")
ALPHABET = "abdehilmnprstxAEIMRX0123456789.:/=%{}-+~?_, \t!"
TEXTS = (
    "%{i} is not one of us",
    "%{c}%{p} %{r}",
    "See %{S}%_%%%-",
    "%{x}",
    "100%",
    "a  b ",
    "\u00e4",
    "",
    "%{d2} %{h} %{l1r-}",
    "x" * 600,
)


@dataclass
class Case:
    """One check with its limits. `records`: by name and type, None for a temporary error; for other names see `answer`."""

    client: IPv4Address | IPv6Address
    local: str
    domain: str
    helo: str
    terms: int = 10
    voids: int = 2
    records: dict[Key, Records | None] = field(default_factory=dict)

    def answer(self, name: str, kind: str) -> Records | None:
        """Return the records of a name, () if there are none, None for a temporary error."""
        key = name, kind
        if key in self.records:
            return self.records[key]
        chance = zlib.crc32(name.encode("utf-8", "replace"))
        if name.endswith(".x.example") and kind == "A":
            return ("127.0.0.2",) if chance % 2 else ()
        if name.endswith(".s.example") and kind == "TXT":
            return (self.records["d0.example", "TXT"], (b"v=spf1 ?all",), (b"v=spf1 -all",), ())[chance % 4]
        return None if name.endswith("trouble.example") else ()

    def __str__(self) -> str:
        head = f"client={self.client} local={self.local!r} domain={self.domain} helo={self.helo!r}"
        return "\n".join((head, *(f"  {name} {kind} {records}" for (name, kind), records in self.records.items())))


def case(number: int) -> Case:
    """Return the case with this number."""
    return _Writer(Random(number)).case()


class _Writer:
    def __init__(self, rng: Random) -> None:
        self._dice = rng
        self._random = rng.random

    def case(self) -> Case:
        rng = self._dice
        found = Case(ip_address(rng.choice(CLIENTS)), rng.choice(LOCALS), "d0.example", rng.choice(GREETINGS))
        if self._random() < 0.1:
            found.terms, found.voids = rng.choice(((1, 2), (3, 0), (10, 0), (10, 10), (25, 25)))
        for name in DOMAINS:
            found.records[name, "TXT"] = self._policies(first=name == "d0.example")
        for name in (*DOMAINS[:2], *HOSTS):
            self._host(found, name)
        reverse = found.client.ipv4_mapped or found.client if isinstance(found.client, IPv6Address) else found.client
        names = rng.sample((*HOSTS, *DOMAINS, "a.d0.example", "a b.example"), rng.choice((0, 1, 1, 2, 3)))
        if self._random() < 0.03:
            names += [f"p{number}.example" for number in range(12)]
        found.records[reverse.reverse_pointer, "PTR"] = None if self._random() < 0.05 else tuple(names)
        for name in ("t.example", "u.example"):
            found.records[name, "TXT"] = self._texts()
        return found

    def _policies(self, first: bool) -> Records | None:
        fate = 1.0 if first else self._random()
        if fate < 0.04:
            return None
        if fate < 0.12:
            return ()
        texts = [self._policy()]
        if self._random() < 0.05:
            texts.append(
                self._dice.choice(
                    ("v=spf1 -all", "v=spf1", "v=spf10", "text", "V=SPF1 ?all", "v=spf1-all", " v=spf1", "")
                )
            )
        if self._random() < 0.05:
            del texts[0]
        return tuple(text.encode("utf-8") for text in dict.fromkeys(texts))

    def _host(self, found: Case, name: str) -> None:
        rng = self._dice
        for kind, addresses in (("A", ADDRESSES4), ("AAAA", ADDRESSES6)):
            found.records[name, kind] = (
                None if self._random() < 0.04 else tuple(rng.sample(addresses, rng.choice((0, 1, 1, 2))))
            )
        hosts = rng.sample((*HOSTS, ".", "nowhere.example"), rng.choice((0, 1, 2, 3)))
        if self._random() < 0.04:
            hosts += [f"m{number}.x.example" for number in range(rng.choice((7, 8, 9, 10)))]
        mx = tuple({(rng.randrange(3), "" if host == "." else host) for host in hosts})
        found.records[name, "MX"] = None if self._random() < 0.03 else mx

    def _texts(self) -> Records | None:
        if self._random() < 0.1:
            return None
        return tuple(text.encode("utf-8") for text in self._dice.sample(TEXTS, self._dice.choice((0, 1, 1, 1, 2))))

    def _policy(self) -> str:
        rng, many = self._dice, self._random() < 0.08
        if many and self._random() < 0.7:
            terms = [rng.choice(CHEAP) for _ in range(rng.choice((9, 10, 11, 12)))]
        else:
            terms = [self._term() for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 5)) + 8 * many)]
        for chance, options in ((0.3, REDIRECTS), (0.3, EXPLANATIONS), (0.5, ALLS)):
            if self._random() < chance:
                place = rng.randint(0, len(terms)) if self._random() < 0.3 else len(terms)
                terms.insert(place, rng.choice(options))
        if self._random() < 0.005:
            terms.append(rng.choice(("x=" + "y" * rng.choice((509, 510, 511, 600)), " " * 4100)))
        version = (
            "v=spf1" if self._random() < 0.98 else rng.choice(("V=SPF1", "v=Spf1", "v=spf1 ", "v=spf2", "v=spf1,"))
        )
        blank = "  " if self._random() < 0.03 else " "
        text = blank.join((version, *terms)) + (" " if self._random() < 0.03 else "")
        return self._edited(text) if self._random() < 0.08 else text

    def _edited(self, text: str) -> str:
        """Return the text with one character inserted, removed or replaced."""
        for _ in range(self._dice.choice((1, 1, 2))):
            place, letter = self._dice.randint(6, len(text)), self._dice.choice(ALPHABET)
            text = text[:place] + self._dice.choice(("", letter, letter + text[place : place + 1])) + text[place + 1 :]
        return text

    def _term(self) -> str:
        fate, rng = self._random(), self._dice
        if fate < 0.015:
            return rng.choice(LITERALS)
        if fate < 0.12:
            return self._modifier()
        qualifier = rng.choice(("", "", "", "+", "-", "~", "?"))
        kind = rng.choice(MECHANISMS)
        shown = kind if self._random() < 0.95 else rng.choice((kind.upper(), kind.title()))
        return qualifier + shown + self._argument(kind)

    def _modifier(self) -> str:
        rng = self._dice
        if self._random() < 0.1:
            name = rng.choice(("redirect", "exp", "Redirect", "EXP"))
            return f"{name}={self._name() if self._random() < 0.95 else ''}"
        name = rng.choice(MODIFIERS) if self._random() < 0.98 else rng.choice(BAD_NAMES)
        value = "e" if self._random() < 0.5 else rng.choice(("", "a=b:c/d", "%", *[self._macros() for _ in range(9)]))
        return f"{name}={value}"

    def _argument(self, kind: str) -> str:
        odd = self._random()
        if kind in NETWORKS:
            network = self._dice.choice(NETWORKS[kind] if odd < 0.985 else BAD_NETWORKS)
            return f":{network}{self._length(kind, 0.5)}"
        if kind in ("a", "mx", "ptr"):
            name = "" if odd < 0.4 else ":" + (self._name() if odd < 0.99 else "")
            return name + self._length("name", 0.4 if kind != "ptr" else 0.005)
        return (":" + self._name() if odd < 0.99 else self._dice.choice(("", ":"))) + self._length("name", 0.003)

    def _length(self, kind: str, chance: float) -> str:
        if self._random() > chance:
            return ""
        return self._dice.choice(LENGTHS[kind] if self._random() < 0.97 else BAD_LENGTHS)

    def _name(self) -> str:
        fate, rng = self._random(), self._dice
        if fate < 0.5:
            return rng.choice(DOMAINS)
        if fate < 0.72:
            return rng.choice(HOSTS)
        if fate < 0.75:
            return rng.choice(ODD)
        return self._macros() + rng.choice(BEHIND_MACROS)

    def _macros(self) -> str:
        return ".".join(self._macro() for _ in range(self._dice.choice((1, 1, 1, 2))))

    def _macro(self) -> str:
        rng, odd = self._dice, self._random()
        if odd < 0.07:
            return rng.choice(("%%", "%_", "%-", "a") if odd < 0.04 else BAD_MACROS)
        letter = rng.choice("slodipvh") if self._random() < 0.98 else rng.choice("crt")
        digits = rng.choice(("", "", "", "1", "2", "3", "01", "128"))
        reverse = rng.choice(("", "", "r"))
        delimiters = rng.choice(("", "", "", "-", ".", "+-", "/=", ",_", ".-+,/_="))
        body = letter + digits + reverse + delimiters
        return "%{" + (body.upper() if self._random() < 0.2 else body) + "}"
