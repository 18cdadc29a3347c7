"""Header fields that are added to a message. Authentication-Results is also parsed with an independent parser (authres)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

import pytest
from hypothesis import given

from rdns_milter.checks.evidence import Evidence, Generic, Helo, Iprev, Spf, exempted
from rdns_milter.net.names import canonical, is_hostname
from rdns_milter.policy.rules import Verdict
from rdns_milter.responses.headers import authentication_results, received_spf, tag
from tests.kit.data.evidence import (
    BAD_NAME,
    FORWARD_SERVFAIL,
    GOOD,
    NO_PTR,
    NOT_CONFIRMED,
    TEXTS,
    V6,
    evidence,
    hostile,
)
from tests.kit.smtp.authentication_results import results

LONG = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])


def unfolded(value: str) -> str:
    return value.replace("\n\t", " ")


def spf(result: str, domain: str = "example.com", mechanism: str = "", problem: str = "") -> Spf:
    return Spf(result, domain, mechanism, problem)


AUTHENTICATION_RESULTS: list[tuple[str, Evidence, list[str]]] = [
    (
        "all is well",
        GOOD,
        [
            "mx.test",
            "iprev=pass policy.iprev=192.0.2.7 (mx.example.com)",
            "spf=pass smtp.helo=mx.example.com (a)",
            "spf=pass smtp.mailfrom=example.com (mx)",
        ],
    ),
    ("no PTR", evidence(iprev=NO_PTR), ["iprev=permerror policy.iprev=192.0.2.7 (no-ptr)"]),
    ("fail", evidence(iprev=NOT_CONFIRMED), ["iprev=fail policy.iprev=192.0.2.7 (not-confirmed host.example.com)"]),
    (
        "trouble",
        evidence(iprev=FORWARD_SERVFAIL),
        ["iprev=temperror policy.iprev=192.0.2.7 (servfail host.example.com)"],
    ),
    ("IPv6 is quoted", evidence(client=V6, iprev=NO_PTR), ['iprev=permerror policy.iprev="2001:db8::7" (no-ptr)']),
    ("bad PTR name", evidence(iprev=BAD_NAME), ["iprev=fail policy.iprev=192.0.2.7 (bad-name a?010b.example.com)"]),
    (
        "PTR name that would end the comment",
        evidence(iprev=Iprev("fail", "bad-name", (), ('x); spf=pass "y',), 1)),
        ["iprev=fail policy.iprev=192.0.2.7 (bad-name x?? spf?pass ?y)"],
    ),
    (
        "HELO in capitals",
        evidence(helo_name="MX.Example.COM.", spf_helo=Spf("none")),
        ["spf=none smtp.helo=mx.example.com"],
    ),
    (
        "HELO IDN",
        evidence(helo_name="mx.b\u00fccher.example", spf_helo=Spf("none")),
        ["spf=none smtp.helo=mx.xn--bcher-kva.example"],
    ),
    ("HELO one label", evidence(helo_name="pc", spf_helo=Spf("none")), ["spf=none smtp.helo=pc"]),
    ("HELO literal", evidence(helo_name="[192.0.2.7]", spf_helo=Spf("none")), ['spf=none smtp.helo="[192.0.2.7]"']),
    (
        "null sender: postmaster@HELO",
        evidence(mailfrom="", spf_mailfrom=spf("pass", "mx.example.com", "a")),
        ["spf=pass smtp.mailfrom=mx.example.com (null sender, a)"],
    ),
    (
        "null sender, no domain known",
        evidence(mailfrom="<>", spf_mailfrom=Spf("none")),
        ["spf=none smtp.mailfrom=mx.example.com (null sender)"],
    ),
    ("fail", evidence(spf_mailfrom=spf("fail", mechanism="-all")), ["spf=fail smtp.mailfrom=example.com (-all)"]),
    ("softfail", evidence(spf_mailfrom=spf("softfail")), ["spf=softfail smtp.mailfrom=example.com"]),
    (
        "neutral",
        evidence(spf_mailfrom=spf("neutral", mechanism="?all")),
        ["spf=neutral smtp.mailfrom=example.com (?all)"],
    ),
    (
        "permerror",
        evidence(spf_mailfrom=spf("permerror", problem="two records")),
        ["spf=permerror smtp.mailfrom=example.com (two records)"],
    ),
    (
        "temperror",
        evidence(spf_mailfrom=spf("temperror", problem="timeout")),
        ["spf=temperror smtp.mailfrom=example.com (timeout)"],
    ),
    (
        "problem that would be a result",
        evidence(spf_mailfrom=spf("permerror", problem="x)\r\n; spf=pass smtp.mailfrom=bank.example (")),
        ["spf=permerror smtp.mailfrom=example.com (x???? spf?pass smtp.mailfrom?bank.example ?)"],
    ),
    (
        "domain in the middle of quotes",
        evidence(mailfrom='"a@b"@example.com', spf_mailfrom=Spf("none")),
        ["spf=none smtp.mailfrom=example.com"],
    ),
    *(
        (f"{mailfrom} is no name", evidence(mailfrom=mailfrom, spf_mailfrom=Spf("none")), [f"spf=none {rest}"])
        for mailfrom, rest in (
            ("a@[192.0.2.9]", 'smtp.mailfrom="[192.0.2.9]"'),
            ("a@[IPv6:2001:DB8::9]", 'smtp.mailfrom="[ipv6:2001:db8::9]"'),
            ("a@b..example", 'smtp.mailfrom="b..example"'),
            (f"a@{'b' * 64}.example", f'smtp.mailfrom="{"b" * 64}.example"'),
            ("a@-b+c.example", 'smtp.mailfrom="-b+c.example"'),
            ("a@localhost", "smtp.mailfrom=localhost"),
            ("a@b;spf=pass(x.example", "(no domain that can be checked)"),
            ('a@b" smtp.mailfrom=c.example', "(no domain that can be checked)"),
            ("root", "(no domain that can be checked)"),
            ("a@b.example..", "(no domain that can be checked)"),
            ("a@\u2488com", "(no domain that can be checked)"),
            (f"a@{'b.' * 200}example", "(no domain that can be checked)"),
        )
    ),
    *(
        (f"HELO {helo} is no name", evidence(helo_name=helo, spf_helo=Spf("none")), [f"spf=none smtp.helo={written}"])
        for helo, written in (
            ("a b;c", '"a?b?c"'),
            ("h\r\nx.example", '"h??x.example"'),
            ("\udcffx", '"?x"'),
            ("[192.0.2.7", '"[192.0.2.7"'),
            ("x" * 300, f'"{"x" * 250}..."'),
        )
    ),
    (
        "a result for a name that is no host's",
        evidence(mailfrom="a@-x$y=z.example", spf_mailfrom=Spf("fail", "-x$y=z.example", "-all")),
        ['spf=fail smtp.mailfrom="-x$y?z.example" (-all)'],
    ),
    (
        "null sender behind a literal",
        evidence(mailfrom="", helo_name="[192.0.2.7]", spf_mailfrom=Spf("none"), spf_helo=Spf("none")),
        ['spf=none smtp.helo="[192.0.2.7]"', 'spf=none smtp.mailfrom="[192.0.2.7]" (null sender)'],
    ),
    (
        "null sender without a greeting",
        evidence(mailfrom="", helo_name="", spf_mailfrom=Spf("none"), spf_helo=Spf("none")),
        ["spf=none (null sender, no domain that can be checked)"],
    ),
]


@pytest.mark.parametrize(
    ("client", "lines"), [row[1:] for row in AUTHENTICATION_RESULTS], ids=[r[0] for r in AUTHENTICATION_RESULTS]
)
def test_authentication_results(client: Evidence, lines: list[str]) -> None:
    value = authentication_results("mx.test", client)
    found = value.split(";\n\t")
    assert found[0] == "mx.test"
    for line in lines:
        assert line in [unfolded(resinfo) for resinfo in found]
    assert results(value)


@pytest.mark.parametrize(
    ("client", "missing"),
    [
        (evidence(helo_name="", spf_helo=Spf("none")), "smtp.helo"),
        (evidence(spf_helo=Spf()), "smtp.helo"),
        (evidence(spf_mailfrom=Spf()), "smtp.mailfrom"),
        (evidence(iprev=Iprev("none", "exempt")), "iprev"),
        (evidence(iprev=Iprev()), "iprev"),
        (evidence(client=None), "iprev"),
    ],
)
def test_what_has_no_identity_or_was_not_checked_is_left_out(client: Evidence, missing: str) -> None:
    value = authentication_results("mx.test", client)
    assert missing not in value
    assert len(results(value)) == 2


@pytest.mark.parametrize(
    "client", [Evidence(), exempted(GOOD, "authenticated"), exempted(evidence(client=None), "not-ip")]
)
def test_nothing_checked(client: Evidence) -> None:
    assert authentication_results("mx.test", client) == "mx.test; none"
    assert results("mx.test; none") == []


def test_local_part_stays_out() -> None:
    assert "alice" not in authentication_results("mx.test", GOOD)


@pytest.mark.parametrize(
    ("authserv_id", "start"),
    [
        ("mx.test", "mx.test;"),
        ("MX-1.test", "MX-1.test;"),
        ("mx.test/1", '"mx.test/1";'),
        ('m"x\\\r\n', '"m\\"x\\\\??";'),
        ("", "localhost;"),
    ],
)
def test_authserv_id(authserv_id: str, start: str) -> None:
    assert authentication_results(authserv_id, GOOD).startswith(start)


def test_lines_stay_short() -> None:
    client = evidence(
        client=V6,
        iprev=Iprev("fail", "not-confirmed", (), ("some-rather-long-name-of-a-host.department.example.com",), 1),
        spf_mailfrom=spf("permerror", "a-rather-long-name-of-a-domain.example.com", problem="too many lookups " * 2),
    )
    value = f"Authentication-Results: {authentication_results('mx.test', client)}"
    assert max(len(line) for line in value.split("\n")) <= 78


def test_a_name_of_full_length_is_neither_cut_nor_broken() -> None:
    value = authentication_results("mx.test", evidence(mailfrom=f"a@{LONG}", spf_mailfrom=Spf("fail", LONG, "-all")))
    assert ("spf", "fail", {"smtp.mailfrom": LONG}) in results(value)
    assert max(len(line) for line in value.split("\n")) <= 998


def assert_fit(value: str, length: int) -> None:
    assert len(value) <= length
    for line in value.split("\n\t"):
        assert line.isascii()
        assert line.isprintable()
        assert line.strip()
        assert len(f"Authentication-Results: {line}") <= 998


def meant(client: Evidence) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Return the expected resinfos for the evidence, written independently from the docstring of authentication_results."""
    if client.exempt:
        return
    if client.client and client.iprev.result not in ("unknown", "none"):
        yield "iprev", client.iprev.result, {"policy.iprev": str(client.client)}
    asked = written(client.spf_helo.domain, client.helo_name)
    if asked and client.spf_helo.result != "unknown":
        yield "spf", client.spf_helo.result, {"smtp.helo": asked}
    asked = written(client.spf_mailfrom.domain, client.helo_name if client.sender.is_null else client.sender.domain)
    if client.spf_mailfrom.result != "unknown":
        yield "spf", client.spf_mailfrom.result, {"smtp.mailfrom": asked} if asked else {}


