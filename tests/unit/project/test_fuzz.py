"""Random input for everything that reads foreign data: DNS messages, SPF records and macros, forged results, endpoints. Each
input gives one of the defined results.

Names, log lines, configuration and policy have tests of their own: tests/unit/net/test_names.py,
tests/unit/logs/test_decision_line_fuzz.py, tests/unit/config/test_load_fuzz.py, tests/unit/policy/test_trouble_properties.py.
"""

from __future__ import annotations

import re
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import get_args

import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rdns_milter.checks import helo, spf_macros
from rdns_milter.checks.evidence import FACTS, IPREV_REASONS, SPF_RESULTS
from rdns_milter.checks.iprev import iprev
from rdns_milter.checks.spf import Limits, check_host
from rdns_milter.net.endpoints import parse_host_port, parse_nameserver, parse_socket_address
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.net.names import reverse_name
from rdns_milter.resolver import wire as message
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Question, Status, Type, forward_type
from rdns_milter.resolver.nameservers import NoNameservers, nameservers
from rdns_milter.resolver.reading import MAX_VALUES, Reading
from rdns_milter.resolver.wire import BadName, EncodedQuery, decode, decode_any, encode
from rdns_milter.responses.forged_results import claims, is_unsupported
from tests.kit.data.strategies import hostile_text
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

SEEDS = st.integers(0, 2**64)
TYPES: tuple[Type, ...] = get_args(Type)
STATUSES = frozenset(get_args(Status))
many = settings(max_examples=200, deadline=None)
some = settings(max_examples=80, deadline=None)

# DNS messages

RECORDS = {
    "A": ["192.0.2.1", "192.0.2.2"],
    "AAAA": ["2001:db8::1"],
    "PTR": ["mail.example.com.", "\\000\\010\\255.example.com.", "."],
    "MX": ["10 mail.example.com.", "0 ."],
    "TXT": ['"v=spf1 -all"', '"\\000\\255" "b"', '""'],
}


def answer(question: EncodedQuery, kind: Type, alias: bool = False) -> bytes:
    """Return a right answer to the question."""
    response = dns.message.make_response(question.message, recursion_available=True)
    name = question.message.question[0].name
    if alias:
        other = dns.name.from_text("other.example.com.")
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", other.to_text()))
        name = other
    response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *RECORDS[kind]))
    return response.to_wire()


def check_reading(reading: Reading | None, kind: Type) -> None:
    """Check that it is bounded, in order, and of the question's type, and that names of answers have no raw bytes."""
    if reading is None:
        return
    assert reading.status in STATUSES
    assert bool(reading.values) == (reading.status == "ok")
    assert len(reading.values) <= MAX_VALUES
    assert 0 <= reading.ttl < 2**32
    assert re.fullmatch(r"[\x00-\xff]{0,254}", reading.chase)  # a question: each character is one byte
    for value in reading.values:
        match kind, value:
            case "TXT", bytes():
                assert len(value) < 65536
            case "MX", (int(), str()):
                assert re.fullmatch("[!-~]*", value[1])
            case "PTR", str():
                assert re.fullmatch("[!-~]*", value)
            case "A" | "AAAA", str():
                assert forward_type(ip_address(value)) == kind
            case _:
                pytest.fail(f"{kind} has {value!r}")


@many
@given(st.binary(max_size=200), st.sampled_from(TYPES), st.booleans())
@example(b"", "A", False)
def test_any_bytes(octets: bytes, kind: Type, over_tcp: bool) -> None:
    question = encode(Question("mail.example.com", kind), True, 0x1234)
    check_reading(decode(octets, question, over_tcp), kind)
    check_reading(decode(question.wire[:2] + b"\x81\x80" + question.wire[4:] + octets, question, over_tcp), kind)


