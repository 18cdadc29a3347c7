"""Rules on evidence, a case a line (packaging/doc/rules.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rdns_milter.checks.evidence import FACTS, Iprev, Spf, exempted, missing_facts
from rdns_milter.net.names import parse_address
from rdns_milter.policy.decide import CONDITIONS, decide
from rdns_milter.policy.rules import OBSERVE, Policy, Rule
from tests.kit.data.rules import CLIENT, CONFIRMED, asks, below, boxes, client, exact, listed, providers
from tests.kit.data.strategies import with_facts

SPF_OF_TWO = (("one.example", "none"), ("two.example", "pass"))
# Does a rule with this condition match a client like this one?
HOLDS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    # Every fact, by a word that it has and by others.
    ({"iprev": "fail"}, {}, True),
    ({"iprev": "permerror fail"}, {}, True),
    ({"iprev": "pass none"}, {}, False),
    ({"iprev_reason": "not-confirmed"}, {}, True),
    ({"iprev_reason": "no-ptr no-forward"}, {}, False),
    ({"generic": "yes"}, {}, True),
    ({"generic": "no none"}, {}, False),
    ({"helo_kind": "fqdn"}, {}, True),
    ({"helo_kind": "invalid missing literal"}, {}, False),
    ({"helo": "fail"}, {}, True),
    ({"helo": "pass"}, {}, False),
    ({"helo_match": "different none"}, {}, True),
    ({"helo_match": "same aligned"}, {}, False),
    ({"helo_own": "no"}, {}, True),
    ({"helo_own": "yes"}, {}, False),
    ({"spf_helo": "none neutral"}, {}, True),
    ({"spf_helo": "pass"}, {}, False),
    ({"spf_mailfrom": "softfail"}, {}, True),
    ({"spf_mailfrom": "fail"}, {}, False),
    ({"mailfrom_match": "aligned"}, {}, True),
    ({"mailfrom_match": "same"}, {}, False),
    # A fact that is not known matches nothing.
    ({"spf_helo": "pass fail softfail neutral none temperror permerror"}, {"spf_helo": Spf()}, False),
    # client
    ({"client": client("192.0.2.7")}, {}, True),
    ({"client": client("198.51.100.0/24", "192.0.2.0/29")}, {}, True),
    ({"client": client("192.0.2.8/29")}, {}, False),
    ({"client": client()}, {}, False),
    ({"client": client("2001:db8::/32")}, {"client": parse_address("2001:db8::25")}, True),
    ({"client": client("::/0")}, {}, False),
    ({"client": client("0.0.0.0/0", "::/0")}, {"client": None}, False),
    # ptr: a confirmed name, on label boundaries
    ({"ptr": exact("mx.example.com")}, {"iprev": CONFIRMED.iprev}, True),
    ({"ptr": below(".example.com")}, {"iprev": CONFIRMED.iprev}, True),
    ({"ptr": below(".com")}, {"iprev": CONFIRMED.iprev}, True),
    ({"ptr": below(".mx.example.com")}, {"iprev": CONFIRMED.iprev}, False),
    ({"ptr": below(".ample.com")}, {"iprev": CONFIRMED.iprev}, False),
    ({"ptr": exact("example.com")}, {"iprev": CONFIRMED.iprev}, False),
    ({"ptr": exact("pool-7.isp.example")}, {}, False),
    ({"ptr": below(".example")}, {"iprev": Iprev("temperror", "timeout", (), ("pool-7.isp.example",), 1)}, False),
    # helo_name: without regard to case and final dot, as A-labels
    ({"helo_name": exact("mx.example.com")}, {}, True),
    ({"helo_name": below(".example.com")}, {}, True),
    ({"helo_name": exact("example.com")}, {}, False),
    ({"helo_name": exact("xn--bcher-kva.example")}, {"helo_name": "Bücher.example"}, True),
    ({"helo_name": below(".example.com")}, {"helo_name": ""}, False),
    # mailfrom
    ({"mailfrom": boxes("anna@example.com")}, {}, True),
    ({"mailfrom": boxes("otto@example.com")}, {}, False),
    ({"mailfrom": boxes(local="anna")}, {}, True),
    ({"mailfrom": boxes(domains=exact("example.com"))}, {}, True),
    ({"mailfrom": boxes(domains=below(".example.com"))}, {}, False),
    ({"mailfrom": boxes(domains=below(".example.com"))}, {"mailfrom": "a@b.example.com"}, True),
    ({"mailfrom": boxes(domains=exact("example.com"))}, {"mailfrom": '"x@example.org"@example.com'}, True),
    ({"mailfrom": boxes(domains=exact("example.org"))}, {"mailfrom": '"x@example.org"@example.com'}, False),
    ({"mailfrom": boxes(null=True)}, {}, False),
    ({"mailfrom": boxes(null=True)}, {"mailfrom": ""}, True),
    ({"mailfrom": boxes(null=True)}, {"mailfrom": "@"}, False),
    ({"mailfrom": boxes(domains=exact("example.com"))}, {"mailfrom": ""}, False),
    # rcpt
    ({"rcpt": boxes("bob@example.net")}, {}, True),
    ({"rcpt": boxes(local="postmaster")}, {}, False),
    ({"rcpt": boxes(local="postmaster")}, {"rcpt": "PostMaster@example.net"}, True),
    ({"rcpt": boxes(local="postmaster")}, {"rcpt": "postmaster"}, True),
    ({"rcpt": boxes(domains=exact("example.net"))}, {"rcpt": "bob@EXAMPLE.net."}, True),
    # client_spf: one of the domains that were asked passes
    ({"client_spf": providers("one.example")}, {"client_spf": (("one.example", "pass"),)}, True),
    ({"client_spf": providers("two.example", "one.example")}, {"client_spf": SPF_OF_TWO}, True),
    ({"client_spf": providers("one.example")}, {"client_spf": SPF_OF_TWO}, False),
    ({"client_spf": providers("one.example")}, {"client_spf": (("one.example", "temperror"),)}, False),
    ({"client_spf": providers("one.example")}, {"client_spf": (("one.example", "unknown"),)}, False),
    ({"client_spf": providers("one.example")}, {"client_spf": None}, False),
    ({"client_spf": providers("one.example")}, {}, False),
    # dnslist: an answer of the list that counts
    ({"dnslist": listed("wl")}, {"dnslist": (("wl", "127.0.10.2"),)}, True),
    ({"dnslist": listed("wl:127.0.*.2-3")}, {"dnslist": (("wl", "127.0.10.3"),)}, True),
    ({"dnslist": listed("wl:127.0.*.2-3")}, {"dnslist": (("wl", "127.0.10.0"), ("wl", "127.0.11.2"))}, True),
    ({"dnslist": listed("wl:127.0.*.2-3")}, {"dnslist": (("wl", "127.0.10.1"), ("wl", "127.1.10.2"))}, False),
    ({"dnslist": listed("wl:127.0.*.2-3")}, {"dnslist": (("bl", "127.0.10.2"),)}, False),
    ({"dnslist": listed("wl")}, {"dnslist": (("wl", "none"),)}, False),
    ({"dnslist": listed("wl")}, {"dnslist": (("wl", "temperror"),)}, False),
    ({"dnslist": listed("wl")}, {"dnslist": (("wl", "refused"),)}, False),
    ({"dnslist": listed("wl")}, {"dnslist": (("wl", "unknown"),)}, False),
    ({"dnslist": listed("wl")}, {"dnslist": None}, False),
    ({"dnslist": listed("wl")}, {}, False),
    # authenticated, tls
    ({"authenticated": False}, {}, True),
    ({"authenticated": True}, {}, False),
    ({"authenticated": True}, {"authenticated": True}, True),
    ({"tls": True}, {}, False),
    ({"tls": True}, {"tls": True}, True),
    ({"tls": False}, {"tls": True}, False),
    # min_score, before any rule has scored
    ({"min_score": 0.0}, {}, True),
    ({"min_score": -1.0}, {}, True),
    ({"min_score": 0.5}, {}, False),
    # All must hold; none at all always do.
    ({"iprev": "fail", "spf_mailfrom": "softfail"}, {}, True),
    ({"iprev": "fail", "spf_mailfrom": "pass"}, {}, False),
    ({}, {}, True),
]


@pytest.mark.parametrize(("conditions", "changes", "holds"), HOLDS)
def test_a_condition_holds(conditions: dict[str, Any], changes: dict[str, Any], holds: bool) -> None:
    evidence = replace(CLIENT, **changes)
    assert decide(evidence, Policy((Rule("r", when=asks(**conditions), action="tag"),))).action == (
        "tag" if holds else "accept"
    )


SINGLE = [(conditions, changes, holds) for conditions, changes, holds in HOLDS if len(conditions) == 1]


@pytest.mark.parametrize(("conditions", "changes", "holds"), SINGLE)
def test_an_exception_holds_where_the_condition_does(
    conditions: dict[str, Any], changes: dict[str, Any], holds: bool
) -> None:
    evidence = replace(CLIENT, **changes)
    skipped = decide(evidence, Policy((Rule("r", unless=asks(**conditions), action="tag"),))).action == "accept"
    # Whether an exception holds that asks about an unknown fact is unknown too: then the rule is not sure to match.
    assert skipped == (holds or bool(missing_facts(evidence) & conditions.keys()))


def test_every_fact_and_condition_is_in_the_table() -> None:
    assert {name for conditions, _, holds in HOLDS for name in conditions if holds} == FACTS.keys() | CONDITIONS.keys()


ONE = Rule("one", asks(iprev="fail"), action="reject")
TWO = Rule("two", asks(spf_mailfrom="softfail"), action="tag")
REST = Rule("rest", action="quarantine")
FAR = Rule("far", asks(iprev="pass"), action="accept")
PLUS = Rule("plus", asks(iprev="fail"), score=2.5)
MINUS = Rule("minus", asks(spf_mailfrom="softfail"), score=-1.0)
FIVE = Rule("five", asks(min_score=2.0), action="reject")
SHADOW = Rule("shadow", asks(generic="yes"), action="reject", shadow=True)

Outcome = tuple[str, str, float, tuple[str, ...], tuple[str, ...]]

# Which rule of several decides: rules, action, rule, score, would, shadow_rules.
ORDER: list[tuple[str, tuple[Rule, ...], Outcome]] = [
    ("no rules", (), ("accept", "default", 0, (), ())),
    ("none matches", (FAR,), ("accept", "default", 0, (), ())),
    ("the first that matches", (FAR, ONE, TWO), ("reject", "one", 0, (), ())),
    ("in their order", (TWO, ONE), ("tag", "two", 0, (), ())),
    ("one without conditions", (FAR, REST), ("quarantine", "rest", 0, (), ())),
    ("accept ends it", (Rule("ok", action="accept"), ONE), ("accept", "ok", 0, (), ())),
    ("tempfail as asked", (Rule("later", action="tempfail"),), ("tempfail", "later", 0, (), ())),
    ("any exception of several", (replace(TWO, unless=asks(iprev="pass", generic="yes")),), ("accept", "default", 0, (), ())),
    ("no exception", (replace(TWO, unless=asks(iprev="pass", generic="no")),), ("tag", "two", 0, (), ())),
    ("scores alone", (PLUS,), ("accept", "default", 2.5, (), ())),
    ("enough", (PLUS, FIVE), ("reject", "five", 2.5, (), ())),
    ("scores go down too", (PLUS, MINUS, FIVE), ("accept", "default", 1.5, (), ())),
    ("only scores before it count", (FIVE, PLUS), ("accept", "default", 2.5, (), ())),
    ("what does not match scores nothing", (replace(PLUS, when=asks(iprev="pass")), FIVE), ("accept", "default", 0, (), ())),
    ("scores behind the decision do not count", (TWO, PLUS), ("tag", "two", 0, (), ())),
    ("a shadow only", (SHADOW,), ("accept", "default", 0, ("reject",), ("shadow",))),
    ("a shadow and a rule", (SHADOW, TWO), ("tag", "two", 0, ("reject",), ("shadow",))),
    ("a shadow that does not match", (replace(SHADOW, when=asks(generic="no")), TWO), ("tag", "two", 0, (), ())),
    ("a shadow behind the decision", (TWO, SHADOW), ("tag", "two", 0, (), ())),
    ("several shadows", (SHADOW, replace(TWO, shadow=True)), ("accept", "default", 0, ("reject", "tag"), ("shadow", "two"))),
    ("a shadow of a score", (PLUS, replace(FIVE, shadow=True)), ("accept", "default", 2.5, ("reject",), ("five",))),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER])
def test_the_first_rule_decides(rules: tuple[Rule, ...], expected: Outcome) -> None:
    verdict = decide(CLIENT, Policy(rules))
    assert (verdict.action, verdict.rule, verdict.score, verdict.would, verdict.shadow_rules) == expected
    assert verdict.because == next((rule for rule in rules if rule.name == verdict.rule), None)


@pytest.mark.parametrize(
    ("rules", "action", "rule", "would"),
    [
        ((ONE,), "accept", "one", ("reject",)),
        ((REST,), "accept", "rest", ("quarantine",)),
        ((Rule("later", action="tempfail"),), "accept", "later", ("tempfail",)),
        ((TWO,), "tag", "two", ()),
        ((Rule("ok", action="accept"),), "accept", "ok", ()),
        ((), "accept", "default", ()),
        ((SHADOW,), "accept", "default", ("reject",)),
        ((SHADOW, TWO), "tag", "two", ("reject",)),
        ((replace(SHADOW, action="quarantine"), ONE), "accept", "one", ("reject",)),
    ],
)
def test_observing(rules: tuple[Rule, ...], action: str, rule: str, would: tuple[str, ...]) -> None:
    verdict = decide(CLIENT, Policy(rules, OBSERVE))
    assert (verdict.action, verdict.rule, verdict.would) == (action, rule, would)


def test_observing_says_tempfail_where_enforcing_would() -> None:
    evidence = with_facts(CLIENT, {"spf_mailfrom": "temperror"})
    verdict = decide(evidence, Policy((Rule("r", unless=asks(spf_mailfrom="pass"), action="reject"),), OBSERVE))
    assert (verdict.action, verdict.would) == ("accept", ("tempfail",))


@pytest.mark.parametrize("why", ["network", "authenticated", "not-ip"])
def test_the_exempt_are_not_judged(why: str) -> None:
    verdict = decide(exempted(CLIENT, why), Policy((SHADOW, PLUS, REST)))
    assert (verdict.action, verdict.rule, verdict.score, verdict.would) == ("accept", f"exempt:{why}", 0, ())


def test_recipients_are_judged_one_by_one() -> None:
    policy = Policy((Rule("spare", asks(rcpt=boxes(local="postmaster")), action="accept"), ONE))
    verdicts = [
        decide(replace(CLIENT, rcpt=rcpt), policy).rule for rcpt in ("bob@example.net", "postmaster@example.net")
    ]
    assert verdicts == ["one", "spare"]


LAST_DAY = date(2026, 12, 31)


@pytest.mark.parametrize(
    ("today", "rule"),
    [(date(2026, 1, 1), "one"), (LAST_DAY, "one"), (date(2027, 1, 1), "two"), (date(2030, 6, 1), "two")],
)
def test_a_rule_ends_after_its_last_day(today: date, rule: str) -> None:
    policy = Policy((replace(ONE, until=LAST_DAY), TWO))
    assert decide(CLIENT, policy.in_force(today)).rule == rule


def test_a_policy_without_ended_rules_stays_the_same() -> None:
    policy = Policy((ONE, replace(TWO, until=LAST_DAY)), OBSERVE, "digest")
    assert policy.in_force(LAST_DAY) is policy
    assert policy.in_force(date(2027, 1, 1)) == Policy((ONE,), OBSERVE, "digest")
