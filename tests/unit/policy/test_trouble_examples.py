"""What temporary DNS trouble and missing facts do to a verdict, a case a line. For any policy: test_trouble_properties.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rdns_milter.checks.evidence import (
    UNKNOWN,
    Evidence,
    exempted,
    facts_in_doubt,
    facts_in_trouble,
    hide_doubtful_facts,
    missing_facts,
)
from rdns_milter.policy.decide import decide, possible_actions, reply_is_settled
from rdns_milter.policy.rules import OBSERVE, Condition, Policy, Rule
from tests.kit.data.rules import CLIENT, asks, below, client, exact, listed, providers
from tests.kit.data.strategies import with_facts

ONE = Rule("one", asks(iprev="fail"), action="reject")
TWO = Rule("two", asks(spf_mailfrom="softfail"), action="tag")
PLUS = Rule("plus", asks(iprev="fail"), score=2.5)
MINUS = Rule("minus", asks(spf_mailfrom="softfail"), score=-1.0)
FIVE = Rule("five", asks(min_score=2.0), action="reject")
ACCEPT_PASS = Rule("ok", asks(spf_mailfrom="pass"), action="accept")
LESS = Rule("less", asks(spf_mailfrom="pass"), score=-1.0)
MORE = Rule("more", asks(spf_mailfrom="fail"), score=1.0)
ACCEPT_BOTH = Rule("ok", asks(spf_mailfrom="pass", iprev="pass"), action="accept")
ACCEPT_PTR = Rule("ok", asks(ptr=below(".example.com")), action="accept")
REJECT_ALL = Rule("all", action="reject")
REVERSE, GREETING, SENDER = ({name: "temperror"} for name in ("iprev", "spf_helo", "spf_mailfrom"))
LATE = {"iprev": "temperror", "iprev_reason": "timeout"}


def rejects(when: tuple[Condition, ...] = (), unless: tuple[Condition, ...] = ()) -> Rule:
    return Rule("r", when, unless, "reject")


ONE_TROUBLED = {"client_spf": (("one.example", "temperror"), ("two.example", "none"))}
LIST_TROUBLED, LIST_REFUSED = ({"dnslist": (("bl", "none"), ("wl", word))} for word in ("temperror", "refused"))
ACCEPT_ONE = Rule("ok", asks(client_spf=providers("one.example")), action="accept")

# Which fact is in trouble, the rules, and what happens: refused only where DNS could not have changed it.
SOFTENED: list[tuple[str, dict[str, Any], tuple[Rule, ...], str]] = [
    ("the rule tests it", REVERSE, (rejects(asks(iprev="fail temperror")),), "tempfail"),
    ("quarantine too", REVERSE, (Rule("r", asks(iprev="temperror"), action="quarantine"),), "tempfail"),
    ("the rule excepts it", SENDER, (rejects(unless=asks(spf_mailfrom="pass")),), "tempfail"),
    ("one of several", GREETING, (rejects(asks(iprev="fail"), asks(spf_helo="pass")),), "tempfail"),
    ("generic is made of iprev", REVERSE, (rejects(asks(generic="yes")),), "tempfail"),
    ("so is helo_match", REVERSE, (rejects(asks(helo_match="different")),), "tempfail"),
    ("so is mailfrom_match", REVERSE, (rejects(unless=asks(mailfrom_match="same")),), "tempfail"),
    ("so is iprev_reason", LATE, (rejects(asks(iprev_reason="timeout")),), "tempfail"),
    ("so is ptr", REVERSE, (rejects(unless=asks(ptr=below(".example.com"))), REJECT_ALL), "tempfail"),
    ("an earlier rule could have accepted", SENDER, (ACCEPT_PASS, REJECT_ALL), "tempfail"),
    ("or tagged", SENDER, (replace(ACCEPT_PASS, action="tag"), REJECT_ALL), "tempfail"),
    ("or accepted by ptr", REVERSE, (ACCEPT_PTR, REJECT_ALL), "tempfail"),
    ("or quarantined", SENDER, (replace(ACCEPT_PASS, action="quarantine"), REJECT_ALL), "tempfail"),
    ("a score could have been lower", SENDER, (PLUS, LESS, FIVE), "tempfail"),
    ("the score comes of it", GREETING, (Rule("p", asks(spf_helo="temperror fail"), score=3), FIVE), "tempfail"),
    ("no score could have spared it", SENDER, (PLUS, MORE, FIVE), "reject"),
    ("the rule asks about other facts", SENDER, (ONE,), "reject"),
    ("an earlier rule would have refused anyway", SENDER, (replace(ACCEPT_PASS, action="reject"), REJECT_ALL), "reject"),
    ("an earlier rule asks in vain", SENDER, (ACCEPT_BOTH, REJECT_ALL), "reject"),
    ("later rules do not matter", SENDER, (ONE, ACCEPT_PASS), "reject"),
    ("an earlier shadow does not matter", SENDER, (replace(ACCEPT_PASS, shadow=True), REJECT_ALL), "reject"),
    ("no condition at all", {"iprev": "temperror", "helo": "temperror"}, (REJECT_ALL,), "reject"),
    ("tags stay", SENDER, (Rule("r", asks(spf_mailfrom="temperror"), action="tag"),), "tag"),
    ("accept stays", SENDER, (Rule("r", asks(spf_mailfrom="temperror"), action="accept"), REJECT_ALL), "accept"),
    ("tempfail stays", SENDER, (Rule("r", asks(spf_mailfrom="temperror"), action="tempfail"),), "tempfail"),
    ("a provider that is tested", ONE_TROUBLED, (rejects(unless=asks(client_spf=providers("one.example"))),), "tempfail"),
    ("another provider", ONE_TROUBLED, (rejects(unless=asks(client_spf=providers("two.example"))),), "reject"),
    ("one of two providers", ONE_TROUBLED, (rejects(unless=asks(client_spf=providers("one.example", "two.example"))),), "tempfail"),
    ("a provider could have accepted", ONE_TROUBLED, (ACCEPT_ONE, REJECT_ALL), "tempfail"),
    ("a list that is tested", LIST_TROUBLED, (rejects(unless=asks(dnslist=listed("wl"))),), "tempfail"),
    ("another list", LIST_TROUBLED, (rejects(unless=asks(dnslist=listed("bl"))),), "reject"),
    ("a list that refuses", LIST_REFUSED, (rejects(unless=asks(dnslist=listed("wl:127.0.*.2"))),), "tempfail"),
    ("permerror is no trouble", {"spf_mailfrom": "permerror"}, (rejects(asks(spf_mailfrom="permerror")),), "reject"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "rules", "action"), [case[1:] for case in SOFTENED], ids=[case[0] for case in SOFTENED]
)
def test_trouble_softens(facts: dict[str, str], rules: tuple[Rule, ...], action: str) -> None:
    verdict = decide(with_facts(CLIENT, facts), Policy(rules))
    asked = {rule.name: rule.action for rule in rules}[verdict.rule]
    assert verdict.action == action
    assert verdict.softened == (asked in ("reject", "quarantine") and action == "tempfail")


@pytest.mark.parametrize(
    ("rules", "would"),
    [
        # What the shadow would do by itself counts, not what the rest of the policy does.
        ((Rule("s", asks(helo_own="no"), action="reject", shadow=True),), "reject"),
        ((Rule("s", asks(helo_own="no"), action="reject", shadow=True), ACCEPT_PASS), "reject"),
        ((Rule("s", unless=asks(spf_mailfrom="pass"), action="reject", shadow=True),), "tempfail"),
        ((ACCEPT_PASS, Rule("s", asks(helo_own="no"), action="reject", shadow=True)), "tempfail"),
    ],
)
def test_trouble_softens_shadows(rules: tuple[Rule, ...], would: str) -> None:
    assert decide(with_facts(CLIENT, SENDER), Policy(rules)).would == (would,)


FAIL_REJECTED = Rule("fail", asks(spf_mailfrom="fail"), action="reject")
HOLD_UNLESS_PASS = Rule("hold", unless=asks(spf_helo="pass"), action="quarantine")
HOLD_ALL = Rule("all", action="quarantine")

# What is still unknown, the rules, what may come of it: over the actions the reply is settled if all of them take the recipient.
POSSIBLE: list[tuple[str, dict[str, str], tuple[Rule, ...], str]] = [
    ("nothing unknown", {}, (ONE,), "reject"),
    ("nobody asks", {"spf_helo": UNKNOWN}, (ONE,), "reject"),
    ("nobody asks before it matters", {"spf_mailfrom": UNKNOWN}, (ONE, FAIL_REJECTED), "reject"),
    ("it may refuse", {"spf_mailfrom": UNKNOWN}, (FAIL_REJECTED,), "accept reject tempfail"),
    ("it may tag", {"spf_mailfrom": UNKNOWN}, (TWO,), "accept tag"),
    ("it may tag, else another tags", {"spf_mailfrom": UNKNOWN}, (TWO, Rule("t", action="tag")), "tag"),
    ("whatever it is", {"spf_mailfrom": UNKNOWN}, (replace(TWO, when=asks(spf_mailfrom="softfail", iprev="pass")),), "accept"),
    ("whatever it is, spared", {"spf_mailfrom": UNKNOWN}, (replace(FAIL_REJECTED, unless=asks(generic="yes")),), "accept"),
    ("a score may suffice", {"iprev": UNKNOWN}, (PLUS, FIVE), "accept reject tempfail"),
    ("a score cannot suffice", {"iprev": UNKNOWN}, (replace(PLUS, score=1.0), FIVE), "accept"),
    ("a score suffices in any case", {"spf_mailfrom": UNKNOWN}, (PLUS, replace(MINUS, score=-0.5), FIVE), "reject"),
    ("shadows do not matter", {"spf_mailfrom": UNKNOWN}, (replace(FAIL_REJECTED, shadow=True),), "accept"),
    ("the confirmed name is unknown", {"iprev": UNKNOWN}, (replace(ACCEPT_PTR, action="tag"),), "accept tag"),
    ("held or accepted", {"spf_mailfrom": UNKNOWN}, (replace(FAIL_REJECTED, action="quarantine"),), "accept quarantine tempfail"),
    ("held for a fact in trouble", {**GREETING, "spf_mailfrom": UNKNOWN}, (HOLD_UNLESS_PASS,), "quarantine tempfail"),
    ("held unless it gets into trouble", {"spf_helo": UNKNOWN}, (HOLD_UNLESS_PASS, HOLD_ALL), "quarantine tempfail"),
    ("held, but trouble could have spared it", {**SENDER, "helo": UNKNOWN}, (ACCEPT_PASS, HOLD_ALL), "quarantine tempfail"),
    ("held whatever comes", {"spf_helo": UNKNOWN, "iprev": "temperror"}, (HOLD_ALL,), "quarantine"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "rules", "actions"), [case[1:] for case in POSSIBLE], ids=[case[0] for case in POSSIBLE]
)
def test_what_may_come_of_unknown_facts(facts: dict[str, str], rules: tuple[Rule, ...], actions: str) -> None:
    evidence, policy = with_facts(CLIENT, facts), Policy(rules)
    assert possible_actions(evidence, policy) == set(actions.split())
    assert reply_is_settled(evidence, policy) == ({"reject", "tempfail"}.isdisjoint(actions.split()))


@pytest.mark.parametrize(
    ("rules", "actions"),
    [((FAIL_REJECTED,), "accept"), ((FAIL_REJECTED, Rule("t", action="tag")), "accept tag"), ((REJECT_ALL,), "accept")],
)
def test_what_may_come_of_unknown_facts_when_observing(rules: tuple[Rule, ...], actions: str) -> None:
    evidence, policy = with_facts(CLIENT, {"spf_mailfrom": UNKNOWN}), Policy(rules, OBSERVE)
    assert possible_actions(evidence, policy) == set(actions.split())
    assert reply_is_settled(evidence, policy)


def test_the_exempt_are_settled() -> None:
    assert possible_actions(exempted(Evidence(), "network"), Policy((REJECT_ALL,))) == {"accept"}


MADE_OF_IPREV = {"iprev", "iprev_reason", "generic", "helo_match", "mailfrom_match"}


@pytest.mark.parametrize(
    ("facts", "trouble", "doubt"),
    [
        ({}, set(), set()),
        (REVERSE, MADE_OF_IPREV, MADE_OF_IPREV),
        ({"iprev": UNKNOWN}, set(), MADE_OF_IPREV),
        ({"helo": "temperror", "spf_mailfrom": UNKNOWN}, {"helo"}, {"helo", "spf_mailfrom"}),
        (
            {"spf_helo": "temperror", "spf_mailfrom": "temperror"},
            {"spf_helo", "spf_mailfrom"},
            {"spf_helo", "spf_mailfrom"},
        ),
        ({"generic": UNKNOWN}, set(), {"generic"}),
    ],
)
def test_facts_in_trouble_and_in_doubt(facts: dict[str, str], trouble: set[str], doubt: set[str]) -> None:
    evidence = with_facts(CLIENT, facts)
    assert facts_in_trouble(evidence) == trouble
    assert facts_in_doubt(evidence) == doubt
    assert missing_facts(hide_doubtful_facts(evidence)) == doubt


def test_a_rule_names_the_facts_it_asks_about() -> None:
    rule = Rule("r", asks(client=client(), ptr=exact("a.example")), asks(spf_helo="pass", min_score=1.0))
    assert rule.facts() == {"iprev", "spf_helo"}
