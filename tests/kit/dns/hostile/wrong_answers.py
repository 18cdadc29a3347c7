"""Well-formed answers that are wrong: error codes, other ids, questions, owners, types, classes, TTLs.

Behaviours of tests.kit.dns.hostile.behaviours. Each takes the question and the sends so far, and returns the sends to do instead.

packaging/doc/platform.md 5.1.
"""

from __future__ import annotations

import random

import dns.edns
import dns.flags
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rcode import Rcode
from dns.rrset import RRset

from tests.kit.dns.hostile.delivery import other_id
from tests.kit.dns.message import (
    FORGED,
    HEADER,
    MADE_UP,
    PAYLOAD,
    SAMPLES,
    Ask,
    Sends,
    edited,
    rdata,
    record_wire,
    rrset,
)

ELSEWHERE = dns.name.from_text("elsewhere", MADE_UP)
NS_HOST = dns.name.from_text("ns", MADE_UP)
REFERRALS = ("root", "parent", "below", "elsewhere")
EDE_DNSSEC_BOGUS = 6


def rcode(ask: Ask, sends: Sends, number: int) -> Sends:
    """Any response code; NXDOMAIN with its SOA record. Codes above 15 need EDNS, and have it (RFC 6891 6.1.3)."""
    code = Rcode.make(number)
    return ask.sends(ask.reply(rcode=code, authority=[ask.found.soa] if code == dns.rcode.NXDOMAIN else []))


def nodata(ask: Ask, sends: Sends) -> Sends:
    """NODATA, whatever the zone holds (RFC 2308 2.2)."""
    return ask.sends(ask.reply(authority=[ask.found.soa]))


def no_soa(ask: Ask, sends: Sends) -> Sends:
    """A negative answer without a TTL (RFC 2308 5: not to be cached)."""
    return ask.sends(ask.reply(ask.found.answer, rcode=ask.found.rcode))


def referral(ask: Ask, sends: Sends, where: str) -> Sends:
    """NS records instead of an answer: of the root, the parent, the name itself, or an unrelated zone."""
    owner = {"root": dns.name.root, "parent": _parent(ask), "below": ask.name, "elsewhere": ELSEWHERE}[where]
    message = ask.reply(authority=[_servers(owner)])
    message.additional = [rrset(NS_HOST, [rdata(dns.rdatatype.A, SAMPLES[dns.rdatatype.A])])]
    return ask.sends(message)


def lame(ask: Ask, sends: Sends) -> Sends:
    """Empty sections, from a server that is neither authoritative (AA) nor a resolver (RA)."""
    return ask.sends(_without_recursion(ask.reply()))


def no_recursion(ask: Ask, sends: Sends) -> Sends:
    """The same answer without RA."""
    return edited(sends, lambda wire: wire[:3] + bytes([wire[3] & 0x7F]) + wire[4:])


def additional_only(ask: Ask, sends: Sends) -> Sends:
    """The requested records in the additional section, and no others."""
    message = ask.reply()
    message.additional = ask.answered(ask.name, ask.rdatas())
    return ask.sends(message)


def parent_soa(ask: Ask, sends: Sends) -> Sends:
    """NODATA with the SOA record of the zone above, as if the zone ended higher up."""
    return ask.sends(ask.reply(authority=[_soa(_parent(ask))]))


def other_soa(ask: Ask, sends: Sends) -> Sends:
    """Nothing but the SOA record of an unrelated zone."""
    return ask.sends(ask.reply(authority=[_soa(ELSEWHERE)]))


def delegated_soa(ask: Ask, sends: Sends) -> Sends:
    """The SOA record of the parent together with NS records that delegate the name."""
    return ask.sends(ask.reply(authority=[_soa(_parent(ask)), _servers(ask.name)]))


def soa_and_ns(ask: Ask, sends: Sends) -> Sends:
    """NODATA of type 1 (RFC 2308 2.2): SOA and NS records of the same zone."""
    return ask.sends(ask.reply(authority=[_soa(_parent(ask)), _servers(_parent(ask))]))


def nxdomain_ns(ask: Ask, sends: Sends) -> Sends:
    """NXDOMAIN of type 4 (RFC 2308 2.1.1): NS records without a SOA record."""
    return ask.sends(ask.reply(rcode=dns.rcode.NXDOMAIN, authority=[_servers(_parent(ask))]))


def nxdomain_other_soa(ask: Ask, sends: Sends) -> Sends:
    """NXDOMAIN with the SOA record of a zone that does not contain the name."""
    return ask.sends(ask.reply(rcode=dns.rcode.NXDOMAIN, authority=[_soa(ELSEWHERE)]))


def _parent(ask: Ask) -> dns.name.Name:
    return ask.name.parent() if len(ask.name) > 1 else ask.name


def _servers(zone: dns.name.Name) -> RRset:
    return rrset(zone, [rdata(dns.rdatatype.NS, NS_HOST.to_text())])


def _soa(zone: dns.name.Name) -> RRset:
    return rrset(zone, [rdata(dns.rdatatype.SOA, "ns.hx.example. hostmaster.hx.example. 1 3600 600 86400 300")])


def _without_recursion(message: dns.message.Message) -> dns.message.Message:
    message.flags &= ~dns.flags.RA
    return message


def servfail_ad(ask: Ask, sends: Sends) -> Sends:
    """SERVFAIL with AD set."""
    message = ask.reply(rcode=dns.rcode.SERVFAIL)
    message.flags |= dns.flags.AD
    return ask.sends(message)


