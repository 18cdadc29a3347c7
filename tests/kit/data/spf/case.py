"""One SPF check as a row of a table: record, zone, client, sender, HELO name, and the expected result."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from rdns_milter.checks.spf import CheckHostResult, Limits, check_host
from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.resolver.instant_lookup import run
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

LIMITS = Limits()
CLIENT, CLIENT6 = "192.0.2.1", "2001:db8::1"


@dataclass(frozen=True)
class Case:
    """One check. `record`: the record of v.example; `zone`: the other records; `fact`: expected fields of the Spf fact; `asked`:
    the expected number of questions."""

    name: str
    record: str
    zone: str
    result: str
    client: str = CLIENT
    sender: str = "a@v.example"
    helo: str = "mx.v.example"
    limits: Limits = LIMITS
    fact: dict[str, str] = field(default_factory=dict)
    asked: int | None = None


def check(case: Case, **options: Any) -> tuple[CheckHostResult, VirtualTimeLookup]:
    """Return the result for a case, and the lookup."""
    record = f"v.example TXT {case.record}\n" if case.record else ""
    lookup = VirtualTimeLookup(Zone(record + case.zone), **options)
    mailbox = parse_mailbox(case.sender)
    return run(check_host(lookup, ip_address(case.client), mailbox, case.helo, limits=case.limits)), lookup


def find(record: str, zone: str = "", **more: Any) -> CheckHostResult:
    """Return the result for a record."""
    return check(Case("", record, zone, "", **more))[0]
