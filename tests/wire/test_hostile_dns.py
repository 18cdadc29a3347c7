"""Every badly behaved DNS answer, for each kind of question that the running milter asks: the right fact and reason.

All cases go through one milter at once, each with an address and names of its own. Trouble (RFC 8601 2.7.3, RFC 7208 2.6.6) is
`temperror` and defers; a negative answer (RFC 2308: no such name, no such record) may refuse. Nothing received from DNS stands
unescaped in log line, header field or reply. Behaviours: tests.kit.dns.hostile.behaviours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest

from rdns_milter.logs.decision_line import MAX_LINE, parse
from tests.kit.dns.hostile import behaviours
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import Outcome, deliver
from tests.kit.smtp.client_identity import Client

PLACES = ("PTR", "A", "TXT", "MX")
AT_ONCE = 48

# The content of DNS's answer, if any.
RIGHT, ABSENT, ANYTHING = "right", "absent", "anything"
TROUBLE = ("timeout", "servfail", "refused", "bogus", "error")

# The behaviour, and its result for any kind of question.
EVERYWHERE: Sequence[tuple[str, str]] = (
    # RFC 7208 4.4, 5: any response code but 0 and 3 is temperror; so RFC 8601 2.7.3 by way of "some error condition"
    ("rcode 11", "error"), ("formerr", "error"), ("servfail", "servfail"), ("notimp", "error"), ("refused", "refused"),
    ("yxdomain", "error"), ("notauth", "error"), ("badvers", "error"), ("rcode 23", "error"),
    ("nxdomain", ABSENT), ("nodata", ABSENT), ("no-soa", ABSENT),
    # referrals and answers without content (RFC 2308 2.2); negative answers with the SOA of any zone above (3), types 1 and 4
    *((f"referral {where}", "servfail") for where in ("root", "parent", "below", "elsewhere")), ("lame", "servfail"),
    ("additional-only", "error"), ("other-soa", "error"), ("delegated-soa", "servfail"), ("nxdomain-other-soa", "error"),
    ("parent-soa", ABSENT), ("soa-and-ns", ABSENT), ("nxdomain-ns", ABSENT), ("no-recursion", RIGHT),
    ("servfail-ad", "servfail"), ("servfail-ede", "bogus"), ("servfail-ede 9", "bogus"), ("servfail-ede 22", "servfail"),
    # answers to another question (RFC 5452 9.1)
    ("wrong-question", "timeout"), ("no-question", "timeout"), ("wrong-class", "timeout"),
    # answers without a record of the type asked for (RFC 2308 2.2)
    ("other-owner", ABSENT), ("wrong-type", ABSENT), ("wrong-record-class", ABSENT),
    ("extra-owner", RIGHT), ("ttl 0", RIGHT), ("ttl 2147483648", RIGHT), ("ttl 4294967295", RIGHT), ("partial", RIGHT),
    ("reverse", RIGHT), ("shuffle", RIGHT), ("rotate", RIGHT),
    # aliases (RFC 1034 3.6.2, RFC 2317, RFC 6672)
    ("cname-self", "error"), ("cname-loop", "error"), ("cname-loop-full", "error"), ("cname-chain 5", RIGHT),
    ("cname-chain 17", "error"), ("cname-chain 100", "error"), ("cname-step 5", RIGHT), ("cname-step 20", "error"),
    ("cname-silent", "timeout"), ("cname-nxdomain", ABSENT), ("via-dname", RIGHT),
    ("cname-ns", RIGHT), ("cname-part", RIGHT), ("cname-other-soa", RIGHT), ("cname-nodata", ABSENT),
    # malformed messages (RFC 1035 4.1)
    ("garbage 3", "timeout"), ("garbage 60", "timeout"), ("garbage 4000", "timeout"), ("comp-loop", "timeout"),
    ("comp-forward", "timeout"), ("comp-rdata", "timeout"), ("bad-rdlength 0", "timeout"), ("bad-rdlength", "timeout"),
    ("bad-rdlength 65535", "timeout"), ("bad-label", "timeout"), ("bad-counts", "timeout"), ("trailing", "timeout"),
    ("trailing 400", "timeout"), ("empty", "timeout"), ("short", "timeout"), ("echo", "timeout"),
    ("wrong-id", "timeout"), ("wrong-case", RIGHT), *((f"mutate {seed}", ANYTHING) for seed in range(8)),
    # TCP (RFC 7766)
    ("truncate", RIGHT), ("truncate-reset", "error"), ("truncate-close", "error"), ("truncate-hang", "timeout"),
    ("truncate-again", "error"), ("truncate-trickle", "timeout"), ("truncate-half", "error"),
    ("truncate-too-long", "timeout"), ("truncate-zero", "error"), ("truncate-endless", "error"),
    # delivery
    ("edns-formerr", RIGHT), ("edns-drop", RIGHT), ("wrong-port", "timeout"), ("wrong-address", "timeout"),
    ("spoof-then-right", RIGHT), ("guess-then-right", RIGHT), ("duplicate", RIGHT), ("duplicate 200", RIGHT),
    ("flap", RIGHT), ("flap 9", "servfail"), ("lost", RIGHT), ("lost 9", "timeout"), ("udp-drop", "timeout"),
    ("silent", "timeout"), ("delay 0.1", RIGHT), ("delay 20", "timeout"),
)  # fmt: skip
# Odd content: the behaviour, the place, and the facts that differ from those of a good client.
NO_NAME = {"iprev": "fail", "iprev_reason": "bad-name", "helo_match": "none"}
NOT_THERE = NO_NAME | {"iprev_reason": "no-forward"}
ELSEWHERE = {"iprev": "fail", "iprev_reason": "not-confirmed", "helo": "fail", "helo_match": "none", "spf_helo": "fail"}
SPF_FAIL, SPF_ERROR, SPF_NONE = ({"spf_mailfrom": word} for word in ("fail", "permerror", "none"))
CONTENT: Sequence[tuple[str, str, Mapping[str, str]]] = (
    *((f"target-bytes {octets}", "PTR", NO_NAME) for octets in (
        "0a", "00", "22", "2e", "3b28", "80ff", "0d0a4263633a20", "5c", "20", "c3bc", "2d", "25", "61" * 31 + "0a")),
    ("target-bytes 41", "PTR", NOT_THERE), ("target-bytes 786e2d2d", "PTR", NO_NAME), ("target-long", "PTR", NOT_THERE),
    ("target a.nosuchtld.", "PTR", NOT_THERE), ("target localhost.", "PTR", NO_NAME), ("target x.local.", "PTR", NO_NAME),
    ("target single.", "PTR", NOT_THERE), ("target-root", "PTR", NO_NAME), ("target-address", "PTR", NO_NAME),
    *((f"target-bytes {octets}", "MX", SPF_FAIL) for octets in ("0a", "00", "22", "2e", "3b28", "80ff", "5c", "20")),
    ("target-long", "MX", SPF_FAIL), ("target-root", "MX", SPF_FAIL), ("target-address", "MX", SPF_FAIL),
    ("huge 60", "PTR", NOT_THERE), ("huge 60", "A", ELSEWHERE), ("huge 60", "TXT", SPF_NONE), ("huge 60", "MX", SPF_ERROR),
    ("big-txt 4000", "TXT", {"spf_mailfrom": "neutral"}), ("big-txt 60000", "TXT", SPF_ERROR),
)  # fmt: skip
# Odd content that takes long to make: one after the other, with a long timeout.
_DOWN = {"iprev": "temperror", "iprev_reason": "error", "helo_match": "none"}
HEAVY: Sequence[tuple[str, str, Mapping[str, str]]] = (
    ("huge 1000", "PTR", NOT_THERE), ("huge 3000", "PTR", NOT_THERE), ("huge 5000", "PTR", _DOWN),
    ("huge 3000", "A", ELSEWHERE), ("huge 5000", "A", _DOWN | {"helo": "temperror", "spf_helo": "temperror"}),
    ("huge 2000", "TXT", SPF_NONE), ("huge 2000", "MX", SPF_ERROR), ("huge 5000", "MX", {"spf_mailfrom": "temperror"}),
)  # fmt: skip

FACTS = ("iprev", "iprev_reason", "helo", "helo_match", "spf_helo", "spf_mailfrom")
IN_ORDER = dict(zip(FACTS, ("pass", "confirmed", "pass", "same", "pass", "pass"), strict=True))


def facts_of(place: str, kind: str) -> dict[str, str]:
    """Return the facts that must follow if only questions of that place are answered so."""
    if kind == RIGHT:
        return IN_ORDER
    absent = kind == ABSENT
    if place in ("TXT", "MX"):
        return IN_ORDER | {"spf_mailfrom": ("none" if place == "TXT" else "fail") if absent else "temperror"}
    facts = IN_ORDER | {"iprev": "temperror", "iprev_reason": kind, "helo_match": "none"}
    if place == "PTR":
        return facts | ({"iprev": "permerror", "iprev_reason": "no-ptr"} if absent else {})
    facts |= {"helo": "temperror", "spf_helo": "temperror"}
    return facts | (NOT_THERE | {"helo": "permerror", "spf_helo": "fail"} if absent else {})


@dataclass(frozen=True)
class Case:
    """One client, whose questions of one place are answered so; `facts`: None where any result is allowed."""

    number: int
    place: str
    behaviour: str
    facts: Mapping[str, str] | None = field(hash=False)

    def __str__(self) -> str:
        return f"{self.place}-{self.behaviour.replace(' ', '-')}"

    @property
    def address(self) -> str:
        """The client's address."""
        return str(ip_address("198.18.0.0") + self.number)

    @property
    def domain(self) -> str:
        """The sender's domain."""
        return f"c{self.number}.case.example"

    @property
    def host(self) -> str:
        """The client's name."""
        return f"mail.{self.domain}"

    @property
    def zone(self) -> str:
        """The records of a good client, with the behaviour."""
        records = {
            "PTR": f"{self.address} PTR {self.host}",
            "A": f"{self.host} A {self.address}",
            "TXT": f"{self.domain} TXT v=spf1 {'mx' if self.place == 'MX' else f'ip4:{self.address}'} -all",
            "MX": f"{self.domain} MX 10 {self.host}",
        }
        owner = records[self.place].split()[0]
        if self.behaviour == "no-soa":
            records[self.place] = ""
        worse = f"{owner} {self.place}!{self.behaviour}"
        return "\n".join((*records.values(), f"{self.host} TXT v=spf1 a -all", worse))

    def deliver(self, daemon: Daemon) -> Outcome:
        """Send a message of this client: its first recipient is accepted in any case, so that the header is written."""
        return deliver(
            daemon.spec,
            client=Client(self.address),
            helo=self.host,
            mailfrom=f"a@{self.domain}",
            rcpts=["postmaster@rcpt.example", "b@rcpt.example"],
        )


