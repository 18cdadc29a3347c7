"""Providers and DNS lists in a session: asked from CONNECT on if a rule asks, each once, and judged in three values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from ipaddress import ip_address
from typing import Any, cast

import pytest

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.checks.evidence import Generic, Iprev, Spf
from rdns_milter.config.load import Config, parse
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.logs.decision_line import parse as parse_line
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.net.names import Address
from rdns_milter.session.check_runner import HeloResult, PendingFact, ReverseName
from rdns_milter.session.service import Service, SessionEvents
from rdns_milter.session.session import Session

TODAY = date(2026, 12, 1)
CLIENT = "192.0.2.7"
LISTS = '[dnslists]\nwl = "wl.example"\nbl = "bl.example"\n'
PROVIDER = '[[rule]]\nname = "provider"\nwhen = { client_spf = ["a.example", "b.example"] }\naction = "accept"\n'
LISTED = '[[rule]]\nname = "listed"\nwhen = { dnslist = "wl:127.0.*.2-3" }\naction = "tag"\n'
REST = '[[rule]]\nname = "rest"\naction = "reject"\n'


@dataclass
class Sources:
    """Stand-in for CheckRunner: all is well with every client; providers and lists answer as `answers` says, None: not yet."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cancelled: list[PendingFact[Any]] = field(default_factory=list)
    facts: dict[str, PendingFact[Any]] = field(default_factory=dict)

    def start_reverse_name(self, address: Address, config: Config) -> PendingFact[ReverseName]:
        """See CheckRunner."""
        self.asked.append("iprev")
        return PendingFact(ReverseName(Iprev("pass", "confirmed", ("a.test",), ("a.test",), 1), Generic("no")))

    def start_helo(self, address: Address, name: str, config: Config) -> PendingFact[HeloResult]:
        """See CheckRunner."""
        self.asked.append("helo")
        return PendingFact(HeloResult("pass", ""))

    def start_spf(
        self, address: Address, mailbox: Mailbox, helo: str, config: Config, receiver: str = ""
    ) -> PendingFact[Spf]:
        """See CheckRunner."""
        self.asked.append("spf")
        return PendingFact(Spf("none"))

    def start_client_spf(self, address: Address, domain: str, config: Config) -> PendingFact[Spf]:
        """See CheckRunner."""
        result = self.answers.get(domain)
        return self._start(domain, Spf(result) if result else None)

    def start_dns_list(self, address: Address, zone: str, config: Config) -> PendingFact[tuple[str, ...]]:
        """See CheckRunner."""
        return self._start(zone, self.answers.get(zone))

    def _start(self, name: str, value: Any) -> PendingFact[Any]:
        self.asked.append(name)
        fact = self.facts[name] = PendingFact(value)
        return fact

    def cancel(self, *facts: PendingFact[Any]) -> None:
        """See CheckRunner."""
        self.cancelled += facts


@dataclass
class Run:
    """Sessions by one configuration. `waits`: the facts for which a message waited, by stage."""

    config: Config
    sources: Sources
    decisions: list[Decision] = field(default_factory=list)
    waits: list[tuple[str, str]] = field(default_factory=list)
    now: float = 0.0

    def session(self) -> Session:
        """Return a new session; to wait takes the whole time."""

        def wait(latch: object, seconds: float, is_over: object) -> bool:
            self.now += seconds
            return False

        events = SessionEvents(waited_for=lambda stage, fact, ms: self.waits.append((stage, fact)))
        return Session(
            Service(
                self.config,
                cast(Any, self.sources),
                self.decisions.append,
                lambda: TODAY,
                lambda: self.now,
                "mx",
                wait,
                events,
            )
        )

    def judge(self) -> dict[str, str]:
        """Send a message; return the keys of its decision, after replay has judged it alike."""
        session = self.session()
        session.connect(ip_address(CLIENT), "mx.test.example")
        session.helo("a.test")
        session.mail("a@x.example")
        if session.rcpt("b@test.example") is None:
            session.end()
        else:
            session.abort()
        session.close()
        decision = self.decisions[-1]
        fields = parse_line(line(decision))
        assert fields is not None
        assert Evaluator(self.config, TODAY).verdict(fields, "b@test.example") == decision.verdict
        return fields


def judged(answers: Mapping[str, Any], rules: str = PROVIDER + LISTED + REST) -> dict[str, str]:
    """Return the keys of the decision on a client of which providers and lists say this."""
    return Run(parse(LISTS + rules, "c.toml"), Sources(answers)).judge()


NO = {"a.example": "none", "b.example": "softfail", "wl.example": ("none",), "bl.example": ("none",)}


