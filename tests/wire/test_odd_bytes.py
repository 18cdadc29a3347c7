"""Clients that send bytes outside any grammar to the running milter: controls, line ends, quotes, invalid UTF-8, very long lines.

None of them reaches the log line, the reply or a header field unescaped, and the message is judged as any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rdns_milter.config.load import parse as parse_config
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_line import MAX_LINE, parse
from rdns_milter.logs.logged_evidence import evidence_of
from tests.kit.data.scenario import GOOD, GOOD_FROM
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import Conversation, Outcome
from tests.kit.smtp.client_identity import Client

RESULTS = "Authentication-Results"
DEFAULT_RULES = "\n\n".join(parse_config(sample(), "").rules)
STRICT: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {
        "name": "strict",
        "unless": {"iprev": "pass"},
        "action": "reject",
        "text": "{helo} {mailfrom} {ptr} {reason} {advice}",
    },
]


@pytest.fixture(scope="module")
def daemon(server: NameServer) -> Iterator[Daemon]:
    """A milter with rules that use every value, so that all that a client sends is written into reply and header fields."""
    config: dict[str, dict[str, Any]] = {"headers": {"received_spf": True}, "dns": {"timeout": 0.2, "tries": 1}}
    rules = [*STRICT, {"name": "mark", "when": {"spf_mailfrom": ["none", "fail", "softfail"]}, "action": "tag"}]
    with Daemon(config, rules, server) as running:
        yield running
        assert [line for line in running.lines() if "internal error" in line] == []
        assert running.terminate() == 0


LONG = b"x" * 60_000
OCTETS = {
    "not-utf8": b"m\xe4il.good.example",
    "surrogate": b"\xed\xb2\x80.example",
    "utf8": "mäil.例え.example".encode(),
    "controls": bytes(range(1, 32)) + b"\x7f\x80\xff",
    "line": b"a\r\nX-Injected: yes\r\n\r\naction=accept rule=postmaster",
    "bare-cr": b"a\rb",
    "line-feed": b"a\naction=accept rule=default qid=X client=192.0.2.1",
    "quotes": b'"a\\" b="c\\',
    "key": b"a rule=postmaster action=accept",
    "blanks": b"  a   b  ",
    "comment": b'a); spf=pass smtp.mailfrom=bank.example (";',
    "placeholders": b"{advice}%s%n%{i}%",
    "html": b"<script>alert(1)</script>",
    "dots": b"a..b.",
    "only-dots": b".....",
    "at": b"@@@",
    "brackets": b"<<[]>>",
    "empty": b"",
    "literal": b"[IPv6:2001:db8::1%eth0]",
    "none": b"none",
    "null": b"<>",
    "long": LONG,
    "long-name": b"a" * 63 + b".example",
    "label-too-long": b"a" * 64 + b".example",
    "many-labels": b".".join([b"a"] * 20_000),
    "long-utf8": "ä".encode() * 30_000,
    "long-escapes": b"\\" * 60_000,
}
octets = pytest.mark.parametrize("octets", OCTETS.values(), ids=OCTETS)


def check_clean(outcome: Outcome, decision: dict[str, str], daemon: Daemon) -> None:
    """Check that log line, reply and header fields have no raw bytes."""
    line = [line for line in daemon.lines() if parse(line) is not None][-1]
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= MAX_LINE
    assert parse(line) == decision
    assert evidence_of(decision).client is not None
    for reply in outcome.rcpts:
        assert reply.text.isascii()
        assert reply.text.isprintable()
        assert len(reply.line) <= 510
    for change in outcome.changes:
        text = change.value.replace("\n\t", " ")
        assert text.isascii()
        assert text.isprintable()
        assert change.name != RESULTS or "spf=pass smtp.mailfrom=bank.example" not in text


@octets
def test_greeting(daemon: Daemon, octets: bytes) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, helo=octets)
    assert outcome.accepted
    check_clean(outcome, decision, daemon)
    outcome, (decision,) = daemon.judge(client=Client("192.0.2.8"), helo=octets)
    assert outcome.verdict.code == 550
    check_clean(outcome, decision, daemon)


@pytest.mark.parametrize("octets", [b"mail\xff.good.example", b"\x80", b"[192.0.2.1\xe9]"])
def test_a_second_greeting_that_is_not_utf8(daemon: Daemon, octets: bytes) -> None:
    """The last greeting counts, whether or not pymilter can decode it."""
    with Conversation(daemon.spec) as dialogue:
        dialogue.connect(GOOD.hostname, GOOD.address)
        for greetings, kind, shown in (
            ([b"mail.good.example", octets], "invalid", octets.decode("utf-8", "surrogateescape")),
            ([octets, b"mail.good.example"], "fqdn", "mail.good.example"),
            ([octets], "invalid", octets.decode("utf-8", "surrogateescape")),
        ):
            for greeting in greetings:
                dialogue.helo(greeting)
            before = len(daemon.decisions())
            dialogue.mail(GOOD_FROM)
            dialogue.rcpt("b@rcpt.example")
            dialogue.header(b"X-\xff", "a field whose name is no UTF-8 is no greeting")
            dialogue.end()
            decision = daemon.wait_for_decisions(before + 1)[-1]
            assert (decision["helo_kind"], decision["helo_name"]) == (kind, shown)


@octets
@pytest.mark.parametrize("form", [b"%s", b"<a@%s>", b"<%s@good.example>"])
def test_sender(daemon: Daemon, octets: bytes, form: bytes) -> None:
    path = (form % octets)[:65_000]
    outcome, (decision,) = daemon.judge(client=GOOD, mailfrom=path)
    assert outcome.accepted
    check_clean(outcome, decision, daemon)
    outcome, (decision,) = daemon.judge(client=Client("192.0.2.8"), mailfrom=path)
    assert outcome.verdict.code == 550
    check_clean(outcome, decision, daemon)


@octets
@pytest.mark.parametrize("form", [b"%s", b"<%s@rcpt.example>"])
def test_recipient(daemon: Daemon, octets: bytes, form: bytes) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, rcpts=[(form % octets)[:65_000]])
    assert outcome.accepted
    check_clean(outcome, decision, daemon)


@octets
def test_field(daemon: Daemon, octets: bytes) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, headers=[(RESULTS, octets), (b"X-" + octets[:100], octets)])
    assert outcome.accepted
    check_clean(outcome, decision, daemon)


def test_field_s_name_is_not_utf8(daemon: Daemon) -> None:
    outcome, _ = daemon.judge(client=GOOD, headers=[(b"X-\xff", "v"), (RESULTS, "mx.test.example; spf=pass")])
    assert len(outcome.header(RESULTS)) == 1


@pytest.mark.parametrize("macro", ["j", "i", "client_addr", "daemon_addr", "tls_version"])
def test_macro_that_is_not_utf8(daemon: Daemon, macro: str) -> None:
    outcome, (decision,) = daemon.judge(client=GOOD, macros={macro: b"\xff\xfe"})
    assert outcome.accepted
    assert decision["iprev"] == "pass"
    check_clean(outcome, decision, daemon)


def test_login_that_is_not_utf8(daemon: Daemon) -> None:
    _, (decision,) = daemon.judge(client=Client("192.0.2.8"), macros={"auth_authen": b"jos\xe9"})
    assert decision["rule"] == "exempt:authenticated"


@pytest.mark.parametrize("greeting", [b"a\0b.example\0", b"\0", b"mail.good.example\0\0\0"])
def test_nul_in_the_greeting(daemon: Daemon, greeting: bytes) -> None:
    """libmilter takes the text before the NUL."""
    with Conversation(daemon.spec) as dialogue:
        dialogue.connect(GOOD.hostname, GOOD.address)
        dialogue.send_packet(b"H", greeting)
        assert dialogue.read_reply().goes_on
        dialogue.mail(GOOD_FROM)
        assert dialogue.rcpt("b@rcpt.example").goes_on
        assert dialogue.end().reply.goes_on
    assert daemon.decisions()[-1]["helo_name"] == greeting.split(b"\0")[0].decode()