def servfail_ede(ask: Ask, sends: Sends, code: int) -> Sends:
    """SERVFAIL, with an extended DNS error if the query has EDNS (RFC 8914 3; 6 is "DNSSEC bogus")."""
    message = ask.reply(rcode=dns.rcode.SERVFAIL)
    if ask.edns:
        option = dns.edns.EDEOption(dns.edns.EDECode.make(code), "made up by the test server")
        message.use_edns(0, 0, PAYLOAD, options=[option])
    return ask.sends(message)


def edns_formerr(ask: Ask, sends: Sends) -> Sends:
    """FORMERR without OPT to a query with EDNS; the right answer to one without (RFC 6891 7)."""
    if not ask.edns:
        return sends
    message = ask.reply(rcode=dns.rcode.FORMERR)
    message.use_edns(False)
    return ask.sends(message)


def wrong_id(ask: Ask, sends: Sends) -> Sends:
    """The answer with another ID."""
    return edited(sends, other_id)


def wrong_question(ask: Ask, sends: Sends) -> Sends:
    """The answer to another question; its records have that name."""
    message = ask.reply(ask.answered(ELSEWHERE, ask.rdatas()))
    message.question = [dns.rrset.RRset(ELSEWHERE, dns.rdataclass.IN, ask.rdtype)]
    return ask.sends(message)


def no_question(ask: Ask, sends: Sends) -> Sends:
    """The answer without a question section."""
    message = ask.right()
    message.question = []
    return ask.sends(message)


def wrong_case(ask: Ask, sends: Sends) -> Sends:
    """The answer with upper and lower case of the question swapped (RFC 1035 2.3.3 allows it, 0x20 does not)."""
    end = HEADER + len(ask.question) - 4
    return edited(sends, lambda wire: wire[:HEADER] + wire[HEADER:end].swapcase() + wire[end:])


def other_owner(ask: Ask, sends: Sends) -> Sends:
    """The records under another owner name."""
    return ask.sends(ask.reply(ask.answered(ELSEWHERE, ask.rdatas())))


def extra_owner(ask: Ask, sends: Sends) -> Sends:
    """The right answer, with forged records of another name in the answer and the additional section (cache poisoning)."""
    message = ask.right()
    message.answer += _forged(ask)
    message.additional += _forged(ask)
    return ask.sends(message)


def _forged(ask: Ask) -> list[RRset]:
    return ask.answered(ELSEWHERE, ask.rdatas(FORGED))


def wrong_type(ask: Ask, sends: Sends) -> Sends:
    """A record of a type that was not requested."""
    other = dns.rdatatype.TXT if ask.rdtype == dns.rdatatype.A else dns.rdatatype.A
    return ask.sends(ask.reply([rrset(ask.name, [rdata(other, SAMPLES[other])])]))


def wrong_class(ask: Ask, sends: Sends) -> Sends:
    """Question and records of class HS (an A record of class CH would have another format)."""
    end = HEADER + len(ask.question)
    hesiod = int(dns.rdataclass.HS).to_bytes(2, "big")
    return edited(wrong_record_class(ask, sends), lambda wire: wire[: end - 2] + hesiod + wire[end:])


def wrong_record_class(ask: Ask, sends: Sends) -> Sends:
    """The right question, with records of class HS."""
    datas = [each.to_wire() for each in ask.rdatas()]
    wires = [record_wire(ask.rdtype, data, rdclass=dns.rdataclass.HS) for data in datas if data]
    return ask.raw(b"".join(wires), len(wires))


def echo(ask: Ask, sends: Sends) -> Sends:
    """The query itself (QR=0)."""
    return edited(sends, lambda wire: ask.wire)


def ttl(ask: Ask, sends: Sends, seconds: int) -> Sends:
    """The answer with this TTL in every record, 0 to 2^32-1 (RFC 2181 8)."""
    answer = [rrset(one.name, one, seconds) for one in ask.found.answer] or ask.answered(ask.name, ask.rdatas())
    for one in answer:
        one.ttl = seconds
    return ask.sends(ask.reply(answer))


def partial(ask: Ask, sends: Sends) -> Sends:
    """TC by UDP with some records, which a careless client takes for the complete answer; the complete answer by TCP."""
    if ask.tcp:
        return sends
    message = ask.right()
    message.flags |= dns.flags.TC
    return ask.sends(message)


def reverse(ask: Ask, sends: Sends) -> Sends:
    """The records of the answer in reverse order."""
    return ask.sends(_with_records(ask, ask.rdatas()[::-1]))


def shuffle(ask: Ask, sends: Sends, seed: int) -> Sends:
    """The records of the answer in another order each time, in the same sequence for the same seed."""
    rdatas = ask.rdatas()
    random.Random(f"{seed}/{ask.nth}").shuffle(rdatas)
    return ask.sends(_with_records(ask, rdatas))


def rotate(ask: Ask, sends: Sends) -> Sends:
    """One record at a time: the first one, next time the second one (rebinding)."""
    rdatas = ask.rdatas()
    return ask.sends(_with_records(ask, rdatas[ask.nth % len(rdatas) :][:1] if rdatas else []))


def _with_records(ask: Ask, rdatas: list[dns.rdata.Rdata]) -> dns.message.Message:
    aliases = [one for one in ask.found.answer if one.rdtype != ask.rdtype]
    owner = ask.found.answer[-1].name if ask.found.answer else ask.name
    return ask.reply([*aliases, *ask.answered(owner, rdatas)])