@pytest.mark.parametrize(
    ("answers", "action", "rule", "client_spf", "dnslist"),
    [
        ({}, "reject", "rest", "", ""),
        ({"b.example": "pass"}, "accept", "provider", "b.example", ""),
        ({"a.example": "pass", "b.example": "pass"}, "accept", "provider", "a.example,b.example", ""),
        ({"a.example": "temperror"}, "tempfail", "rest", "a.example:temperror", ""),
        ({"a.example": "temperror", "b.example": "pass"}, "accept", "provider", "a.example:temperror,b.example", ""),
        ({"a.example": "permerror"}, "reject", "rest", "", ""),
        ({"wl.example": ("127.0.10.2",)}, "tag", "listed", "", "wl:127.0.10.2"),
        ({"wl.example": ("127.0.10.0", "127.0.11.3")}, "tag", "listed", "", "wl:127.0.10.0,wl:127.0.11.3"),
        ({"wl.example": ("127.0.10.0",)}, "reject", "rest", "", "wl:127.0.10.0"),
        ({"wl.example": ("temperror",)}, "tempfail", "rest", "", "wl:temperror"),
        ({"wl.example": ("refused",)}, "tempfail", "rest", "", "wl:refused"),
    ],
)
def test_verdicts(answers: dict[str, Any], action: str, rule: str, client_spf: str, dnslist: str) -> None:
    fields = judged(NO | answers)
    assert (fields["action"], fields["rule"]) == (action, rule)
    assert (fields["client_spf"], fields["dnslist"]) == (client_spf, dnslist)


def test_they_are_asked_from_connect_on_and_once() -> None:
    run = Run(parse(LISTS + PROVIDER + LISTED + REST, "c.toml"), Sources(NO))
    session = run.session()
    session.connect(ip_address(CLIENT), "mx.test.example")
    assert run.sources.asked == ["iprev", "a.example", "b.example", "wl.example"]
    for _ in range(2):
        session.helo("a.test")
        session.mail("a@x.example")
        session.rcpt("b@test.example")
        session.end()
    assert run.sources.asked.count("a.example") == run.sources.asked.count("wl.example") == 1
    session.close()
    assert all(fact in run.sources.cancelled for fact in run.sources.facts.values())


@pytest.mark.parametrize("rules", ["", REST, LISTED.replace("wl", "bl") + REST])
def test_nothing_is_asked_that_no_rule_asks(rules: str) -> None:
    run = Run(parse(LISTS + rules, "c.toml"), Sources(NO))
    run.judge()
    expected = {"iprev", "helo", "spf"} | ({"bl.example"} if "bl" in rules else set())
    assert set(run.sources.asked) == expected


def test_an_exempt_client_is_not_asked_about() -> None:
    exempt = f'[exempt]\nnetworks = ["{CLIENT}"]\n'
    run = Run(parse(exempt + LISTS + PROVIDER + REST, "c.toml"), Sources(NO))
    assert run.judge()["rule"] == "exempt:network"
    assert run.sources.asked == []


def test_a_fact_that_comes_too_late_is_temporary_trouble() -> None:
    run = Run(parse(LISTS + PROVIDER + LISTED + REST, "c.toml"), Sources(NO | {"a.example": None, "wl.example": None}))
    fields = run.judge()
    assert (fields["action"], fields["client_spf"], fields["dnslist"]) == (
        "tempfail",
        "a.example:temperror",
        "wl:temperror",
    )
    assert run.waits == [("rcpt", "client_spf"), ("rcpt", "dnslist")]


def test_no_wait_for_what_cannot_change_the_reply() -> None:
    answers = NO | {"a.example": "pass", "b.example": None, "wl.example": None}
    session_rules = PROVIDER + LISTED
    run = Run(parse(LISTS + session_rules, "c.toml"), Sources(answers))
    session = run.session()
    session.connect(ip_address(CLIENT), "mx.test.example")
    session.helo("a.test")
    session.mail("a@x.example")
    assert session.rcpt("b@test.example") is None
    assert run.waits == []


def test_rules_of_a_reload_ask_what_the_connection_has_not_asked() -> None:
    run = Run(parse(LISTS + REST, "c.toml"), Sources(NO | {"a.example": "pass"}))
    session = run.session()
    service = session._service
    session.connect(ip_address(CLIENT), "mx.test.example")
    session.helo("a.test")
    service.config = parse(LISTS + PROVIDER + REST, "c.toml")
    session.mail("a@x.example")
    session.rcpt("b@test.example")
    session.end()
    assert run.decisions[-1].verdict.rule == "provider"


