"""Forecast looks up and judges past mail of the MTA's log; a verdict that depends on what is not in the log is open."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from rdns_milter.analysis.forecast import OPEN, Forecast, Forecaster, as_dict, grouped, warnings
from rdns_milter.checks.evidence import UNKNOWN, missing_facts
from rdns_milter.config.load import Config, parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.mta_deliveries import ACCEPTED, DEFERRED, REFUSED, Delivery
from rdns_milter.net.endpoints import parse_nameserver
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import command

ZONE = Zone(
    """
    192.0.2.10         PTR   mail.good.example
    mail.good.example  A     192.0.2.10
    good.example       TXT   "v=spf1 a:mail.good.example -all"
    198.51.100.80      PTR!SERVFAIL
    11.2.0.192.wl.example      A  127.0.5.2
    21.100.51.198.wl.example   SERVFAIL
    """
)
TODAY = date(2026, 11, 21)
GOOD = Delivery("192.0.2.10", "mail.good.example", "anna@good.example", ("user@rcpt.example",), False, ACCEPTED)
FORGED = replace(GOOD, client="198.51.100.20")
STRANGER = Delivery(
    "198.51.100.20", "mail.nothing.example", "offer@nothing.example", ("user@rcpt.example",), False, ACCEPTED
)


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(ZONE) as running:
        yield running


@pytest.fixture(scope="module")
def forecaster(server: NameServer) -> Iterator[Forecaster]:
    with Forecaster(parse(sample(), ""), [parse_nameserver(server.hostport)], TODAY) as running:
        yield running


def judged(forecaster: Forecaster, *deliveries: Delivery) -> Forecast:
    forecast = Forecast(forecaster.policy)
    for outlooks in forecaster.judge_all(deliveries):
        forecast.add(outlooks, 1)
    return forecast


@pytest.mark.parametrize(
    ("delivery", "action", "rule"),
    [
        (GOOD, "accept", "default"),
        (replace(GOOD, helo=""), "tag", "malformed-helo"),
        (FORGED, "reject", "nothing-confirmed"),
        (STRANGER, "reject", "nothing-confirmed"),
        (replace(STRANGER, rcpts=("postmaster@rcpt.example",)), "accept", "postmaster"),
        (replace(STRANGER, authenticated=True), "accept", "exempt:authenticated"),
        (replace(STRANGER, client="10.0.0.1"), "accept", "exempt:network"),
        (replace(STRANGER, client="198.51.100.80"), "accept", "default"),
    ],
)
def test_what_is_known_gives_a_verdict(forecaster: Forecaster, delivery: Delivery, action: str, rule: str) -> None:
    (outlook,) = forecaster.judge(delivery)
    assert (outlook.action, outlook.verdict.rule) == (action, rule)
    assert outlook.actions == (action,)
    assert not missing_facts(outlook.evidence)


ASKING = """
[dnslists]
wl = "wl.example"
old = "old.example"

[[rule]]
name = "ended"
when = { dnslist = "old" }
action = "tag"
until = 2026-11-20

[[rule]]
name = "listed"
when = { dnslist = "wl:127.0.*.1-3" }
action = "accept"

[[rule]]
name = "provider"
when = { client_spf = "good.example" }
action = "tag"

