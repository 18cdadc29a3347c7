"""Advice for the sender's postmaster: each fault, with the record to publish; nothing if there is no fault."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import FACTS, Evidence, Generic, Helo, Iprev, Spf, exempted
from rdns_milter.responses.advice import MAX_SENTENCE, advice
from tests.kit.data.evidence import (
    BAD_NAME,
    FORWARD_SERVFAIL,
    GOOD,
    NO_FORWARD,
    NO_PTR,
    NOT_CONFIRMED,
    PTR_TIMEOUT,
    V6,
    evidence,
    hostile,
)

V6_REVERSE = "7" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa."
POOL = Iprev("pass", "confirmed", ("7-2-0-192.dyn.isp.example",), ("7-2-0-192.dyn.isp.example",), 1)


def spf(result: str, domain: str = "example.com", mechanism: str = "", problem: str = "") -> Spf:
    return Spf(result, domain, mechanism, problem)


def sentences_for(client: Evidence, facts: Collection[str] | None = None) -> list[str]:
    return [str(each) for each in advice(client, facts)]


# Evidence, and what the first sentence must contain.
FIRST: list[tuple[str, Evidence, tuple[str, ...]]] = [
    ("no PTR", evidence(iprev=NO_PTR), ("no reverse name", "7.2.0.192.in-addr.arpa. PTR mx.example.com.")),
    (
        "no PTR, IPv6",
        evidence(client=V6, iprev=NO_PTR),
        (f"{V6_REVERSE} PTR mx.example.com.", "network operator of 2001:db8::7"),
    ),
    (
        "no PTR, no good HELO name",
        evidence(iprev=NO_PTR, helo_name="pc", helo=Helo("unqualified", "no", "permerror", "none")),
        ("7.2.0.192.in-addr.arpa. PTR <host name>.",),
    ),
    (
        "no PTR, greets as a name of .local",
        evidence(iprev=NO_PTR, helo_name="pc.local", helo=Helo("fqdn", "no", "permerror", "none")),
        ("7.2.0.192.in-addr.arpa. PTR <host name>.",),
    ),
    (
        "not confirmed",
        evidence(iprev=NOT_CONFIRMED),
        (
            "reverse name host.example.com does not resolve back to 192.0.2.7",
            "publish host.example.com. A 192.0.2.7",
            "7.2.0.192.in-addr.arpa. PTR mx.example.com.",
        ),
    ),
    ("not confirmed, IPv6", evidence(client=V6, iprev=NOT_CONFIRMED), ("host.example.com. AAAA 2001:db8::7",)),
    ("no forward record", evidence(iprev=NO_FORWARD), ("host.example.com of 192.0.2.7 has no A record", "A 192.0.2.7")),
    ("bad name", evidence(iprev=BAD_NAME), ("no name that is valid", "7.2.0.192.in-addr.arpa. PTR")),
    (
        "PTR and HELO name the same unconfirmed name: no point in asking for it again",
        evidence(iprev=Iprev("fail", "not-confirmed", (), ("mx.example.com",), 1)),
        ("mx.example.com. A 192.0.2.7", "PTR <host name>."),
    ),
    (
        "timeout at PTR",
        evidence(iprev=PTR_TIMEOUT),
        ("no answer in time", "this can be temporary", "7.2.0.192.in-addr.arpa"),
    ),
    ("servfail at A", evidence(iprev=FORWARD_SERVFAIL), ("SERVFAIL", "name servers of host.example.com answer")),
    ("bogus", evidence(iprev=Iprev("temperror", "bogus", (), ("h.example",), 1)), ("DNSSEC signatures of h.example",)),
    ("our resolver", evidence(iprev=Iprev("temperror", "resolver-down")), ("nothing is wrong on the sender's side",)),
    (
        "SPF fail",
        evidence(spf_mailfrom=spf("fail", mechanism="-all")),
        ("example.com does not authorize 192.0.2.7 (-all)", 'example.com. TXT "v=spf1 ip4:192.0.2.7 ..."'),
    ),
    ("SPF fail, IPv6", evidence(client=V6, spf_mailfrom=spf("fail")), ("ip6:2001:db8::7",)),
    ("SPF softfail", evidence(spf_mailfrom=spf("softfail")), ("softfail", "add ip4:192.0.2.7")),
    ("SPF neutral", evidence(spf_mailfrom=spf("neutral")), ("add ip4:192.0.2.7",)),
    ("SPF none", evidence(spf_mailfrom=spf("none")), ('publish example.com. TXT "v=spf1 ip4:192.0.2.7 -all"',)),
    (
        "SPF permerror",
        evidence(spf_mailfrom=spf("permerror", problem="two records")),
        ("(two records)", "correct the TXT record"),
    ),
    (
        "SPF temperror",
        evidence(spf_mailfrom=spf("temperror")),
        ("example.com could not be looked up", "this can be temporary"),
    ),
    ("no sender domain", evidence(mailfrom="root", spf_mailfrom=Spf("none")), ("no valid domain",)),
    (
        "HELO SPF fail",
        evidence(spf_helo=spf("fail", "mx.example.com")),
        ("record of mx.example.com does not authorize",),
    ),
    (
        "own name",
        evidence(helo=Helo("fqdn", "yes", "fail", "different")),
        ("receiving server's own", "set the HELO name to"),
    ),
    (
        "HELO unqualified, confirmed PTR",
        evidence(helo_name="pc", helo=Helo("unqualified", "no", "permerror", "different")),
        ("HELO name pc is not fully qualified", "set the HELO name to mx.example.com"),
    ),
    (
        "HELO invalid",
        evidence(helo_name="a b", helo=Helo("invalid", "no", "none", "none")),
        ("a b is not a valid host name",),
    ),
    (
        "HELO address",
        evidence(helo_name="192.0.2.7", helo=Helo("address", "no", "none", "none")),
        ("without brackets",),
    ),
    ("HELO missing", evidence(helo_name="", helo=Helo("missing", "no", "none", "none")), ("no HELO or EHLO",)),
    (
        "HELO fail",
        evidence(helo_name="m.example.org", helo=Helo("fqdn", "no", "fail", "different")),
        ("m.example.org does not resolve to 192.0.2.7", "publish m.example.org. A 192.0.2.7", "to mx.example.com"),
    ),
    (
        "HELO permerror",
        evidence(helo_name="m.example.org", helo=Helo("fqdn", "no", "permerror", "different")),
        ("m.example.org has no A or AAAA record",),
    ),
    (
        "wrong literal",
        evidence(helo_name="[192.0.2.8]", helo=Helo("literal", "no", "fail", "none")),
        ("HELO [192.0.2.8] is not the client address 192.0.2.7",),
    ),
    (
        "HELO temperror",
        evidence(helo=Helo("fqdn", "no", "temperror", "same", "refused")),
        ("HELO name mx.example.com could not be looked up (REFUSED)",),
    ),
    (
        "generic",
        evidence(iprev=POOL, generic=Generic("yes", "dyn")),
        (
            "7-2-0-192.dyn.isp.example of 192.0.2.7 looks like",
            "a reverse name of your own: 7.2.0.192.in-addr.arpa. PTR mx.example.com.",
        ),
    ),
    (
        "generic, greeting by that very name",
        evidence(iprev=POOL, helo_name=POOL.ptr, generic=Generic("yes", "dyn")),
        ("PTR <host name>.",),
    ),
]


@pytest.mark.parametrize(("client", "parts"), [row[1:] for row in FIRST], ids=[row[0] for row in FIRST])
def test_first_sentence(client: Evidence, parts: tuple[str, ...]) -> None:
    sentences = sentences_for(client)
    assert sentences
    for part in parts:
        assert part in sentences[0]
    assert "{" not in "".join(sentences)


@pytest.mark.parametrize(
    "client",
    [
        GOOD,
        evidence(spf_helo=Spf("none", "mx.example.com")),
        evidence(spf_helo=Spf("neutral", "mx.example.com")),
        evidence(mailfrom="", spf_mailfrom=Spf("none", "mx.example.com"), spf_helo=Spf("none", "mx.example.com")),
        evidence(helo=Helo("fqdn", "no", "pass", "different"), mailfrom_match="different"),
        evidence(helo_name="[192.0.2.7]", helo=Helo("literal", "no", "pass", "none")),
        exempted(evidence(iprev=NO_PTR), "network"),
        Evidence(),
    ],
    ids=["good", "no SPF of HELO", "neutral HELO", "null sender", "HELO differs", "literal", "exempt", "nothing known"],
)
def test_nothing_when_all_is_well(client: Evidence) -> None:
    assert advice(client) == ()


def test_the_most_important_comes_first() -> None:
    client = evidence(
        iprev=NO_PTR,
        helo=Helo("fqdn", "no", "fail", "none"),
        spf_helo=Spf("temperror", "mx.example.com"),
        spf_mailfrom=spf("softfail"),
    )
    heads = [each.fault for each in advice(client)]
    assert [
        next(word for word in ("reverse", "HELO name", "softfail", "looked up") if word in head) for head in heads
    ] == [
        "reverse",
        "HELO name",
        "softfail",
        "looked up",
    ]


def test_null_sender_is_not_told_the_same_twice() -> None:
    fails = Spf("fail", "mx.example.com", "-all")
    assert len(advice(evidence(mailfrom="", spf_helo=fails, spf_mailfrom=fails))) == 1


@pytest.mark.parametrize(
    ("facts", "start"),
    [
        ({"iprev"}, "no reverse name"),
        ({"iprev_reason"}, "no reverse name"),
        ({"helo"}, "HELO name mx.example.com does not resolve"),
        ({"spf_mailfrom"}, "the SPF record of example.com says softfail"),
        ({"spf_helo"}, "mx.example.com has no SPF record"),
        ({"helo_match"}, "192.0.2.7 has no confirmed reverse name to match HELO name mx.example.com"),
    ],
)
def test_facts_choose(facts: set[str], start: str) -> None:
    client = evidence(
        iprev=NO_PTR,
        helo=Helo("fqdn", "no", "fail", "none"),
        spf_helo=Spf("none", "mx.example.com"),
        spf_mailfrom=spf("softfail"),
    )
    (sentence,) = sentences_for(client, facts)
    assert sentence.startswith(start)


def test_no_facts_no_advice() -> None:
    assert advice(evidence(iprev=NO_PTR), ()) == ()


def test_a_fault_that_no_fact_of_the_rule_names_stays_unsaid() -> None:
    client = evidence(iprev=NO_PTR, spf_mailfrom=spf("fail"))
    assert all("SPF" not in sentence for sentence in sentences_for(client, {"iprev"}))


@given(hostile(), st.none() | st.frozensets(st.sampled_from(sorted(FACTS))))
def test_any_evidence_gives_printable_bounded_sentences(client: Evidence, facts: frozenset[str] | None) -> None:
    for sentence in sentences_for(client, facts):
        assert 0 < len(sentence) <= MAX_SENTENCE
        assert sentence.isascii()
        assert sentence.isprintable()


def test_every_fault_of_a_fact_has_words() -> None:
    """A rule can refuse because of any of these facts, so there must be advice for each."""
    for result in ("fail", "permerror", "temperror"):
        assert advice(evidence(iprev=replace(NO_PTR, result=result, reason="error")), {"iprev"})
        assert advice(evidence(helo=Helo("fqdn", "no", result, "none", "error")), {"helo"})
    for result in ("fail", "softfail", "neutral", "none", "permerror", "temperror"):
        assert advice(evidence(spf_mailfrom=spf(result)), {"spf_mailfrom"})
        assert advice(evidence(spf_helo=spf(result)), {"spf_helo"})
    for kind in ("unqualified", "literal", "address", "invalid", "missing"):
        assert advice(evidence(helo=Helo(kind, "no", "none", "none")), {"helo_kind"})
    assert advice(evidence(generic=Generic("yes")), {"generic"})
