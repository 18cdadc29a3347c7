"""Does a reverse name look like that of a pool, a dial-up or broadband line, or otherwise like nobody's own choice?

Pure text against text: never a lookup, a clock or a file. Evidence is weighed, not listed: the client's address in the
name, words of access networks, and against them the words and domains of those who send mail. No RFC says how a pool is
named; RFC 1912 2.1 asks for PTR records at all and RFC 8501 2 knows generated ones for IPv6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from ..net.names import Address, is_hostname
from .evidence import Generic
from .generic_series import NOTHING, Mark, series
from .generic_words import (
    ACCESS,
    DEDICATED,
    EDGES,
    INFRASTRUCTURE,
    MAIL_STEMS,
    MAIL_WORDS,
    MAIL_WORDS_FIRST,
    PARTS,
    PHRASES,
    PLACEHOLDERS,
    PROVIDER_STEMS,
    SECOND_LEVEL,
    SENDERS,
    SHORT,
    STEMS,
    WORDS,
)

MAX_NAME = 253  # RFC 1035 2.3.4: 255 octets on the wire
THRESHOLD = 3

# points: what a piece of evidence is worth
WHOLE, OTHER, MOST, TAIL, LAST = 5, 4, 3, 2, 1
PHRASE = 3
IN_ACCESS, PROVIDER, SERIAL, LONG_SERIAL, SECOND_WORD = 2, 1, 1, 2, 1
MAIL, MAIL_DOMAIN, SENDER, INFRA, RENTED = -5, -2, -8, -2, -4

_DIGITS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[a-z]+")
_SHORT = re.compile(rf"(?<![a-z0-9])({'|'.join(SHORT)})(?![a-z])")
# what looks like an address, if not the client's: four octets, twelve digits, six or more groups, 32 nibbles
_QUAD = re.compile(r"(?<![0-9])[0-9]{1,3}[-.x_][0-9]{1,3}[-.x_][0-9]{1,3}[-.x_][0-9]{1,3}(?![0-9])")
_TWELVE = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_HEX = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{1,4}(?:-[0-9a-f]{1,4}){5,7})(?![0-9a-f-])")
_LONG_HEX = re.compile(r"[0-9a-f]{12}")
_LEADING = re.compile(r"[0-9]+[-.x][0-9]+[-.]")
_PHRASE = re.compile(rf"(?<![a-z0-9])({'|'.join(PHRASES)})(?![a-z0-9])")
_BLOCK = re.compile(r"ip-[0-9]+-[0-9]+-[0-9]+")
_GROUP = re.compile(r"(?<![0-9a-z])[0-9a-f]{1,4}(?![0-9a-z])")


def generic(
    name: str,
    address: Address,
    patterns: Sequence[re.Pattern[str]] = (),
    exceptions: Sequence[str] = (),
) -> Generic:
    """Whether `name` (a PTR name of `address`; lower case, A-labels, no trailing dot) looks generic.

    `exceptions` (domains; their hosts are never generic) come before `patterns` (searched for in the name), these before
    what is built in. The pattern of the answer is the heaviest piece of evidence: `address:...`, `word:...`,
    `phrase:...`, `domain:...`, or `pattern:` and the configured expression. "none" where there is no host name.
    """
    if not name or len(name) > MAX_NAME:
        return Generic("none", "")
    if exceptions and any(_within(name, domain) for domain in exceptions):
        return Generic("no", "")
    # Patterns were tried with labels of at most 63 octets: what an old log holds may be something else.
    if patterns and is_hostname(name):
        for pattern in patterns:
            if pattern.search(name):
                return Generic("yes", f"pattern:{pattern.pattern}")
    marks = tuple(_evidence(name, address))
    if sum(mark.points for mark in marks) < THRESHOLD:
        return Generic("no", "")
    return Generic("yes", max(marks, key=lambda mark: (mark.points, mark.name != "address:serial")).name)


def _within(name: str, domain: str) -> bool:
    domain = domain.strip(".").lower()
    return bool(domain) and (name == domain or name.endswith("." + domain))


def _evidence(name: str, address: Address) -> Iterator[Mark]:
    labels = name.split(".")
    cut = _registered(labels)
    host, registered = labels[:cut], labels[cut:]
    found = _address(name, host, address)
    if found.points < THRESHOLD:
        found = max(
            found, series(host, address if isinstance(address, IPv4Address) else None), key=lambda mark: mark.points
        )
    yield found
    words, against = _words(host, found)
    yield from words
    phrase = _PHRASE.search(name) if "-" in name else None
    if phrase:
        yield Mark(PHRASE, f"phrase:{phrase[1]}")
    yield from _domain(labels, registered)
    if against:
        yield Mark(against, "")


def _registered(labels: Sequence[str]) -> int:
    """Where the registered domain begins: how many labels stand before it."""
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL:
        return len(labels) - 3
    return max(len(labels) - 2, 0)


def _domain(labels: Sequence[str], registered: Sequence[str]) -> Iterator[Mark]:
    suffixes = [".".join(labels[-size:]) for size in range(2, min(len(labels), 5) + 1)]
    for suffix in suffixes:
        if suffix in SENDERS:
            yield Mark(SENDER, "")
            return
    if WORDS.get(labels[-1], 0) > 2:  # pools do have made-up top-level domains ("...adsl")
        yield Mark(WORDS[labels[-1]], f"word:{labels[-1]}")
    own = registered[0]
    if any(stem in own for stem in MAIL_STEMS):
        yield Mark(MAIL_DOMAIN, "")
    for suffix in suffixes:
        if suffix in ACCESS:
            yield Mark(IN_ACCESS, f"domain:{suffix}")
            return
    if _BLOCK.fullmatch(own):  # "ip-192-0-2.eu", a hoster's
        yield Mark(IN_ACCESS, "address:partial")
    if any(stem in own for stem in PROVIDER_STEMS):
        yield Mark(PROVIDER, f"domain:{own}")


def _words(host: Sequence[str], found: Mark) -> tuple[list[Mark], int]:
    """The marks that the words left of the registered domain leave, and the points against."""
    best, other, mail, infra, rented = NOTHING, False, False, False, False
    for place, label in enumerate(host):
        for word in _LETTERS.findall(label):
            if _is_mail(word, place == 0):
                mail = True
            elif word in DEDICATED:
                rented = True
            elif place == 0 and word in INFRASTRUCTURE:
                infra = True
            else:
                mark = _word(word)
                if mark.points:
                    other = other or (best.points > 0 and mark.name != best.name)
                    best = max(best, mark, key=lambda m: m.points)
        short = _SHORT.search(label)
        if short:
            other = other or best.points > 0
            best = max(best, Mark(SHORT[short[1]], f"word:{short[1]}"), key=lambda m: m.points)
    if len(host) == 1 and host[0] not in PLACEHOLDERS and not _DIGITS.search(host[0]):
        other = other and best.points > 2
        best = Mark(min(best.points, 2), best.name)  # "adsl.example.com" may be one firm's one line
    marks = [best] if best.points else []
    if other and (best.points > 1 or found.name != "address:serial"):
        marks.append(Mark(SECOND_WORD, ""))
    return marks, MAIL * mail + INFRA * infra + RENTED * rented


def _is_mail(word: str, first: bool) -> bool:
    return (
        word in MAIL_WORDS
        or (first and word in MAIL_WORDS_FIRST)
        or any(stem in word for stem in MAIL_STEMS)
        or word.startswith(("mx", "mta"))
        or word.endswith("mta")
        or (len(word) < 6 and word.endswith("mx"))
    )


def _word(word: str) -> Mark:
    points = WORDS.get(word, 0)
    if points or len(word) < 5 or len(word) > 20:
        return Mark(points, f"word:{word}") if points else NOTHING
    for stem in STEMS:
        if stem in word:
            return Mark(3, f"word:{stem}")
    for stem in EDGES:
        if (word.startswith(stem) or word.endswith(stem)) and word != stem + "s":
            return Mark(3, f"word:{stem}")
    for cut in range(2, len(word) - 1):
        left, right = PARTS.get(word[:cut], 0), PARTS.get(word[cut:], 0)
        if left and right:
            return Mark(max(left, right), f"word:{word}")
    return NOTHING


def _address(name: str, host: Sequence[str], address: Address) -> Mark:
    """How much of the client's address, or of any other, the name holds."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    found = _address6(name, address) if isinstance(address, IPv6Address) else _address4(name, address)
    if found.points > TAIL:
        return found
    if _other(name):
        return Mark(OTHER, "address:other")
    if found.points == TAIL:  # nobody's own name begins with it
        return Mark(TAIL + 1, found.name) if _LEADING.match(name) else found
    numbers = _DIGITS.findall(host[0]) if host else []
    if any(len(number) > 4 for number in numbers):
        return Mark(LONG_SERIAL, "address:serial")
    if len(numbers) > 1 or sum(map(len, numbers)) > 2:
        return Mark(SERIAL, "address:serial")
    return found


