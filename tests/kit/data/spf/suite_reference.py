"""Results of the reference evaluator for cases of the RFC 7208 suite: for MAIL FROM, and for HELO, which the suite does not
test."""

from __future__ import annotations

from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.net.names import canonical, parse_address
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Question
from tests.kit.data.spf.reference_evaluator import Reference, Verdict
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone


def of_helo(case: SuiteCase, zone: Zone) -> Verdict:
    """Return the result for postmaster@HELO (RFC 7208 2.3)."""
    return _check(case, zone, "postmaster", canonical(case.helo))


def of_mailfrom(case: SuiteCase, zone: Zone) -> Verdict:
    """Return the result for MAIL FROM (RFC 7208 2.4)."""
    mailbox = parse_mailbox(case.mailfrom)
    if mailbox.is_null:
        return of_helo(case, zone)
    return _check(case, zone, mailbox.local or "postmaster", mailbox.domain)


def _check(case: SuiteCase, zone: Zone, local: str, domain: str) -> Verdict:
    lookup = VirtualTimeLookup(zone)

    def ask(name: str, kind: str) -> tuple[object, ...] | None:
        (answer,) = run(lookup.ask((Question(name, kind),)))  # type: ignore[arg-type]  # the types that SPF asks for
        return None if answer.temporary else answer.values

    address = parse_address(case.client)
    if address is None:
        raise ValueError(case.client)
    return Reference(ask, address, (local, domain), case.helo).check()
