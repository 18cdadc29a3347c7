"""Ask a name server the few questions that show whether the milter can rely on it.

Asks and records; judges nothing (nameserver_check.py does). Each question takes at most `patience` seconds. Never raises.

RFC 4035 section 3.2 (AD), RFC 6761 section 6.4 (.invalid), RFC 7766 (TCP), RFC 5782 section 5 (entries of DNS lists for tests).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from ..checks.dns_list import is_entry, query_name
from ..net.endpoints import Endpoint
from ..net.names import Address, parse_address

PATIENCE = 1.5  # seconds for one question
# Names whose address is that of the resolver which asks for them, as seen by their own name servers.
WHO_ASKS = "whoami.akamai.net."
# Addresses that a DNS list must have, and must not have.
LISTED, NOT_LISTED = IPv4Address("127.0.0.2"), IPv4Address("127.0.0.1")
FINE, REFUSED, NO_ENTRY, EVERYBODY = "", "refused", "no entry", "everybody"


@dataclass(frozen=True, slots=True)
class Probe:
    """What one name server did.

    `trouble`: why it gave no answer; "" if it gave one.
    `ms`: milliseconds until it answered a question for the second time.
    `validates`: it set AD.
    `invented`: a name that does not exist and for which it returned an address; "" if there was none.
    `tcp`: it answers over TCP.
    `egress`: the address from which it asks the authoritative servers; None if that is not known.
    `signed`: inception and expiration of a signature of the root, in seconds of the epoch; (0, 0) if there was none.
    `dns_lists`: the domain of each DNS list in question, with FINE, REFUSED, NO_ENTRY, EVERYBODY or a text.
    `without_spf`: domains that have no SPF record."""

    server: Endpoint
    trouble: str = ""
    ms: float = 0.0
    validates: bool = False
    invented: str = ""
    tcp: bool = False
    egress: Address | None = None
    signed: tuple[int, int] = (0, 0)
    dns_lists: tuple[tuple[str, str], ...] = ()
    without_spf: tuple[str, ...] = ()


def probe(
    server: Endpoint, patience: float = PATIENCE, dns_lists: Sequence[str] = (), providers: Sequence[str] = ()
) -> Probe:
    """Return what the server did with the questions. If it does not answer the first, it is asked no more. `dns_lists`,
    `providers`: domains of DNS lists, and of SPF records, to ask about."""
    first = _ask(server, ".", "SOA", patience)
    if isinstance(first, str):
        return Probe(server, first)
    if first.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Probe(server, f"answers {dns.rcode.to_text(first.rcode())}")
    with ThreadPoolExecutor(4 + len(dns_lists) + len(providers)) as pool:
        again = pool.submit(_timed, server, patience)
        invented = pool.submit(_invented, server, patience)
        tcp = pool.submit(_ask, server, ".", "SOA", patience, tcp=True)
        egress = pool.submit(_egress, server, patience)
        states = pool.map(partial(_dns_list, server, patience / 2), dns_lists)
        have_spf = pool.map(partial(_has_spf, server, patience / 2), providers)
    return Probe(
        server,
        ms=again.result(),
        validates=bool(first.flags & dns.flags.AD),
        invented=invented.result(),
        tcp=not isinstance(tcp.result(), str),
        egress=egress.result(),
        signed=_signed(first),
        dns_lists=tuple(zip(dns_lists, states, strict=True)),
        without_spf=tuple(domain for domain, has_spf in zip(providers, have_spf, strict=True) if not has_spf),
    )


def _timed(server: Endpoint, patience: float) -> float:
    """Return the milliseconds until the server answers a question that it has been asked before."""
    began = time.monotonic()
    _ask(server, ".", "SOA", patience)
    return (time.monotonic() - began) * 1000


def _ask(server: Endpoint, name: str, qtype: str, patience: float, tcp: bool = False) -> dns.message.Message | str:
    """Return the response, or a text that says why there is none."""
    ask = dns.query.tcp if tcp else dns.query.udp
    try:
        query = dns.message.make_query(name, qtype, want_dnssec=True)
        query.flags |= dns.flags.AD
        return ask(query, server.host, timeout=patience, port=server.port)
    except dns.exception.Timeout:
        return f"no answer within {patience:g} seconds"
    except (OSError, EOFError, dns.exception.DNSException, ValueError) as error:
        return str(error) or type(error).__name__


def _invented(server: Endpoint, patience: float) -> str:
    """Return a name that cannot exist and for which the server returns an address; "" if it returns none."""
    for domain in ("invalid.", "com."):
        name = f"rdns-milter-{secrets.token_hex(8)}.{domain}"
        found = _ask(server, name, "A", patience / 2)
        if not isinstance(found, str) and any(each.rdtype == dns.rdatatype.A for each in found.answer):
            return name
    return ""


def _egress(server: Endpoint, patience: float) -> Address | None:
    found = _ask(server, WHO_ASKS, "A", patience)
    if isinstance(found, str):
        return None
    texts = [str(rdata) for rrset in found.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset]
    return parse_address(texts[0]) if texts else None


def _signed(response: dns.message.Message) -> tuple[int, int]:
    for rrset in response.answer:
        if rrset.rdtype == dns.rdatatype.RRSIG:
            for rdata in rrset:
                return int(rdata.inception), int(rdata.expiration)
    return (0, 0)


def _dns_list(server: Endpoint, patience: float, zone: str) -> str:
    """Return how a DNS list answers if it is asked through this server."""
    answers = []
    for address in (LISTED, NOT_LISTED):
        found = _ask(server, query_name(address, zone), "A", patience)
        if isinstance(found, str):
            return found
        if found.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return f"answers {dns.rcode.to_text(found.rcode())}"
        answers.append(
            [IPv4Address(str(rdata)) for rrset in found.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset]
        )
    listed, not_listed = answers
    if not all(map(is_entry, (*listed, *not_listed))):
        return REFUSED
    return EVERYBODY if not_listed else FINE if listed else NO_ENTRY


def _has_spf(server: Endpoint, patience: float, domain: str) -> bool:
    """Return whether the domain has an SPF record. Return True also if the server does not say."""
    found = _ask(server, domain, "TXT", patience)
    if not isinstance(found, str) and found.flags & dns.flags.TC:
        found = _ask(server, domain, "TXT", patience, tcp=True)
    if isinstance(found, str) or found.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return True
    texts = [b"".join(rdata.strings) for rrset in found.answer if rrset.rdtype == dns.rdatatype.TXT for rdata in rrset]
    return any(text.lower().split(b" ")[0] == b"v=spf1" for text in texts)