def _other(name: str) -> bool:
    """Whether the name holds what looks like an address: networks number their customers behind translators, too."""
    quad = _QUAD.search(name)
    if quad and all(int(number) < 256 for number in _DIGITS.findall(quad[0])):
        return True
    twelve = _TWELVE.search(name)
    if twelve and all(int(twelve[0][at : at + 3]) < 256 for at in range(0, 12, 3)):
        return True
    groups = _HEX.search(name)
    return bool(groups and _DIGITS.search(groups[0]))


def _address4(name: str, address: IPv4Address) -> Mark:
    runs = _DIGITS.findall(name)
    octets = tuple(address.packed)
    for whole, kind in ((address.packed.hex(), "hex"), (address.packed[::-1].hex(), "hex-reversed")):
        if whole in name:
            return Mark(WHOLE, f"address:{kind}")
    if not runs:
        return NOTHING
    long = [run for run in runs if len(run) > 5]
    if long:
        found = _run4(long, octets, int(address))
        if found.points:
            return found
    numbers = [int(run) if len(run) < 4 else -1 for run in runs]
    found = _numbers4(numbers, octets)
    if found.points:
        return found
    dashed = "-".join(f"{octet:02x}" for octet in octets)
    if dashed in name or dashed.replace("-", ".") in name:
        return Mark(WHOLE, "address:hex")
    return NOTHING


