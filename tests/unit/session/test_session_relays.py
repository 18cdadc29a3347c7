"""Mail through one of the administrator's relays: the client behind the relay is judged, and nothing is refused or deferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.checks.evidence import Generic, Iprev, Spf
from rdns_milter.config.load import Config, parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.logs.decision_line import parse as parse_line
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.net.names import Address
from rdns_milter.net.relay_path import MAX_FIELDS
from rdns_milter.policy.rules import MAX_FORGED
from rdns_milter.session.check_runner import HeloResult, PendingFact, ReverseName
from rdns_milter.session.modifications import Modifications
from rdns_milter.session.recipients import MAX_GROUPS
from rdns_milter.session.service import Service
from rdns_milter.session.session import Session

HOST = "mx.test.example"
RELAY, BETWEEN = "203.0.113.5", "203.0.113.6"
RELAYS = f'[relays]\nnetworks = ["{RELAY}", "{BETWEEN}"]\n'
BAD, GOOD, EXEMPT = "192.0.2.66", "192.0.2.7", "10.1.2.3"
NAMES = {GOOD: "mail.good.example"}
DEFAULT = parse(RELAYS + sample().replace("[relays]\n", "").replace("\nnetworks = []\n", "\n"), "c.toml")


@dataclass
class Checks:
    """Stand-in for CheckRunner with the facts of NAMES, which are known at once. `is_slow`: they never arrive. `asked`: each check
    with its subject; `cancelled`: the cancelled facts."""

    is_slow: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)
    cancelled: list[PendingFact[Any]] = field(default_factory=list)

    def _fact(self, value: Any, *asked: str) -> PendingFact[Any]:
        self.asked.append(asked)
        return PendingFact(None if self.is_slow else value)

    def start_reverse_name(self, address: Address, config: Config) -> PendingFact[ReverseName]:
        """See CheckRunner."""
        name = NAMES.get(str(address))
        found = Iprev("pass", "confirmed", (name,), (name,), 1) if name else Iprev("permerror", "no-ptr")
        return self._fact(ReverseName(found, Generic("no" if name else "none")), "iprev", str(address))

    def start_helo(self, address: Address, name: str, config: Config) -> PendingFact[HeloResult]:
        """See CheckRunner."""
        result = "pass" if NAMES.get(str(address)) == name else "fail"
        return self._fact(HeloResult(result, "ok"), "helo", str(address), name)

    def start_spf(
        self, address: Address, mailbox: Mailbox, helo: str, config: Config, receiver: str = ""
    ) -> PendingFact[Spf]:
        """See CheckRunner."""
        result = "pass" if str(address) in NAMES and mailbox.domain.endswith("good.example") else "none"
        return self._fact(Spf(result, mailbox.domain), "spf", str(address), f"{mailbox.local}@{mailbox.domain}", helo)

    def cancel(self, *facts: PendingFact[Any]) -> None:
        """See CheckRunner."""
        self.cancelled += facts


@dataclass
class Run:
    """A connection of the relay, with its replies and decisions."""

    config: Config = DEFAULT
    checks: Checks = field(default_factory=Checks)
    decisions: list[Decision] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        def wait(latch: object, seconds: float, is_over: object) -> bool:
            self.now += seconds
            return False

        self.session = Session(
            Service(
                self.config,
                self.checks,  # type: ignore[arg-type]  # in all that a session asks of it, it is one
                self.decisions.append,
                lambda: date(2026, 12, 1),
                lambda: self.now,
                HOST,
                wait,
            )
        )

    def connect(self, client: str = RELAY, helo: str = "backup.test.example") -> Run:
        """Connect as the relay or another client, and send HELO."""
        self.session.connect(ip_address(client), HOST, "198.51.100.1")
        self.session.helo(helo)
        return self

    def send(
        self,
        received: Sequence[str],
        sender: str = "a@good.example",
        rcpts: Sequence[str] = ("b@test.example",),
        others: Sequence[tuple[str, str]] = (),
    ) -> Modifications:
        """Send a message with these Received fields, newest first, and other fields. Check that no recipient is refused."""
        self.session.mail(sender)
        for rcpt in rcpts:
            assert self.session.rcpt(rcpt) is None
        for value in received:
            self.session.field("Received", value)
        for name, value in others:
            self.session.field(name, value)
        modifications = self.session.end("Q1")
        assert modifications.reply is None
        return modifications

    def fields(self) -> dict[str, str]:
        """Return the keys and values of the last log line, parsed."""
        found = parse_line(line(self.decisions[-1]))
        assert found is not None
        return found


def received(client: str, helo: str = "", by: str = "backup.test.example", protocol: str = "ESMTP") -> str:
    """Return a Received field as a relay with Postfix writes it."""
    return f"from {helo or 'unknown'} (unknown [{client}])\n\tby {by} (Postfix) with {protocol} id 1; D"


def test_the_client_behind_the_relay_is_judged() -> None:
    run = Run().connect()
    modifications = run.send([received(GOOD, "mail.good.example"), received(BAD, "forged.example")])
    fields = run.fields()
    expected = {"action": "accept", "rule": "default", "client": GOOD, "helo_name": "mail.good.example", "via": RELAY}
    assert {key: fields[key] for key in expected} == expected
    assert (fields["iprev"], fields["helo"], fields["helo_match"], fields["spf_mailfrom"]) == (
        "pass",
        "pass",
        "same",
        "pass",
    )
    assert run.checks.asked == [
        ("iprev", GOOD),
        ("helo", GOOD, "mail.good.example"),
        ("spf", GOOD, "postmaster@mail.good.example", "mail.good.example"),
        ("spf", GOOD, "a@good.example", "mail.good.example"),
    ]
    ((name, value),) = modifications.fields
    assert name == "Authentication-Results"
    assert f"policy.iprev={GOOD}" in value
    assert RELAY not in value


def test_a_refusal_becomes_a_tag() -> None:
    run = Run().connect()
    modifications = run.send(
        [received(BAD, "bad.example")], "a@bad.example", ("b@test.example", "postmaster@test.example")
    )
    (results, tag) = reversed(modifications.fields)
    assert f"iprev=permerror policy.iprev={BAD}" in results[1]
    assert " ".join(tag[1].split()).startswith("tag rule=nothing-confirmed would=reject iprev=permerror")
    spared, tagged = sorted(run.decisions, key=lambda each: each.verdict.action)
    assert (spared.verdict.rule, spared.rcpts) == ("postmaster", ("postmaster@test.example",))
    assert (tagged.verdict.action, tagged.verdict.would, tagged.reply) == ("tag", ("reject",), "")
    assert line(tagged).endswith(' reply="(through a relay: tagged although rule nothing-confirmed would reject)"')
    assert modifications.quarantine == ""


def test_several_hops() -> None:
    run = Run().connect()
    run.send([received(BETWEEN, "filter.test.example"), received(GOOD, "mail.good.example", "filter.test.example")])
    assert (run.fields()["client"], run.fields()["via"]) == (GOOD, RELAY)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["by backup.test.example (Postfix, from userid 33) id 1; D", received(BAD)],
        [received(BAD, by="mail.elsewhere.example")],
        ["nonsense", received(BAD)],
        [received(BETWEEN)],
        [received(BETWEEN)] * MAX_FIELDS + [received(BAD)],
    ],
)
def test_without_a_client_the_message_is_accepted(fields: list[str]) -> None:
    run = Run().connect()
    assert run.send(fields) == Modifications()
    found = run.fields()
    expected = {"action": "accept", "rule": "exempt:relay", "client": RELAY, "via": RELAY, "iprev_reason": "exempt"}
    assert {key: found[key] for key in expected} == expected
    assert run.checks.asked == []


@pytest.mark.parametrize(
    ("client", "protocol", "rule"),
    [
        (EXEMPT, "ESMTP", "exempt:network"),
        (BAD, "ESMTPSA", "exempt:authenticated"),
        (EXEMPT, "ESMTPA", "exempt:network"),
    ],
)
def test_exempt_clients_behind_the_relay(client: str, protocol: str, rule: str) -> None:
    run = Run().connect()
    assert run.send([received(client, protocol=protocol)]) == Modifications()
    assert (run.fields()["rule"], run.fields()["client"], run.fields()["via"]) == (rule, client, RELAY)
    assert run.checks.asked == []


def test_conditions_are_about_the_client() -> None:
    rules = f"""
        [[rule]]
        name = "good"
        when = {{ client = "{GOOD}", helo_name = "mail.good.example", ptr = "mail.good.example", tls = true }}
        action = "quarantine"
        [[rule]]
        name = "user"
        when = {{ authenticated = true }}
        action = "tag"
        [[rule]]
        name = "relay"
        when = {{ client = "{RELAY}" }}
        action = "reject"
    """
    exempt = "[exempt]\nauthenticated = false\n"
    run = Run(parse(exempt + RELAYS + rules, "c.toml")).connect()
    modifications = run.send([received(GOOD, "mail.good.example", protocol="ESMTPS")])
    assert modifications.quarantine == "rdns-milter: rule good"
    assert (run.fields()["action"], run.fields()["would"]) == ("quarantine", "")
    run.send([received(GOOD, "mail.good.example", protocol="ESMTP")])
    assert run.fields()["rule"] == "default"
    run.send([received(BAD, protocol="ESMTPA")])
    assert run.fields()["rule"] == "user"


def test_each_message_has_its_own_client() -> None:
    run = Run().connect()
    for client, helo in ((GOOD, "mail.good.example"), (BAD, "bad.example"), (GOOD, "mail.good.example")):
        before = len(run.checks.cancelled)
        run.send([received(client, helo)], "<>")
        assert run.fields()["client"] == client
        assert run.fields()["spf_mailfrom"] == run.fields()["spf_helo"]
        assert len(run.checks.cancelled) > before
    run.session.mail("a@good.example")
    run.session.rcpt("b@test.example")
    run.session.field("Received", received(BAD))
    run.session.abort()
    run.send([received(GOOD, "mail.good.example")])
    assert run.fields()["client"] == GOOD
    assert len(run.decisions) == 4


def test_another_client_of_the_same_process_is_judged_itself() -> None:
    run = Run().connect(GOOD, "mail.good.example")
    run.send([received(BAD, "bad.example", "mail.good.example")])
    assert (run.fields()["client"], run.fields()["via"]) == (GOOD, "")


def test_a_relay_that_is_in_exempt_networks_is_a_relay() -> None:
    config = parse(f'[exempt]\nnetworks = ["127.0.0.0/8", "::1", "{RELAY}"]\n' + RELAYS, "c.toml")
    run = Run(config).connect()
    run.send([received(GOOD, "mail.good.example")])
    assert run.fields()["client"] == GOOD


def test_a_client_without_helo_and_one_with_our_own_name() -> None:
    run = Run().connect()
    run.send([received(GOOD)])
    assert (run.fields()["helo_kind"], run.fields()["helo_name"], run.fields()["helo"]) == ("missing", "", "none")
    run.send([received(GOOD, HOST)])
    assert (run.fields()["rule"], run.fields()["action"], run.fields()["would"]) == ("forged-own-name", "tag", "reject")


def test_a_sender_that_a_forwarder_has_rewritten() -> None:
    run = Run().connect()
    run.send([received(GOOD, "mail.good.example")], "SRS0=xK4f=TT=good.example=anna@test.example")
    assert run.checks.asked[-1] == ("spf", GOOD, "anna@good.example", "mail.good.example")
    fields = run.fields()
    assert (fields["spf_mailfrom"], fields["mailfrom_match"]) == ("pass", "aligned")
    assert fields["mailfrom"] == "SRS0=xK4f=TT=good.example=anna@test.example"


def test_observe_mode() -> None:
    run = Run(
        parse(RELAYS + '[milter]\nmode = "observe"\n[[rule]]\nname = "all"\naction = "reject"\n', "c.toml")
    ).connect()
    modifications = run.send([received(BAD)])
    assert [name for name, _ in modifications.fields] == ["Authentication-Results"]
    assert (run.fields()["action"], run.fields()["would"]) == ("accept", "reject")
    assert run.fields()["reply"].startswith("(observe mode: ")


def test_facts_that_arrive_too_late_defer_nothing() -> None:
    rule = '[[rule]]\nname = "trouble"\nwhen = { iprev = "temperror" }\naction = "tempfail"\n'
    run = Run(parse(RELAYS + rule, "c.toml"), Checks(is_slow=True)).connect()
    run.send([received(BAD, "bad.example")])
    fields = run.fields()
    assert (fields["action"], fields["would"], fields["iprev"]) == ("tag", "tempfail", "temperror")
    assert run.now == pytest.approx(DEFAULT.milter.deadline)


def test_no_limit_refuses_a_recipient_or_the_message() -> None:
    rules = "".join(
        f'[[rule]]\nname = "r{n}"\nwhen = {{ rcpt = "r{n}@" }}\naction = "reject"\n' for n in range(MAX_GROUPS + 5)
    )
    run = Run(parse(RELAYS + rules, "c.toml")).connect()
    run.send([received(BAD)], rcpts=[f"r{n}@test.example" for n in range(MAX_GROUPS + 5)])
    assert {each.verdict.action for each in run.decisions} == {"accept", "tag"}
    (over,) = (each for each in run.decisions if each.verdict.rule == "limit:recipients")
    assert (over.count, over.verdict.would) == (5, ("tempfail",))


@pytest.mark.parametrize("client", [GOOD, EXEMPT, ""])
def test_more_forged_results_than_are_removed_hold_the_message(client: str) -> None:
    """A refusal would make the relay bounce the message, and a delivery would pass on forged results."""
    run = Run().connect()
    forged = [("Authentication-Results", f"{HOST}; spf=pass")] * (MAX_FORGED + 1)
    modifications = run.send([received(client, "mail.good.example")] if client else [], others=forged)
    assert modifications.quarantine == "rdns-milter: rule limit:forged-results"
    fields = run.fields()
    assert (fields["action"], fields["would"], fields["forged"]) == ("quarantine", "reject", str(MAX_FORGED + 1))
    modifications = run.send([received(GOOD, "mail.good.example")], others=forged[1:])
    assert len(modifications.removals) == MAX_FORGED
    assert modifications.quarantine == ""
