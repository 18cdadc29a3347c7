"""Ask a name server the few questions that show whether the milter can rest on it.

Asks and records; judges nothing (nameserver_check.py does). Bounded in time by `patience` for each question; never raises.

RFC 4035 section 3.2 (AD), RFC 6761 section 6.4 (.invalid), RFC 7766 (TCP).
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from ..net.endpoints import Endpoint
from ..net.names import Address, parse_address

PATIENCE = 1.5  # seconds for one question
# Names whose address is that of the resolver which asks for them, as seen by their own name servers.
WHO_ASKS = "whoami.akamai.net."


@dataclass(frozen=True, slots=True)
class Probe:
    """What one name server did. `trouble`: why it gave no answer, "" if it did; `ms`: of a second question for the same name;
    `validates`: it set AD; `invented`: a made-up name for which it has an address; `tcp`: it answers over TCP; `egress`: the
    address from which the authoritative servers are asked, None if that is not known; `signed`: inception and expiration
    of a signature of the root (seconds of the epoch), (0, 0) without one."""

    server: Endpoint
    trouble: str = ""
    ms: float = 0.0
    validates: bool = False
    invented: str = ""
    tcp: bool = False
    egress: Address | None = None
    signed: tuple[int, int] = (0, 0)


def probe(server: Endpoint, patience: float = PATIENCE) -> Probe:
    """Return what the server did with the questions; one that does not answer the first is asked no more."""
    first = _ask(server, ".", "SOA", patience)
    if isinstance(first, str):
        return Probe(server, first)
    if first.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Probe(server, f"answers {dns.rcode.to_text(first.rcode())}")
    with ThreadPoolExecutor(4) as pool:
        again = pool.submit(_timed, server, patience)
        invented = pool.submit(_invented, server, patience)
        tcp = pool.submit(_ask, server, ".", "SOA", patience, tcp=True)
        egress = pool.submit(_egress, server, patience)
    return Probe(
        server,
        ms=again.result(),
        validates=bool(first.flags & dns.flags.AD),
        invented=invented.result(),
        tcp=not isinstance(tcp.result(), str),
        egress=egress.result(),
        signed=_signed(first),
    )


def _timed(server: Endpoint, patience: float) -> float:
    """Milliseconds until the answer to a question that the server has just been asked."""
    began = time.monotonic()
    _ask(server, ".", "SOA", patience)
    return (time.monotonic() - began) * 1000


def _ask(server: Endpoint, name: str, qtype: str, patience: float, tcp: bool = False) -> dns.message.Message | str:
    """The response, or why there is none."""
    query = dns.message.make_query(name, qtype, want_dnssec=True)
    query.flags |= dns.flags.AD
    ask = dns.query.tcp if tcp else dns.query.udp
    try:
        return ask(query, server.host, timeout=patience, port=server.port)
    except dns.exception.Timeout:
        return f"no answer within {patience:g} seconds"
    except (OSError, EOFError, dns.exception.DNSException, ValueError) as error:
        return str(error) or type(error).__name__


def _invented(server: Endpoint, patience: float) -> str:
    """A name that cannot exist and for which the server has an address, "" if it has none."""
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