def _run4(runs: Sequence[str], octets: Sequence[int], value: int) -> Mark:
    """The address as digits without anything between."""
    padded = [f"{octet:03d}" for octet in octets]
    plain = [str(octet) for octet in octets]
    whole = {
        "".join(padded).lstrip("0"): "padded",
        "".join(padded[::-1]).lstrip("0"): "padded-reversed",
        "".join(plain): "digits",
        "".join(plain[::-1]): "digits-reversed",
        str(value): "integer",
    }
    part = {"".join(padded[1:]): MOST, "".join(padded[2:]): TAIL}
    for run in runs:
        bare = run.lstrip("0")
        if bare in whole:
            return Mark(WHOLE, f"address:{whole[bare]}")
        if run in part:
            return Mark(part[run], "address:partial")
    return NOTHING


def _numbers4(numbers: Sequence[int], octets: tuple[int, ...]) -> Mark:
    """The address as numbers, each by itself."""
    want = sorted(octets)
    for at in range(len(numbers) - 3):
        window = tuple(numbers[at : at + 4])
        if sorted(window) == want:
            kind = "decimal" if window == octets else "reversed" if window == octets[::-1] else "mixed"
            return Mark(WHOLE, f"address:{kind}")
    ring = octets + octets[:2]  # "123.w82-45" of 82.45.x.123 goes round the end
    threes = {ring[at : at + 3] for at in range(4)} | {ring[at : at + 3][::-1] for at in range(4)}
    for at in range(len(numbers) - 2):
        window = tuple(numbers[at : at + 3])
        if window in threes:
            enough = len("".join(map(str, window))) > 4
            return Mark(MOST if enough else TAIL, "address:partial")
    tail = octets[2:]
    for at in range(len(numbers) - 1):
        window = tuple(numbers[at : at + 2])
        if window in (tail, tail[::-1]):
            enough = len("".join(map(str, window))) > 2
            return Mark(TAIL if enough else LAST, "address:partial")
    return Mark(LAST, "address:last") if octets[3] > 9 and octets[3] in numbers else NOTHING


def _address6(name: str, address: IPv6Address) -> Mark:
    nibbles = address.packed.hex()
    flat = name.replace(".", "").replace("-", "")
    long = _LONG_HEX.search(flat)
    for text, kind in ((nibbles, "nibbles"), (nibbles[::-1], "nibbles-reversed")):
        if text in flat:
            return Mark(WHOLE, f"address:{kind}")
        for half in (text[:16], text[16:]):
            if half in flat and len(half.strip("0")) > 7:
                return Mark(WHOLE, "address:half")
        if long and any(piece in flat and len(piece.strip("0")) > 5 for piece in _pieces(text)):
            return Mark(MOST, "address:partial")
    return _groups6([int(group, 16) for group in _GROUP.findall(name)], address.packed)


def _pieces(nibbles: str) -> Iterator[str]:
    return (nibbles[at : at + 12] for at in range(21))


def _groups6(groups: Sequence[int], packed: bytes) -> Mark:
    """The address in groups (RFC 4291 2.2), the zeros left out or not."""
    want = [group for group in (packed[i] << 8 | packed[i + 1] for i in range(0, 16, 2)) if group]
    have = [group for group in groups if group]
    longest = 0
    for start in range(len(have)):
        for first in range(len(want)):
            size = 0
            while start + size < len(have) and first + size < len(want) and have[start + size] == want[first + size]:
                size += 1
            longest = max(longest, size)
    if longest > 3 or longest == len(want) > 2:
        return Mark(WHOLE, "address:groups")
    if longest == 3:
        return Mark(MOST, "address:partial")
    ends = longest == 2 and have[-2:] == want[-2:] and have[-1] > 255
    return Mark(TAIL, "address:partial") if ends else NOTHING
