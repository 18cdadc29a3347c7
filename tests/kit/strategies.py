"""Hypothesis strategies: any evidence, any policy, any decision, and text as hostile as a client can send it.

Values come out of small pools, so that conditions often hold; facts are combined freely, also as no lookup would ever find them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rdns_milter.evidence import FACTS, LOOKED_UP, UNKNOWN, Cost, Evidence, Generic, Iprev, Spf, exempted
from rdns_milter.log import Decision
from rdns_milter.names import Address
from rdns_milter.networks import Networks, parse_network
from rdns_milter.policy import (
    ACTIONS,
    CONDITIONS,
    MODES,
    Condition,
    Mailboxes,
    Names,
    Policy,
    Rule,
    Words,
    decide,
)

ADDRESSES: tuple[Address, ...] = tuple(map(ip_address, ("192.0.2.7", "198.51.100.9", "2001:db8::7")))
NETWORKS = ("192.0.2.0/24", "198.51.100.9", "2001:db8::/32", "0.0.0.0/0")
HOSTS = ("mx.example.com", "example.com", "pool-7.isp.example", "MX.Example.Com.", "localhost", "none", "")
MAILBOXES = (
    "a@example.com",
    "postmaster@example.net",
    "B@MX.example.com",
    '"x, y"@example.net',
    "none",
    "a@b@example.com",
    "",
)
SUFFIXES = (".example.com", ".example", ".net")
SCORES = (-2.5, -1.0, 0.0, 0.1, 0.5, 1.0, 2.5, 4.0)

# What a client would have to write to add a key, end the line, begin another one, or close the quotes.
FORGERIES = (
    "action=reject",
    "x action=reject rule=forged",
    '" action=reject rule="',
    "\naction=reject rule=forged qid=NOQUEUE",
    "\\",
    '\\" action=reject x="',
    "Nov 21 01:02:03 mail rdns-milter[1]: action=reject",
    '{"action":"reject"}',
    "none",
    '"none"',
    "\x85action=reject",
    "\u2028action=reject",
    "\x00\x1b[31m\x7f\r\n",
    "\udcff\udc80=",
    "<>",
    ",",
    "\\,",
    "=",
    "d\u00e9j\u00e0@v\u00fc.example",
    "\U0001f4e7",
)


def hostile_text(max_size: int = 60) -> SearchStrategy[str]:
    """Any text that may come out of the milter protocol (PEP 383 for bytes that are no UTF-8), forgeries among it."""
    letters = st.characters() | st.sampled_from([chr(0xDC00 + octet) for octet in range(0x80, 0x100)])
    pieces = st.lists(st.sampled_from(FORGERIES) | st.text(letters, max_size=8), min_size=1, max_size=4).map("".join)
    return (pieces | st.sampled_from(FORGERIES) | st.text(letters, max_size=max_size)).map(lambda text: text[:max_size])


def _with_iprev(evidence: Evidence, word: str) -> Evidence:
    return replace(evidence, iprev=replace(evidence.iprev, result=word))


# How to give each fact a word.
SETTERS: Mapping[str, Callable[[Evidence, str], Evidence]] = MappingProxyType(
    {
        "iprev": _with_iprev,
        "iprev_reason": lambda e, word: replace(e, iprev=replace(e.iprev, reason=word)),
        "generic": lambda e, word: replace(e, generic=Generic(word)),
        "helo_kind": lambda e, word: replace(e, helo=replace(e.helo, kind=word)),
        "helo": lambda e, word: replace(e, helo=replace(e.helo, result=word)),
        "helo_match": lambda e, word: replace(e, helo=replace(e.helo, match=word)),
        "helo_own": lambda e, word: replace(e, helo=replace(e.helo, own=word)),
        "spf_helo": lambda e, word: replace(e, spf_helo=Spf(word)),
        "spf_mailfrom": lambda e, word: replace(e, spf_mailfrom=Spf(word)),
        "mailfrom_match": lambda e, word: replace(e, mailfrom_match=word),
    }
)


def with_facts(evidence: Evidence, words: Mapping[str, str]) -> Evidence:
    """The evidence with these facts instead."""
    for name, word in words.items():
        evidence = SETTERS[name](evidence, word)
    return evidence


def _iprev_names() -> SearchStrategy[Iprev]:
    names = st.lists(st.sampled_from(HOSTS[:3]), max_size=2, unique=True).map(tuple)
    return st.builds(lambda confirmed, claimed: Iprev("", "", confirmed, claimed, len(claimed)), names, names)


def replaced(
    evidence: Evidence, facts: Iterable[str], without: frozenset[str] = frozenset()
) -> SearchStrategy[Evidence]:
    """The same evidence with any words for these facts, but those `without`; with other names too where iprev is among them."""
    facts = sorted(facts)
    words = st.fixed_dictionaries(
        {name: st.sampled_from([word for word in FACTS[name].words if word not in without]) for name in facts}
    )
    if "iprev" not in facts:
        return words.map(lambda chosen: with_facts(evidence, chosen))

    def build(chosen: dict[str, str], names: Iprev) -> Evidence:
        iprev = replace(names, result=evidence.iprev.result, reason=evidence.iprev.reason)
        return with_facts(replace(evidence, iprev=iprev), chosen)

    return st.builds(build, words, _iprev_names())


def every_replacement(
    evidence: Evidence, facts: Iterable[str], without: frozenset[str] = frozenset()
) -> Iterator[Evidence]:
    """The same evidence with each combination of words for these facts, but those `without`."""
    facts = sorted(facts)
    choices = [[word for word in FACTS[name].words if word not in without] for name in facts]
    for words in itertools.product(*choices):
        yield with_facts(evidence, dict(zip(facts, words, strict=True)))


@st.composite
def evidences(
    draw: st.DrawFn, unknown: bool = False, exempt: bool = False, text: SearchStrategy[str] | None = None
) -> Evidence:
    """Any evidence; with `unknown` facts may be missing, with `exempt` some clients are not judged; `text`: names and mailboxes."""
    evidence = Evidence(
        client=draw(st.none() | st.sampled_from(ADDRESSES)),
        helo_name=draw(text or st.sampled_from(HOSTS)),
        mailfrom=draw(text or st.sampled_from(MAILBOXES)),
        rcpt=draw(text or st.sampled_from(MAILBOXES)),
        authenticated=draw(st.booleans()),
        tls=draw(st.booleans()),
    )
    evidence = draw(replaced(evidence, FACTS))
    if text is not None:
        names = tuple(name for name in draw(st.lists(text, max_size=2)) if name)
        evidence = replace(evidence, iprev=replace(evidence.iprev, claimed=names, count=len(names)))
    if unknown:
        missing = draw(
            st.just(frozenset(FACTS)) | _some_of(tuple(FACTS)) | st.sampled_from(LOOKED_UP).map(lambda name: {name})
        )
        evidence = with_facts(evidence, dict.fromkeys(missing, UNKNOWN))
    if exempt and draw(st.integers(0, 4)) == 4:
        evidence = exempted(evidence, draw(st.sampled_from(("network", "authenticated", "not-ip"))))
    return evidence


def _names() -> SearchStrategy[Names]:
    exact = st.frozensets(st.sampled_from(("mx.example.com", "example.com", "localhost")), max_size=2)
    return st.builds(Names, exact, st.frozensets(st.sampled_from(SUFFIXES), max_size=2))


def _mailboxes() -> SearchStrategy[Mailboxes]:
    addresses = st.frozensets(st.sampled_from(("a@example.com", '"x, y"@example.net')), max_size=2)
    return st.builds(Mailboxes, addresses, st.frozensets(st.sampled_from(("postmaster", "a"))), _names(), st.booleans())


def _some_of(words: Sequence[str]) -> SearchStrategy[frozenset[str]]:
    """Any of the words, one at least, few as often as many."""
    return st.integers(1, 2 ** len(words) - 1).map(
        lambda mask: frozenset(word for index, word in enumerate(words) if mask >> index & 1)
    )


_CONDITIONS: Mapping[str, SearchStrategy[Condition]] = MappingProxyType(
    {
        name: st.builds(Condition, st.just(name), values)
        for name, values in {
            **{name: _some_of(fact.words).map(Words) for name, fact in FACTS.items()},
            "client": st.lists(st.sampled_from(NETWORKS), max_size=2).map(
                lambda texts: Networks(map(parse_network, texts))
            ),
            "ptr": _names(),
            "helo_name": _names(),
            "mailfrom": _mailboxes(),
            "rcpt": _mailboxes(),
            "authenticated": st.booleans(),
            "tls": st.booleans(),
            "min_score": st.sampled_from(SCORES),
        }.items()
    }
)
assert _CONDITIONS.keys() == FACTS.keys() | CONDITIONS.keys()


@functools.cache
def rules(names: tuple[str, ...]) -> SearchStrategy[Rule]:
    """Any rule that asks about these facts and conditions."""
    conditions = st.lists(st.one_of([_CONDITIONS[name] for name in names]), max_size=2).map(tuple)
    return st.builds(
        Rule,
        name=st.sampled_from(("a", "b", "no-rdns", "two words", 'quo"ted')),
        when=conditions,
        unless=st.just(()) | conditions,
        action=st.sampled_from(("", "", "reject", "reject", "quarantine", *ACTIONS)),
        score=st.sampled_from(SCORES),
        shadow=st.sampled_from((False, False, False, True)),
    )


@st.composite
def policies(draw: st.DrawFn, but: frozenset[str] = frozenset(), modes: Sequence[str] = MODES) -> Policy:
    """Any policy whose rules ask about one to three facts and conditions, none of them in `but`: so few that rules meet."""
    often = (*LOOKED_UP, *LOOKED_UP, "ptr", "min_score", "min_score")  # what most of this is about
    names = [name for name in (*_CONDITIONS, *often) if name not in but]
    asked = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    chosen = draw(st.lists(rules(tuple(sorted(asked))), min_size=1, max_size=5))
    return Policy(tuple(chosen), draw(st.sampled_from(modes)), "3f9a1c")


@st.composite
def decisions(draw: st.DrawFn, text: SearchStrategy[str] | None = None) -> Decision:
    """Any decision, its verdict that of any policy on its evidence."""
    evidence = draw(evidences(exempt=True, text=text))
    policy = draw(policies())
    more = draw(st.lists(text or st.sampled_from([box for box in MAILBOXES if box]), max_size=4))
    milliseconds = st.floats(0, 1e5)
    return Decision(
        verdict=decide(evidence, policy),
        evidence=evidence,
        rcpts=(evidence.rcpt, *more),
        qid=draw(st.sampled_from(("", "4bQ1Xz2Lq9zT1", "0A1B2C3D4E"))),
        mode=policy.mode,
        policy=policy.digest,
        cost=draw(st.builds(Cost, st.integers(0, 40), st.integers(0, 40), st.just(0), milliseconds, milliseconds)),
        reply=draw(text or st.sampled_from(("", "550 5.7.25 no reverse name", '451 4.7.25 "try" later'))),
    )
