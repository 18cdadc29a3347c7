"""Hypothesis strategies: any evidence, any policy, any decision, and text as hostile as a client can send it.

Values come from small pools, so that conditions often hold. Facts are combined freely, also in combinations that no lookup can
give. Facts and policies are generated at random from one drawn seed: if Hypothesis drew each value, they would be so similar that
rules hardly ever match.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from random import Random
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from rdns_milter.checks.evidence import FACTS, LOOKED_UP, UNKNOWN, Cost, Evidence, Generic, Spf, exempted
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.net.names import Address
from rdns_milter.net.networks import Networks, parse_network
from rdns_milter.policy import reachability
from rdns_milter.policy.decide import CONDITIONS, decide
from rdns_milter.policy.rules import (
    ACTIONS,
    MODES,
    Condition,
    Domains,
    Listing,
    Listings,
    Mailboxes,
    Names,
    Policy,
    Rule,
    Values,
    Words,
)

ADDRESSES: tuple[Address, ...] = tuple(map(ip_address, ("192.0.2.7", "198.51.100.9", "2001:db8::7")))
RELAY = ip_address("203.0.113.5")
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
PROVIDERS = ("_spf.one.example", "two.example")
LISTINGS = (
    Listing("first", "list.first.example"),
    Listing("first", "list.first.example", ((127, 127), (0, 0), (0, 255), (2, 3))),
    Listing("second", "second.example", ((127, 127), (0, 255), (0, 255), (4, 4))),
)
SOURCE_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "client_spf": ("pass", "none", "temperror", UNKNOWN),
        "dnslist": ("127.0.10.2", "127.0.3.4", "none", "temperror", "refused", UNKNOWN),
    }
)
SCORES = (-2.5, -1.0, 0.1, 0.5, 1.0, 2.5, 4.0)

SEEDS = st.integers(0, 2**64)

# Texts with which a client could try to add a key, end the line, begin another one, or close the quotes.
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
    """Return a strategy for texts that the milter protocol can deliver, with forgeries. Bytes that are not UTF-8 are as in PEP
    383."""
    letters = st.characters() | st.sampled_from([chr(0xDC00 + octet) for octet in range(0x80, 0x100)])
    pieces = st.lists(st.sampled_from(FORGERIES) | st.text(letters, max_size=8), min_size=1, max_size=4).map("".join)
    return (pieces | st.sampled_from(FORGERIES) | st.text(letters, max_size=max_size)).map(lambda text: text[:max_size])


# Functions that set the word of each fact.
SETTERS: Mapping[str, Callable[[Evidence, Any], Evidence]] = MappingProxyType(
    {
        "iprev": lambda e, word: replace(e, iprev=replace(e.iprev, result=word)),
        "iprev_reason": lambda e, word: replace(e, iprev=replace(e.iprev, reason=word)),
        "generic": lambda e, word: replace(e, generic=Generic(word)),
        "helo_kind": lambda e, word: replace(e, helo=replace(e.helo, kind=word)),
        "helo": lambda e, word: replace(e, helo=replace(e.helo, result=word)),
        "helo_match": lambda e, word: replace(e, helo=replace(e.helo, match=word)),
        "helo_own": lambda e, word: replace(e, helo=replace(e.helo, own=word)),
        "spf_helo": lambda e, word: replace(e, spf_helo=Spf(word)),
        "spf_mailfrom": lambda e, word: replace(e, spf_mailfrom=Spf(word)),
        "mailfrom_match": lambda e, word: replace(e, mailfrom_match=word),
        "client_spf": lambda e, found: replace(e, client_spf=found),
        "dnslist": lambda e, found: replace(e, dnslist=found),
    }
)


def with_facts(evidence: Evidence, words: Mapping[str, Any]) -> Evidence:
    """Return the evidence with these facts replaced."""
    for name, word in words.items():
        evidence = SETTERS[name](evidence, word)
    return evidence


def replaced(
    evidence: Evidence, facts: Iterable[str], without: frozenset[str] = frozenset()
) -> SearchStrategy[Evidence]:
    """Return a strategy for the evidence with any words for these facts, except those in `without`. If iprev is one of them, the
    names vary too."""
    facts = sorted(facts)

    def build(seed: int) -> Evidence:
        rng = Random(seed)
        changed = evidence
        if "iprev" in facts:
            names, claimed = (tuple(sorted(_some(rng, HOSTS[:3]))) for _ in range(2))
            changed = replace(changed, iprev=replace(changed.iprev, names=names, claimed=claimed, count=len(claimed)))
        choices = {name: [word for word in FACTS[name].words if word not in without] for name in facts}
        return with_facts(changed, {name: rng.choice(words) for name, words in choices.items()})

    return SEEDS.map(build)


def every_replacement(
    evidence: Evidence, facts: Iterable[str], without: frozenset[str] = frozenset()
) -> Iterator[Evidence]:
    """Yield the evidence with each combination of words for these facts, except words in `without`."""
    facts = sorted(facts)
    choices = [[word for word in FACTS[name].words if word not in without] for name in facts]
    for words in itertools.product(*choices):
        yield with_facts(evidence, dict(zip(facts, words, strict=True)))


@st.composite
def evidences(
    draw: st.DrawFn,
    unknown: bool = False,
    exempt: bool = False,
    text: SearchStrategy[str] | None = None,
    via: bool = False,
) -> Evidence:
    """Return a strategy for any evidence. `unknown`: facts may be missing; `exempt`: some clients are not judged; `via`: some come
    through a relay; `text`: for names and mailboxes."""
    hosts, mailboxes = (st.sampled_from(HOSTS), st.sampled_from(MAILBOXES)) if text is None else (text, text)
    evidence = Evidence(
        client=draw(st.none() | st.sampled_from(ADDRESSES)),
        helo_name=draw(hosts),
        mailfrom=draw(mailboxes),
        rcpt=draw(mailboxes),
        authenticated=draw(st.booleans()),
        tls=draw(st.booleans()),
    )
    evidence = draw(replaced(evidence, FACTS))
    if text is not None:
        names = tuple(name for name in draw(st.lists(text, max_size=2)) if name)
        evidence = replace(evidence, iprev=replace(evidence.iprev, names=(), claimed=names, count=len(names)))
    if unknown:
        rng = Random(draw(SEEDS))
        missing = rng.choice((FACTS.keys(), _some(rng, sorted(FACTS)), _some(rng, LOOKED_UP, 1)))
        evidence = with_facts(evidence, dict.fromkeys(missing, UNKNOWN))
    if exempt and draw(st.integers(0, 4)) == 4:
        evidence = exempted(evidence, draw(st.sampled_from(("network", "authenticated", "not-ip", "relay"))))
    return replace(evidence, via=RELAY) if via and (evidence.exempt == "relay" or draw(st.booleans())) else evidence


def _some(rng: Random, words: Sequence[str], least: int = 0) -> frozenset[str]:
    return frozenset(rng.sample(words, rng.randint(least, len(words))))


def with_sources(evidence: Evidence, rng: Random, without: Collection[str] = ()) -> Evidence:
    """The evidence with any value for each provider and each list, but those `without`; a list can have several answers."""
    spf, answers = ([each for each in values if each not in without] for values in SOURCE_VALUES.values())
    providers = tuple((name, rng.choice(spf)) for name in PROVIDERS)
    lists = [(name, rng.choice(answers)) for name in ("first", "second")]
    if "." in lists[0][1]:
        lists.append(("first", "127.0.99.99"))
    return replace(evidence, client_spf=providers, dnslist=tuple(lists))


def _names(rng: Random) -> Names:
    return Names(_some(rng, ("mx.example.com", "example.com", "localhost")), _some(rng, SUFFIXES))


def _mailboxes(rng: Random) -> Mailboxes:
    addresses = _some(rng, ("a@example.com", '"x, y"@example.net'))
    return Mailboxes(addresses, _some(rng, ("postmaster", "a")), _names(rng), rng.random() < 0.5)


_VALUES: Mapping[str, Callable[[Random], Values]] = MappingProxyType(
    {
        "client": lambda rng: Networks(map(parse_network, sorted(_some(rng, NETWORKS)))),
        "ptr": _names,
        "helo_name": _names,
        "mailfrom": _mailboxes,
        "rcpt": _mailboxes,
        "client_spf": lambda rng: Domains(_some(rng, PROVIDERS, 1)),
        "dnslist": lambda rng: Listings(frozenset(rng.sample(LISTINGS, rng.randint(1, 2)))),
        "authenticated": lambda rng: rng.random() < 0.5,
        "tls": lambda rng: rng.random() < 0.5,
        "min_score": lambda rng: rng.choice(SCORES),
    }
)
assert _VALUES.keys() == CONDITIONS.keys()


def _condition(rng: Random, names: Sequence[str]) -> Condition:
    name = rng.choice(names)
    return Condition(name, Words(_some(rng, FACTS[name].words, 1)) if name in FACTS else _VALUES[name](rng))


def _rule(rng: Random, names: Sequence[str]) -> Rule:
    return Rule(
        name=rng.choice(("a", "b", "no-rdns", "two words", 'quo"ted')),
        when=tuple(_condition(rng, names) for _ in range(rng.choice((0, 1, 1, 2)))),
        unless=tuple(_condition(rng, names) for _ in range(rng.choice((0, 0, 1, 2)))),
        action=rng.choice(("", "", "", "reject", "reject", "quarantine", *ACTIONS)),
        score=rng.choice(SCORES),
        shadow=rng.random() < 0.15,
    )


def policies(but: frozenset[str] = frozenset(), modes: Sequence[str] = MODES) -> SearchStrategy[Policy]:
    """Return a strategy for policies whose rules test one to three facts and conditions, none of them in `but`; so few that rules
    often match."""
    often = [*FACTS, *CONDITIONS, *LOOKED_UP, *LOOKED_UP, *LOOKED_UP, "ptr"]
    names = [name for name in often if name not in but]

    def build(seed: int) -> Policy:
        rng = Random(seed)
        asked = rng.choices(names, k=3)
        rules = [_rule(rng, asked) for _ in range(rng.randint(0, 6))]
        shape = rng.random()
        if shape < 0.3:  # the last rule has no condition, so the default is never reached
            rules.append(Rule("rest", action=rng.choice(ACTIONS)))
        elif shape < 0.6:  # the verdict depends on a score
            rules = [replace(rule, action="", shadow=False) for rule in rules]
            enough = Condition("min_score", rng.choice(SCORES))
            rules.append(Rule("enough", (enough,), action=rng.choice(("reject", "quarantine"))))
        return Policy(tuple(rules), rng.choice(modes), "3f9a1c")

    return SEEDS.map(build)


@st.composite
def decisions(draw: st.DrawFn, text: SearchStrategy[str], via: bool = False) -> Decision:
    """Return a strategy for decisions: any evidence with the verdict of any policy. `text`: for names, mailboxes and replies;
    `via`: see evidences."""
    evidence = draw(evidences(exempt=True, text=text, via=via))
    policy = draw(policies())
    milliseconds = st.floats(0, 1e5)
    return Decision(
        verdict=decide(evidence, policy),
        evidence=evidence,
        rcpts=(evidence.rcpt, *draw(st.lists(text, max_size=4))),
        qid=draw(st.sampled_from(("", "4bQ1Xz2Lq9zT1", "0A1B2C3D4E"))),
        mode=policy.mode,
        policy=policy.digest,
        cost=draw(st.builds(Cost, st.integers(0, 40), st.integers(0, 40), st.just(0), milliseconds, milliseconds)),
        reply=draw(text),
    )


def possible(evidence: Evidence, number: int) -> Evidence:
    """Return the same client with facts that can occur together."""
    dice = Random(number)
    words: dict[str, str] = {}
    for name, fact in FACTS.items():
        allowed = set(fact.words)
        for first, second, table in reachability._TOGETHER:
            if second == name and first in words:
                allowed &= table[words[first]]
        words[name] = dice.choice(sorted(allowed))
    names = ("mx.example.com",) if words["iprev"] == "pass" else ()
    evidence = with_facts(evidence, words)
    return replace(
        evidence,
        helo_name="" if words["helo_kind"] == "missing" else evidence.helo_name or "x",
        iprev=replace(evidence.iprev, names=names, claimed=names),
    )