CASES = [
    Case(number, *rest)
    for number, rest in enumerate(
        [
            *((place, behaviour, None if kind == ANYTHING else facts_of(place, kind))
              for behaviour, kind in EVERYWHERE for place in PLACES),
            *((place, behaviour, {**IN_ORDER, **facts}) for behaviour, place, facts in (*CONTENT, *HEAVY)),
        ], 1
    )
]  # fmt: skip
LIGHT, SLOW = CASES[: -len(HEAVY)], CASES[-len(HEAVY) :]
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    *(
        {
            "name": f"no-{fact}",
            "unless": {fact: "pass"},
            "action": "reject",
            "text": "{client} {helo} {mailfrom} {ptr} {reason} {advice}",
        }
        for fact in ("iprev", "helo", "spf_helo", "spf_mailfrom")
    ),
]


@dataclass(frozen=True)
class CaseResult:
    """The result of a case: the outcome of the message, and the decision on the recipient that is judged."""

    outcome: Outcome
    decision: dict[str, str]


@dataclass(frozen=True)
class Results:
    """All cases that one milter has judged, and its log."""

    judged: Mapping[Case, CaseResult]
    lines: list[str]


def run(server: NameServer, cases: Sequence[Case], at_once: int, timeout: float, deadline: float) -> Results:
    """Run the cases, this many at a time, in random order, so that failing ones stand beside working ones."""
    config: dict[str, dict[str, Any]] = {
        "milter": {"deadline": deadline},
        "dns": {"timeout": timeout, "tries": 2},
        "headers": {"received_spf": True},
    }
    order = Random(4).sample(list(cases), len(cases))
    with Daemon(config, RULES, server) as daemon:
        with ThreadPoolExecutor(at_once) as pool:
            outcomes = dict(zip(order, pool.map(lambda case: case.deliver(daemon), order), strict=True))
        daemon.wait_for_decisions(2 * len(cases))
        judged = {each["client"]: each for each in daemon.decisions() if each["rcpt"] == "b@rcpt.example"}
        assert daemon.terminate() == 0
        return Results({c: CaseResult(outcomes[c], judged[c.address]) for c in cases}, daemon.lines())


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    zone = Zone(*(case.zone for case in CASES))
    with NameServer(zone) as running:
        yield running
        assert list(running.queries.faults) == []


