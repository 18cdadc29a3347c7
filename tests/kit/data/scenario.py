"""The clients of the wire tests, one of each kind, with their zone and the rules that judge them. Data only.

Everything is in order for `GOOD`; each of the others has one fault or one peculiarity.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.kit.milter.daemon import Daemon
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client

ZONE = """
; everything in order, IPv4 and IPv6
192.0.2.1             PTR  mail.good.example
mail.good.example     A    192.0.2.1
mail.good.example     TXT  v=spf1 a -all
good.example          TXT  v=spf1 ip4:192.0.2.1 ip6:2001:db8::25 -all
2001:db8::25          PTR  mail6.good.example
mail6.good.example    AAAA 2001:db8::25
mail6.good.example    TXT  v=spf1 a -all
; a reverse name that resolves to another address, and a sender domain with ~all
192.0.2.7             PTR  mx.liar.example
mx.liar.example       A    192.0.2.99
liar.example          TXT  v=spf1 ~all
; an address of a pool
192.0.2.9             PTR  192-0-2-9.dyn.isp.example
192-0-2-9.dyn.isp.example A 192.0.2.9
; sender domains: no host may send, broken record, with explanation
nobody.example        TXT  v=spf1 -all
broken.example        TXT  v=spf1 nonsense
strict.example        TXT  v=spf1 exp=why.strict.example -all
why.strict.example    TXT  %{i} may not send for us
; DNS errors: at once, or no answer
192.0.2.66            SERVFAIL
trouble.example       SERVFAIL
mail.trouble.example  SERVFAIL
192.0.2.77            SILENT
silent.example        SILENT
mail.silent.example   SILENT
; the right answer, but late
192.0.2.55            PTR  mail.late.example
192.0.2.55            PTR!DELAY 0.3
mail.late.example     A    192.0.2.55
mail.late.example     TXT  v=spf1 a -all
late.example          TXT  v=spf1 a:mail.late.example -all
"""

GOOD = Client("192.0.2.1", name="mail.good.example")
GOOD6 = Client("2001:db8::25", name="mail6.good.example")
LIAR = Client("192.0.2.7", reverse_name="mx.liar.example")
NAMELESS = Client("192.0.2.8")
POOL = Client("192.0.2.9", name="192-0-2-9.dyn.isp.example")
TROUBLED = Client("192.0.2.66", trouble=True)
SILENT = Client("192.0.2.77", trouble=True)
LATE = Client("192.0.2.55", name="mail.late.example")

GOOD_HELO = "mail.good.example"
GOOD_FROM = "a@good.example"
OWN_NAME = "mx.test.example"  # the name of the kit's MTA ({j})

# One rule for each recipient, so that a test chooses the verdict.
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "refuse", "when": {"rcpt": "reject@"}, "action": "reject"},
    {"name": "defer", "when": {"rcpt": "tempfail@"}, "action": "tempfail"},
    {"name": "mark", "when": {"rcpt": "tag@"}, "action": "tag"},
    {"name": "hold", "when": {"rcpt": "quarantine@"}, "action": "quarantine"},
    {"name": "lies", "when": {"rcpt": "judged@", "iprev": ["fail", "permerror"]}, "action": "reject"},
    {"name": "spf", "when": {"rcpt": "judged@", "spf_mailfrom": "fail"}, "action": "reject"},
    {"name": "strict", "when": {"rcpt": "strict@"}, "unless": {"iprev": "pass"}, "action": "reject"},
    {"name": "tried", "when": {"rcpt": "shadow@"}, "action": "reject", "shadow": True},
    {"name": "over", "when": {"rcpt": "over@"}, "action": "reject", "until": date(2020, 1, 1)},
    {"name": "encrypted", "when": {"rcpt": "tls@", "tls": True}, "action": "reject"},
    {"name": "plain", "when": {"rcpt": "tls@", "tls": False}, "action": "tag"},
    {"name": "ours", "when": {"helo_own": "yes"}, "action": "reject"},
    {"name": "unconfirmed", "when": {"rcpt": "score@", "iprev": "fail"}, "score": 2},
    {"name": "soft", "when": {"rcpt": "score@", "spf_mailfrom": "softfail"}, "score": 1.5},
    {"name": "enough", "when": {"min_score": 3}, "action": "reject"},
    {
        "name": "said",
        "when": {"rcpt": "text@"},
        "action": "reject",
        "code": 554,
        "enhanced": "5.7.0",
        "text": "100% {rule}: {client} {helo} <{mailfrom}> {ptr}, {reason}",
    },
]
REFUSE_ALL: list[dict[str, Any]] = [{"name": "all", "action": "reject"}]
DEFER_ALL: list[dict[str, Any]] = [{"name": "all", "action": "tempfail"}]


def code(daemon: Daemon) -> int:
    """Send a message of a good client; return the code of the reply, 0 if it was accepted."""
    return deliver(daemon.spec, client=GOOD, helo=GOOD_HELO, mailfrom=GOOD_FROM).verdict.code


def part(decision: dict[str, str], *keys: str) -> dict[str, str]:
    """Return these keys of a decision."""
    return {key: decision[key] for key in keys}