FIT = frozenset(string.ascii_letters + string.digits + ".:[]!#$%&'*+/^_`{|}~-")


def written(domain: str, claimed: str) -> str:
    """Return a domain, or the text given instead of one, as the field contains it."""
    name = canonical(domain) or canonical(claimed)
    if is_hostname(name):
        return name
    text = domain or claimed
    if len(text) > 253:
        text = text[:250] + "..."
    return "".join(letter if letter in FIT else "?" for letter in text)


@given(hostile())
def test_authres_reads_what_was_meant_whatever_the_client_says(client: Evidence) -> None:
    value = authentication_results("mx.test", client)
    assert_fit(value, 2500)
    assert results(value) == list(meant(client))
    # A reader that searches for results instead of parsing finds no more either.
    assert len(re.findall(r"(?<!policy\.)(?:spf|iprev|dkim|dmarc)\s*=", value)) == len(list(meant(client)))


@given(TEXTS)
def test_any_authserv_id_is_one_value(authserv_id: str) -> None:
    value = authentication_results(authserv_id, GOOD)
    assert_fit(value, 2500)
    assert re.match(r'(?:[A-Za-z0-9._-]+|"(?:[^"\\]|\\.)*");\n\tiprev=pass', value)


PAIR = re.compile(r'([a-z-]+)=((?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)|"(?:[^"\\]|\\.)*")(?:; |\Z)')


