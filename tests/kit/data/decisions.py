"""The example of the documentation: a decision, its line, and variants."""

from __future__ import annotations

from dataclasses import replace

from rdns_milter.checks.evidence import Cost, Evidence, Generic, Helo, Iprev, Spf
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import parse
from rdns_milter.net.names import parse_address
from rdns_milter.policy.rules import Verdict

EXAMPLE = (
    "action=reject rule=no-rdns-no-spf qid=NOQUEUE client=192.0.2.7 helo_name=mx.example.com mailfrom=a@example.com "
    "rcpt=b@example.net nrcpt=1 "
    "iprev=fail iprev_reason=not-confirmed ptr=mx.example.com ptrs=2 generic=no helo_kind=fqdn helo=fail helo_match=none "
    "helo_own=no "
    "spf_helo=none spf_mailfrom=softfail mailfrom_match=none client_spf=none dnslist=none via=none forged=0 score=0 "
    "mode=enforce would= shadow_rule= queries=7 cached=2 "
    "dns_ms=41 waited_ms=12 "
    'policy=3f9a1c reply="550 5.7.25 ..."'
)
EVIDENCE = Evidence(
    client=parse_address("192.0.2.7"),
    helo_name="mx.example.com",
    mailfrom="a@example.com",
    rcpt="b@example.net",
    iprev=Iprev("fail", "not-confirmed", (), ("mx.example.com", "mx2.example.com"), 2),
    generic=Generic("no"),
    helo=Helo("fqdn", "no", "fail", "none"),
    spf_helo=Spf("none"),
    spf_mailfrom=Spf("softfail"),
    mailfrom_match="none",
)
DECISION = Decision(
    verdict=Verdict("reject", "no-rdns-no-spf"),
    evidence=EVIDENCE,
    rcpts=("b@example.net",),
    policy="3f9a1c",
    cost=Cost(7, 2, 0, 41.4, 11.6),
    reply="550 5.7.25 ...",
)
FORMATS = ("logfmt", "json")


def read(text: str) -> dict[str, str]:
    """Parse a line that must be a decision."""
    fields = parse(text)
    assert fields is not None
    return fields


def said(helo_name: str = "mx.example.com", mailfrom: str = "a@example.com", ptr: str = "mx.example.com") -> Decision:
    """Return DECISION for a client with these names."""
    iprev = Iprev("fail", "not-confirmed", (), (ptr,) if ptr else (), 1)
    return replace(DECISION, evidence=replace(EVIDENCE, helo_name=helo_name, mailfrom=mailfrom, iprev=iprev))


def to(*rcpts: str) -> Decision:
    """Return DECISION for these recipients."""
    return replace(DECISION, rcpts=rcpts, evidence=replace(EVIDENCE, rcpt=rcpts[0] if rcpts else ""))