def test_a_reload_asks_the_new_zone_of_a_list_and_drops_the_old_one() -> None:
    answers = NO | {"wl.example": None, "new.example": ("127.0.1.3",)}
    run = Run(parse(LISTS + PROVIDER + LISTED, "c.toml"), Sources(answers))
    session = run.session()
    service = session._service
    session.connect(ip_address(CLIENT), "mx.test.example")
    session.helo("a.test")
    service.config = parse(LISTS.replace("wl.example", "new.example") + LISTED, "c.toml")
    session.mail("a@x.example")
    assert session.rcpt("b@test.example") is None
    session.end()
    assert run.decisions[-1].verdict.rule == "listed"
    assert run.decisions[-1].evidence.dnslist == (("wl", "127.0.1.3"),)
    assert run.decisions[-1].evidence.client_spf == ()
    dropped = [run.sources.facts[name] for name in ("a.example", "b.example", "wl.example")]
    assert [fact in run.sources.cancelled for fact in dropped] == [True] * 3
    service.config = parse(REST, "c.toml")
    session.mail("a@x.example")
    session.rcpt("b@test.example")
    session.close()
    decision = run.decisions[-1]
    assert (decision.verdict.rule, decision.evidence.dnslist) == ("rest", ())


@pytest.mark.parametrize("days", [0, 1])
def test_a_rule_that_has_ended_asks_nothing(days: int) -> None:
    until = f"until = {TODAY - timedelta(days=days)}\n"
    run = Run(parse(LISTS + PROVIDER + until + LISTED + REST, "c.toml", TODAY), Sources(NO | {"a.example": "pass"}))
    assert run.judge()["rule"] == ("rest" if days else "provider")
    assert ("a.example" in run.sources.asked) == (days == 0)
    assert "wl.example" in run.sources.asked


@pytest.mark.parametrize(("answer", "would"), [("127.0.1.2", ""), ("refused", "tempfail"), ("none", "reject")])
def test_nothing_is_refused_through_a_relay(answer: str, would: str) -> None:
    relays = '[relays]\nnetworks = ["203.0.113.5"]\n'
    listed = LISTED.replace('"tag"', '"accept"')
    run = Run(parse(relays + LISTS + listed + REST, "c.toml"), Sources(NO | {"wl.example": (answer,)}))
    session = run.session()
    session.connect(ip_address("203.0.113.5"), "mx.test.example")
    session.helo("backup.test.example")
    session.mail("a@x.example")
    assert session.rcpt("b@test.example") is None
    session.field("Received", f"from a.test (unknown [{CLIENT}]) by backup.test.example (Postfix) with ESMTP id 1; D")
    assert session.end().reply is None
    verdict = run.decisions[-1].verdict
    assert (verdict.action, verdict.withheld) == ("tag" if would else "accept", would)


def test_the_client_behind_a_relay_is_asked_about() -> None:
    relays = '[relays]\nnetworks = ["203.0.113.5"]\n'
    run = Run(parse(relays + LISTS + PROVIDER + LISTED + REST, "c.toml"), Sources(NO | {"wl.example": ("127.0.1.2",)}))
    session = run.session()
    session.connect(ip_address("203.0.113.5"), "mx.test.example")
    session.helo("backup.test.example")
    session.mail("a@x.example")
    session.rcpt("b@test.example")
    assert run.sources.asked == []
    session.field("Received", f"from a.test (unknown [{CLIENT}]) by backup.test.example (Postfix) with ESMTP id 1; D")
    session.end()
    assert run.sources.asked[:4] == ["iprev", "a.example", "b.example", "wl.example"]
    assert run.decisions[-1].verdict.rule == "listed"


def test_replay_of_lines_of_other_rules_warns() -> None:
    from rdns_milter.analysis.replay import Replay, warnings

    old = Run(parse(LISTS + LISTED + REST, "c.toml"), Sources(NO | {"wl.example": ("127.0.1.2",)}))
    old.judge()
    new = parse(LISTS + PROVIDER + LISTED + REST, "c.toml")
    replay = Replay(Evaluator(new, TODAY))
    replay.add(line(old.decisions[-1]))
    assert (replay.verdicts, replay.changed, replay.foreign) == (1, 0, 1)
    assert any("client_spf and dnslist names what held" in text for text in warnings(replay))
    # A line of the last release has neither key: only what is certain has a verdict.
    text = line(old.decisions[-1]).replace(" client_spf=none dnslist=wl:127.0.1.2 via=none", "")
    replay = Replay(Evaluator(new, TODAY))
    replay.add(text)
    assert (replay.verdicts, replay.uncertain, replay.foreign) == (0, 1, 0)
    exempt = replace(old.decisions[-1], evidence=replace(old.decisions[-1].evidence, client=ip_address("10.0.0.1")))
    replay = Replay(Evaluator(new, TODAY))
    replay.add(line(exempt))
    assert replay.verdicts == 1