def pairs(value: str) -> tuple[str, str, dict[str, str]]:
    """Parse a Received-SPF value by the ABNF of RFC 7208 9.1 into result, comment and pairs; assert that nothing is left."""
    match = re.match(r"([a-z]+) \(([^()\\]*)\) ", unfolded(value))
    assert match
    rest = unfolded(value)[match.end() :]
    assert PAIR.sub("", rest) == ""
    return match[1], match[2], {key: re.sub(r"\\(.)", r"\1", text.strip('"')) for key, text in PAIR.findall(rest)}


RECEIVED: list[tuple[str, Evidence, str, str, dict[str, str]]] = [
    (
        "pass",
        GOOD,
        "pass",
        "mx.test: example.com authorizes 192.0.2.7",
        {
            "receiver": "mx.test",
            "identity": "mailfrom",
            "client-ip": "192.0.2.7",
            "helo": "mx.example.com",
            "envelope-from": "alice@example.com",
            "mechanism": "mx",
        },
    ),
    ("IPv6", evidence(client=V6), "pass", "mx.test: example.com authorizes 2001:db8::7", {"client-ip": "2001:db8::7"}),
    (
        "null sender",
        evidence(mailfrom="", spf_mailfrom=Spf("none")),
        "none",
        "mx.test: mx.example.com has no SPF record",
        {"envelope-from": "<>"},
    ),
    (
        "permerror",
        evidence(spf_mailfrom=spf("permerror", problem="a;b=c")),
        "permerror",
        "mx.test: the record of example.com cannot be evaluated",
        {"problem": "a;b=c"},
    ),
    (
        "HELO alone",
        evidence(spf_mailfrom=Spf()),
        "pass",
        "mx.test: mx.example.com authorizes 192.0.2.7",
        {"identity": "helo"},
    ),
    *(
        (
            f"sender {sender}",
            evidence(mailfrom=sender),
            "pass",
            "mx.test: example.com authorizes 192.0.2.7",
            {"envelope-from": written},
        )
        for sender, written in (
            ("a@b\u00fccher.example", "a@xn--bcher-kva.example"),
            ("A@B\u00dcCHER.example", "A@xn--bcher-kva.example"),
            ("j\u00fcrgen@b\u00fccher.example", r"j\x{FC}rgen@xn--bcher-kva.example"),
            ("j\u00fcrgen@example.com", r"j\x{FC}rgen@example.com"),
            ("\U0001f600\\@example.com", r"\x{1F600}@example.com"),
            ("\udcff@b\u00fccher.example", "?@xn--bcher-kva.example"),
            ("j\u00fcrgen", r"j\x{FC}rgen"),
            ("a@\u2488com", r"a@\x{2488}com"),
            ("Anna@Example.com", "Anna@Example.com"),
        )
    ),
    (
        "HELO outside ASCII",
        evidence(helo_name="mx.b\u00fccher.example"),
        "pass",
        "mx.test: example.com authorizes 192.0.2.7",
        {"helo": "mx.xn--bcher-kva.example"},
    ),
    (
        "a name that is no host's",
        evidence(mailfrom="a@-x+y.example", spf_mailfrom=Spf("fail", "-x+y.example")),
        "fail",
        "mx.test: -x+y.example does not authorize 192.0.2.7",
        {"envelope-from": "a@-x+y.example"},
    ),
    (
        "no domain",
        evidence(mailfrom="root", spf_mailfrom=Spf("none")),
        "none",
        "mx.test: no domain that can be checked",
        {"envelope-from": "root"},
    ),
]