def changed(right: bytes, rng: Random) -> bytes:
    """Return the bytes with some of them changed, removed, or added."""
    wire = bytearray(right)
    for _ in range(rng.choice((1, 2, 8))):
        match rng.randrange(4):
            case 0:
                wire[rng.randrange(len(wire))] ^= 1 << rng.randrange(8)
            case 1:
                wire[rng.randrange(len(wire))] = rng.choice((0, 0xC0, 0xFF, 0x3F))
            case 2:
                del wire[rng.randrange(len(wire)) + 1 :]
            case _:
                at = rng.randrange(len(wire))
                wire[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(wire)


@many
@given(SEEDS, st.sampled_from(TYPES), st.booleans())
def test_changed_bytes(seed: int, kind: Type, alias: bool) -> None:
    question = encode(Question("mail.example.com", kind), True, 0x1234)
    right = answer(question, kind, alias)
    reading = decode(right, question, over_tcp=False)
    assert reading is not None
    assert reading.status == "ok"
    check_reading(reading, kind)
    rng = Random(seed)
    check_reading(decode(changed(right, rng), question, over_tcp=rng.random() < 0.5), kind)


@many
@given(SEEDS, st.sampled_from(TYPES), st.booleans(), st.booleans())
def test_a_message_says_the_same_without_an_opt_that_says_nothing(
    seed: int, kind: Type, alias: bool, whole: bool
) -> None:
    """Reading it without that record is an optimization and changes nothing."""
    question = encode(Question("mail.example.com", kind), True, 0x1234)
    right = answer(question, kind, alias)
    rng = Random(seed)
    wire = right[:10] + b"\0\1" + right[12:] + b"\0\0\x29\x04\xd0\0\0" + rng.randbytes(2) + b"\0\0"
    wire = wire if whole else changed(wire, rng)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message, "_OPT_THAT_SAYS_NOTHING", re.compile(b"(?!)"))
        slowly = decode_any(wire, question, over_tcp=False)
    assert decode_any(wire, question, over_tcp=False) == slowly
    assert not whole or (slowly is not None and slowly.status == "ok")


@some
@given(st.integers(0, 65535), st.sampled_from(TYPES))
def test_only_the_answer_to_this_question_counts(ident: int, kind: Type) -> None:
    question = encode(Question("mail.example.com", kind), True, ident)
    others = [
        encode(Question("mail.example.com", kind), True, ident ^ 1),
        encode(Question("mail.example.org", kind), True, ident),
        encode(Question("mail.example.com", "MX" if kind == "TXT" else "TXT"), True, ident),
    ]
    for other in others:
        forged = answer(other, "MX" if other is others[2] and kind == "TXT" else "TXT" if other is others[2] else kind)
        assert decode(forged, question, over_tcp=False) is None
    assert decode(question.wire, question, over_tcp=False) is None


@many
@given(hostile_text(300) | st.text(st.characters(max_codepoint=255), max_size=300))
@example("a" * 64)
@example("." * 10)
@example("\x00.\xff")
def test_any_name_to_ask_for(name: str) -> None:
    """Where a question can be written, dnspython reads it as intended."""
    try:
        query = encode(Question(name, "A"), False, 1)
    except BadName:
        return
    read = dns.message.from_wire(query.wire)
    assert read.question[0].name.labels == (*(label.encode("latin-1") for label in name.split(".")), b"")
    assert read.flags == dns.flags.RD


# SPF

WORTH = spf_macros.macro_values(ip_address("192.0.2.3"), "a-b+c", "example.com", "mx.example.org") | {
    "d": "example.com",
    "p": "unknown",
    "t": "0",
}
MACRO_TEXT = st.lists(
    st.sampled_from(
        [
            "%",
            "{",
            "}",
            "%{",
            "%%",
            "%_",
            "%-",
            "d",
            "s",
            "1",
            "99",
            "r",
            "R",
            "-",
            "+/",
            ".",
            "x",
            "\xff",
            "%{d2r-}",
            "0",
        ]
    ),
    max_size=12,
).map("".join)


@many
@given(MACRO_TEXT | hostile_text(), st.sampled_from("slodiphcrtv"))
def test_any_macro(text: str, letter: str) -> None:
    for each in (text, f"%{{{letter}{text}}}", f"%{{{letter}{'1' * 5000}{text}}}"):
        try:
            expanded = spf_macros.expand(each, WORTH.__getitem__)
        except ValueError:  # MacroError, or int's error for too many digits: the check handles both
            continue
        name = spf_macros.name_to_ask(spf_macros.cut_to_name(expanded))
        assert len(name) <= 253
        if name:
            encode(Question(name, "A"), True, 1)


@many
@given(hostile_text(300))
def test_any_name_in_an_answer(text: str) -> None:
    name = spf_macros.name_in_answer(text)
    if name:
        encode(Question(name, "A"), True, 1)


TERMS = st.sampled_from(
    [
        "a",
        "mx",
        "ptr",
        "all",
        "-all",
        "include:",
        "exists:",
        "redirect=",
        "exp=",
        "ip4:",
        "ip6:",
        "a:",
        "mx:",
        "ptr:",
        "x=",
    ]
)
ARGUMENTS = st.sampled_from(
    ["v.example", "w.example", "%{d}", "%{l}.%{d}", "%{p}", "%{ir}.x", "10.0.0.1", "::1", "/24", "//64", "/" + "9" * 500, "", "%",
     "\x00", "\xff", "\r\n", "..", "." * 200, "a" * 64 + ".example", "[::1]", "%{d" + "9" * 400 + "}", "nx.example", "e.example"]
)  # fmt: skip
TERM = st.tuples(TERMS, st.lists(ARGUMENTS, max_size=2)).map(lambda parts: parts[0] + "".join(parts[1]))
RECORD = st.lists(TERM | hostile_text(20), max_size=8).map(lambda terms: " ".join(("v=spf1", *terms)))