@pytest.fixture(scope="module")
def light(server: NameServer) -> Results:
    return run(server, LIGHT, AT_ONCE, 0.5, 10.0)


@pytest.fixture(scope="module")
def slow(server: NameServer) -> Results:
    return run(server, SLOW, 1, 4.0, 10.0)


def check(case: Case, results: Results) -> None:
    """Check the facts, the reply that follows from them, and that all texts are clean."""
    outcome, decision = results.judged[case].outcome, results.judged[case].decision
    spared, judged = outcome.rcpts
    assert spared.goes_on
    if case.facts is not None:
        assert {name: decision[name] for name in FACTS} == case.facts
    values = [decision[name] for name in FACTS]
    if "temperror" in values:
        assert not judged.rejects
        assert decision["action"] == "tempfail"
    elif values != list(IN_ORDER.values()):
        assert judged.rejects
    said = [judged.line, *(change.value.replace("\n\t", " ") for change in outcome.changes)]
    assert len(outcome.changes) == 2
    assert all(re.fullmatch(r"[ -~]+", text) for text in said)
    assert re.fullmatch(r"(?:action|continue|451 4|550 5).*", judged.line)
    assert len(judged.line) <= 510


@pytest.mark.parametrize("case", LIGHT, ids=str)
def test_answer(light: Results, case: Case) -> None:
    check(case, light)


@pytest.mark.parametrize("case", SLOW, ids=str)
def test_large_answer(slow: Results, case: Case) -> None:
    check(case, slow)


@pytest.mark.parametrize("name", ["light", "slow"])
def test_log(name: str, request: pytest.FixtureRequest) -> None:
    """Every line is clean; each but the first and the last few is a decision."""
    results: Results = request.getfixturevalue(name)
    assert all(re.fullmatch("[ -~]+", line) and len(line) <= MAX_LINE for line in results.lines)
    notices = [line for line in results.lines if parse(line) is None]
    assert [line for line in notices if "internal error" in line or "Traceback" in line] == []
    assert len(results.lines) - len(notices) == 2 * len(results.judged)


def test_every_behaviour_is_there() -> None:
    tried = {case.behaviour.split()[0] for case in CASES}
    # TARGET and the like, HUGE and BIG-TXT change only their own types; RCODE is tried with numbers.
    assert tried == behaviours.BEHAVIOURS.keys()