[[rule]]
name = "others"
action = "reject"
"""


@pytest.mark.parametrize(
    ("client", "action", "rule"),
    [
        ("192.0.2.10", "tag", "provider"),
        ("192.0.2.11", "accept", "listed"),
        ("198.51.100.20", "reject", "others"),
        ("198.51.100.21", "tempfail", "others"),
    ],
)
def test_providers_and_lists_are_asked(server: NameServer, client: str, action: str, rule: str) -> None:
    server.queries.reset()
    with Forecaster(parse(ASKING, "c.toml"), [parse_nameserver(server.hostport)], TODAY) as running:
        (outlook,) = running.judge(replace(GOOD, client=client))
    assert (outlook.action, outlook.verdict.rule) == (action, rule)
    names = {name for name, _ in server.queries}
    assert any(name.endswith(".wl.example") for name in names)
    assert not any(name.endswith("old.example") for name in names)


def test_what_depends_on_the_greeting_is_open(forecaster: Forecaster) -> None:
    (outlook,) = forecaster.judge(replace(STRANGER, helo=None))
    assert outlook.action == OPEN
    assert {"tag", "reject"} <= set(outlook.actions)
    assert missing_facts(outlook.evidence) == {"helo_kind", "helo", "spf_helo"}
    # Greeting and SPF may confirm the client, but either result accepts it.
    (good,) = forecaster.judge(replace(GOOD, helo=None))
    assert (good.action, set(good.actions)) == ("accept", {"accept", "tag"})
    assert good.evidence.helo.match == UNKNOWN
    assert good.evidence.spf_mailfrom.result == "pass"


def test_bounces_without_a_greeting_have_no_spf(forecaster: Forecaster) -> None:
    (bounce,) = forecaster.judge(replace(GOOD, sender="", helo=None))
    assert "spf_mailfrom" in missing_facts(bounce.evidence)
    (greeted,) = forecaster.judge(replace(GOOD, sender=""))
    assert not missing_facts(greeted.evidence)


def test_each_recipient_has_a_verdict(forecaster: Forecaster) -> None:
    outlooks = forecaster.judge(replace(STRANGER, rcpts=("a@x.example", "postmaster@x.example", "b@x.example")))
    assert [outlook.action for outlook in outlooks] == ["reject", "accept", "reject"]


def test_counts(forecaster: Forecaster) -> None:
    forecast = judged(forecaster, GOOD, FORGED, replace(FORGED, outcome=REFUSED), replace(STRANGER, helo=None))
    forecast.add(forecaster.judge(replace(STRANGER, outcome=DEFERRED)), 5)
    found = as_dict(forecast, 5, warnings(forecast, Config(), 0))
    assert json.loads(json.dumps(found)) == found
    assert (found["deliveries"], found["verdicts"], found["accepted"]) == (9, 9, 3)
    assert found["matrix"]["accepted"] == {
        "accept": 1, "tag": 0, "tempfail": 0, "reject": 1, "quarantine": 0, "open": 1,
    }  # fmt: skip
    assert found["matrix"]["refused"]["reject"] == 1
    assert found["matrix"]["deferred"]["reject"] == 5
    assert found["share_refused"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["newly_refused"]["count"] == 1
    assert found["newly_refused"]["clients"][0]["name"] == "198.51.100.20"
    assert found["newly_refused"]["senders"][0]["name"] == "good.example"
    assert "action=reject rule=nothing-confirmed" in found["newly_refused"]["clients"][0]["example"]
    assert found["without_helo"] == 1
    assert any("without the HELO name" in text for text in found["warnings"])


def test_many_at_a_time_in_their_order(forecaster: Forecaster) -> None:
    many = [replace(STRANGER, client=f"198.51.{number // 250}.{number % 250 + 1}") for number in range(400)]
    found = list(forecaster.judge_all(many, workers=8))
    assert [outlooks[0].delivery for outlooks in found] == many
    assert {outlooks[0].action for outlooks in found} == {"reject"}


def test_equal_deliveries_are_looked_up_once_and_the_last_count() -> None:
    assert grouped([GOOD, STRANGER, GOOD, GOOD], 0) == {GOOD: 3, STRANGER: 1}
    assert grouped([GOOD, STRANGER, GOOD, FORGED], 2) == {GOOD: 1, FORGED: 1}


def test_observe_mode(server: NameServer) -> None:
    config = parse('[milter]\nmode = "observe"\n' + sample()[sample().index("\n[[rule]]") :], "c.toml")
    servers = [parse_nameserver(server.hostport)]
    for enforce, action in ((False, "accept"), (True, "reject")):
        with Forecaster(config, servers, TODAY, enforce) as forecaster:
            forecast = judged(forecaster, STRANGER)
            assert forecast.matrix == {("accepted", action): 1}
            assert any("--enforce" in text for text in warnings(forecast, config, 0)) is not enforce


MAILLOG = """\
Nov 21 03:53:19 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[198.51.100.20]: 554 5.7.1 no; from=<offer@nothing.example>\
 to=<user@rcpt.example> proto=ESMTP helo=<mail.nothing.example>
Nov 21 03:53:19 mx postfix/smtpd[1]: 4bQ1Xz2Lq9zT1: client=mail.good.example[192.0.2.10]
Nov 21 03:53:19 mx postfix/qmgr[3]: 4bQ1Xz2Lq9zT1: from=<anna@good.example>, size=512, nrcpt=1 (queue active)
Nov 21 03:53:19 mx postfix/local[4]: 4bQ1Xz2Lq9zT1: to=<user@rcpt.example>, relay=local, delay=0.1, dsn=2.0.0, status=sent
Nov 21 03:53:19 mx postfix/qmgr[3]: 4bQ1Xz2Lq9zT1: removed
"""


def test_command(server: NameServer, tmp_path: Path) -> None:
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress(MAILLOG.encode()))
    log = str(tmp_path / "mail.log.gz")
    done = command("forecast", "--dns", server.hostport, "--json", log)
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert found["matrix"]["accepted"]["accept"] == found["matrix"]["refused"]["reject"] == 1
    text = command("forecast", "--dns", server.hostport, "--limit", "1", log).stdout.decode()
    assert "1 deliveries, 1 verdicts" in text
    assert "only the last 1 deliveries were judged" in text
    assert "accepted       1" in text
    assert command("forecast", "--dns", "nonsense", log).returncode == 2
    assert command("forecast", "--dns", server.hostport, f"{log}.1").returncode == 2
    (tmp_path / "empty").write_text("")
    empty = command("forecast", "--dns", server.hostport, str(tmp_path / "empty"))
    assert b"it contains no mail" in empty.stdout