@settings(max_examples=120, deadline=None)
@given(
    RECORD, RECORD, hostile_text(40), st.sampled_from(["192.0.2.1", "2001:db8::1"]), hostile_text(30), hostile_text(30)
)
def test_any_record(one: str, other: str, text: str, address: str, local: str, greeting: str) -> None:
    """A result of RFC 7208, in bounded time and questions, and no raw bytes in its texts."""
    octets = partial(str.encode, encoding="utf-8", errors="surrogateescape")
    plain = partial(re.sub, r"[\ud800-\udc7f\udd00-\udfff]", "?")
    zone: dict[str, list[tuple[str, str | bytes]]] = {
        "v.example": [("TXT", octets(plain(one))), ("MX", "0 w.example."), ("A", "10.0.0.1")],
        "w.example": [("TXT", octets(plain(other))), ("A", "192.0.2.1"), ("AAAA", "2001:db8::1")],
        "e.example": [("TXT", octets(plain(text)))],
        address: [("PTR", "w.example."), ("PTR", "\\000.example.")],
    }
    lookup = VirtualTimeLookup(Zone(zone))
    client = ip_address(address)
    checked = run(check_host(lookup, client, Mailbox(local, "v.example"), greeting, limits=Limits()))
    fact = checked.spf
    assert fact.result in SPF_RESULTS
    assert not fact.problem.startswith("pyspf: ")
    assert len(lookup.begun) <= Limits().questions
    for said in (fact.mechanism, fact.problem, fact.explanation):
        assert re.fullmatch("[ -~]{0,250}", said)


# The greeting, the reverse name


@many
@given(hostile_text(300))
def test_any_greeting(greeting: str) -> None:
    client = ip_address("192.0.2.1")
    assert helo.kind(greeting) in FACTS["helo_kind"].words
    assert helo.own(greeting, client, frozenset(("mx.example",)), frozenset((client,))) == "no"
    result, _ = run(helo.resolve(VirtualTimeLookup(Zone()), greeting, client))
    assert result in FACTS["helo"].words


@some
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=15))
def test_any_reverse_names(labels: list[bytes]) -> None:
    client = ip_address("192.0.2.1")
    names = [dns.name.Name((label, b"example", b"")).to_text() for label in labels]
    fact = run(iprev(VirtualTimeLookup(Zone({reverse_name(client): [("PTR", name) for name in names]})), client, 10))
    assert fact.result == "fail"
    assert fact.reason in IPREV_REASONS
    assert re.fullmatch("[!-~]+", fact.ptr)
    assert len(fact.claimed) <= 10


# Forged results

FILLERS = ["", " ", "\t", "\r\n ", "(c)", "(a(b)c)", "()", '(")', "\x00", "\u200b", "\u00ad"]


@some
@given(SEEDS)
def test_ours_in_any_form(seed: int) -> None:
    """Comments, spaces, case, dots and versions that some reader skips do not hide a field that claims to be ours."""
    rng = Random(seed)
    name = "".join(rng.choice((letter.upper(), letter)) for letter in "mx.test.example")
    version = rng.choice(("", ".", " 1", " 2", ". 1", "(1)"))
    dressed = f"{rng.choice(FILLERS)}{name}{version}{rng.choice(FILLERS)}; spf=pass"
    assert claims(dressed, "mx.test.example")


@many
@given(hostile_text(2000), hostile_text())
def test_any_field(value: str, authserv_id: str) -> None:
    assert claims(value, authserv_id) in (True, False)
    assert is_unsupported(value) in (True, False)


# Endpoints


@many
@given(hostile_text() | st.from_regex(r"(inet6?|unix|local)?:?[0-9]{0,6}[@:]?[\[\]0-9a-f.:%/]{0,20}", fullmatch=True))
@pytest.mark.parametrize("parse", [parse_socket_address, parse_nameserver, parse_host_port])
def test_any_endpoint(parse: object, text: str) -> None:
    assert callable(parse)
    try:
        endpoint = parse(text)
    except ValueError as error:
        said = str(error)
    else:
        said = str(endpoint)
        assert parse(said) == endpoint
    assert said.isprintable()


@some
@given(
    st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"nameserver {text}\n".encode("utf-8", "replace"))
)
def test_any_resolv_conf(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "resolv.conf"
    path.write_bytes(octets)
    try:
        assert all(server.port == 53 and ip_address(server.host) for server in nameservers((), str(path)))
    except NoNameservers as error:
        said = str(error)
    else:
        said = str(path)
    assert str(path) in said