@pytest.mark.parametrize(
    ("client", "result", "comment", "expected"), [row[1:] for row in RECEIVED], ids=[r[0] for r in RECEIVED]
)
def test_received_spf(client: Evidence, result: str, comment: str, expected: dict[str, str]) -> None:
    found = pairs(received_spf(client, "mx.test"))
    assert found[:2] == (result, comment)
    assert expected.items() <= found[2].items()


@pytest.mark.parametrize("client", [Evidence(), exempted(GOOD, "network"), evidence(client=None)])
def test_no_received_spf_of_nothing(client: Evidence) -> None:
    assert received_spf(client, "mx.test") == ""


@given(hostile(), TEXTS)
def test_received_spf_whatever_the_client_says(client: Evidence, receiver: str) -> None:
    value = received_spf(client, receiver)
    if value:
        assert_fit(value, 6000)
        assert pairs(value)[2]["client-ip"] == str(client.client)


def test_tag() -> None:
    client = evidence(
        iprev=NO_PTR, generic=Generic("none"), helo=Helo("fqdn", "no", "fail", "none"), spf_mailfrom=spf("softfail")
    )
    assert unfolded(tag(Verdict("tag", "no-rdns"), client)) == (
        "tag rule=no-rdns iprev=permerror generic=none helo_kind=fqdn helo=fail helo_match=none spf_helo=pass spf_mailfrom=softfail"
    )


def test_tag_of_an_odd_rule_and_unknown_facts() -> None:
    value = unfolded(tag(Verdict("tag", 'n\u00e4me "x"\r\nBcc: y'), Evidence()))
    assert value.startswith(r'tag rule="n?me \"x\"??Bcc: y" iprev=none ')
    assert "unknown" not in value


@given(hostile(), TEXTS)
def test_tag_whatever_the_names(client: Evidence, rule: str) -> None:
    assert_fit(tag(Verdict("tag", rule), client), 600)
