"""A randomly generated log of the milter: any number of decisions, the same for the same seed.

Facts are combined at random, also in combinations that no lookup can give. Names, senders and clients repeat as in real mail: a few
often, most rarely.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from random import Random

from rdns_milter.checks.evidence import FACTS, SPF_RESULTS, Cost, Evidence, Generic, Helo, Iprev, Spf, exempted
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import REJECT, TEMPFAIL, Policy

_REASONS = {
    "pass": ("confirmed",),
    "fail": ("not-confirmed", "no-forward"),
    "permerror": ("no-ptr",),
    "temperror": ("timeout", "servfail"),
}
_REPLIES = {REJECT: "550 5.7.25 no reverse name", TEMPFAIL: "451 4.7.25 try again later"}


_NEIGHBOUR = ip_address("10.1.2.3")  # in a network that is exempt by default


def _zipf(rng: Random, many: int) -> int:
    """Return a random number below `many`, small ones far more often (Zipf's law)."""
    return int(many ** rng.random()) - 1


def evidence(rng: Random) -> Evidence:
    """Return random evidence; one client in twenty is exempt."""
    result = rng.choice(("pass", "pass", "pass", "fail", "permerror", "temperror"))
    reason = rng.choice(_REASONS[result])
    name = f"mx{_zipf(rng, 5000)}.example.{rng.choice(('com', 'net', 'org'))}" if result in ("pass", "fail") else ""
    names = (name,) if name else ()
    number = _zipf(rng, 65_536)
    words = {
        fact: rng.choice(FACTS[fact].words) for fact in ("generic", "helo_kind", "helo", "helo_match", "mailfrom_match")
    }
    client = f"198.51.{number % 256}.{number // 256 % 256}" if rng.random() < 0.8 else f"2001:db8::{number:x}"
    found = Evidence(
        client=ip_address(client),
        helo_name=rng.choice((name, f"host{_zipf(rng, 5000)}.example.net", "", "[192.0.2.1]")),
        mailfrom=rng.choice(("", f"user{_zipf(rng, 999)}@dom{_zipf(rng, 5000)}.example", f"x@{name or 'example.com'}")),
        rcpt=f"{rng.choice(('postmaster', 'info', f'user{_zipf(rng, 300)}'))}@rcpt.example",
        iprev=Iprev(result, reason, names if result == "pass" else (), names, len(names)),
        generic=Generic(words["generic"]),
        helo=Helo(words["helo_kind"], rng.choice(("no", "no", "no", "yes")), words["helo"], words["helo_match"]),
        spf_helo=Spf(rng.choice(SPF_RESULTS)),
        spf_mailfrom=Spf(rng.choice(SPF_RESULTS)),
        mailfrom_match=words["mailfrom_match"],
    )
    if rng.random() < 0.05:
        return exempted(found, "authenticated")
    return exempted(replace(found, client=_NEIGHBOUR), "network") if rng.random() < 0.03 else found


def decisions(policy: Policy, count: int, seed: int = 1) -> Iterator[Decision]:
    """Yield this number of decisions by the policy, each for one recipient."""
    rng = Random(seed)
    for number in range(count):
        found = evidence(rng)
        verdict = decide(found, policy)
        cost = Cost(rng.randrange(9), rng.randrange(3), 0, float(_zipf(rng, 4000)), float(_zipf(rng, 2000)))
        reply = _REPLIES.get(verdict.action, "")
        qid = "" if reply else f"4b{number:X}z"
        yield Decision(verdict, found, (found.rcpt,), qid, policy.mode, policy.digest, cost, reply)


def lines(policy: Policy, count: int, seed: int = 1, form: str = "logfmt", different: int = 0) -> Iterator[str]:
    """Yield decisions as lines of rsyslog, one a second. `different`: the number of different decisions; they are then repeated."""
    found: Iterator[str] = (line(decision, form) for decision in decisions(policy, different or count, seed))
    if different:
        found = itertools.islice(itertools.cycle(found), count)
    for number, each in enumerate(found):
        yield f"{stamp(number)} mail rdns-milter[4711]: {each}"


def stamp(seconds: int) -> str:
    """Return the time that is this number of seconds after the beginning of 20 November 2026."""
    days, rest = divmod(seconds, 86_400)
    return f"2026-11-{20 + days:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}.000000+00:00"
