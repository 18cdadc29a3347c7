"""What the client is told: codes, words, placeholders, and that nothing from the network gets out of its line."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.evidence import FACTS, Evidence, Generic, Helo, Iprev, Spf
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import ACTIONS, Condition, Mailboxes, Names, Policy, Rule, Verdict, Words
from rdns_milter.responses.replies import PLACEHOLDERS, Reply, compose
from tests.kit.data.evidence import NO_PTR, NOT_CONFIRMED, PTR_TIMEOUT, TEXTS, V6, evidence, hostile

DOWN = Helo("fqdn", "no", "fail", "none")


def spf(result: str, explanation: str = "") -> Spf:
    return Spf(result, "example.com", "-all", "", explanation)


def words(**facts: str) -> tuple[Condition, ...]:
    return tuple(Condition(name, Words(frozenset(text.split()))) for name, text in facts.items())


def rule(action: str = "reject", unless: tuple[Condition, ...] = (), **facts: str) -> Rule:
    return Rule("the-rule-s-name", words(**facts), unless, action)


def say(client: Evidence, *rules: Rule) -> Reply:
    reply = compose(decide(client, Policy(rules)), client)
    assert reply is not None
    return reply


PTR_RULE = Rule("r", (Condition("ptr", Names(frozenset(), frozenset((".example.com",)))),), (), "reject")

# evidence, rule, code and enhanced code, what the text must hold
CODES: list[tuple[str, Evidence, Rule, str, str]] = [
    ("no PTR", evidence(iprev=NO_PTR), rule(iprev="permerror"), "550 5.7.25", "PTR mx.example.com."),
    ("not confirmed", evidence(iprev=NOT_CONFIRMED), rule(iprev="fail permerror"), "550 5.7.25", "A 192.0.2.7"),
    ("its reason", evidence(iprev=NOT_CONFIRMED), rule(iprev_reason="not-confirmed"), "550 5.7.25", "A 192.0.2.7"),
    ("by unless", evidence(iprev=NO_PTR), rule(unless=words(iprev="pass")), "550 5.7.25", "no reverse name"),
    ("generic", evidence(generic=Generic("yes")), rule(generic="yes"), "550 5.7.25", "address pool"),
    ("ptr", evidence(), PTR_RULE, "550 5.7.25", "local policy"),
    (
        "SPF fail",
        evidence(spf_mailfrom=spf("fail")),
        rule(spf_mailfrom="fail"),
        "550 5.7.23",
        "does not authorize 192.0.2.7",
    ),
    ("SPF HELO fail", evidence(spf_helo=spf("fail")), rule(spf_helo="fail"), "550 5.7.23", "does not authorize"),
    (
        "SPF permerror",
        evidence(spf_mailfrom=spf("permerror")),
        rule(spf_mailfrom="permerror"),
        "550 5.7.24",
        "evaluated",
    ),
    ("SPF softfail", evidence(spf_mailfrom=spf("softfail")), rule(spf_mailfrom="softfail"), "550 5.7.1", "softfail"),
    (
        "both",
        evidence(iprev=NO_PTR, spf_mailfrom=spf("fail")),
        rule(iprev="permerror", spf_mailfrom="fail"),
        "550 5.7.26",
        "no reverse name (PTR record), the SPF record of example.com does not authorize",
    ),
    (
        "two tested, one failed",
        evidence(iprev=NOT_CONFIRMED, spf_mailfrom=spf("softfail")),
        rule(iprev="fail permerror", spf_mailfrom="none softfail fail"),
        "550 5.7.25",
        "host.example.com",
    ),
    (
        "two failed, one tested",
        evidence(iprev=NO_PTR, spf_mailfrom=spf("fail")),
        rule(iprev="permerror"),
        "550 5.7.25",
        "",
    ),
    ("with HELO", evidence(iprev=NO_PTR, helo=DOWN), rule(iprev="permerror", helo="fail"), "550 5.7.25", "HELO name"),
    (
        "HELO",
        evidence(helo=DOWN),
        rule(helo="fail"),
        "550 5.7.1",
        "HELO name mx.example.com does not resolve to 192.0.2.7",
    ),
    ("own name", evidence(helo=Helo("fqdn", "yes")), rule(helo_own="yes"), "550 5.7.1", "receiving server's own"),
    (
        "kind",
        evidence(helo_name="pc", helo=Helo("unqualified")),
        rule(helo_kind="unqualified"),
        "550 5.7.1",
        "pc is not fully",
    ),
    ("pass", evidence(), rule(iprev="pass"), "550 5.7.1", "write to the postmaster"),
    ("no facts", evidence(), rule(), "550 5.7.1", "Client host [192.0.2.7]: local policy"),
    (
        "deferred",
        evidence(iprev=NO_PTR),
        rule("tempfail", iprev="permerror"),
        "451 4.7.25",
        "try again later. Client host",
    ),
    (
        "deferred SPF",
        evidence(spf_mailfrom=spf("fail")),
        rule("tempfail", spf_mailfrom="fail"),
        "451 4.7.23",
        "again later",
    ),
    ("deferred, no facts", evidence(), rule("tempfail"), "451 4.7.1", "please try again later"),
    (
        "PTR trouble",
        evidence(iprev=PTR_TIMEOUT),
        rule("tempfail", iprev="temperror"),
        "451 4.7.25",
        "no answer in time",
    ),
    ("softened", evidence(iprev=PTR_TIMEOUT), rule(unless=words(iprev="pass")), "451 4.7.25", "Temporary DNS error"),
    (
        "softened, by a fact made of iprev",
        evidence(iprev=PTR_TIMEOUT, generic=Generic("none")),
        rule(unless=words(generic="no")),
        "451 4.7.25",
        "reverse name of 192.0.2.7 could not",
    ),
    (
        "softened, SPF",
        evidence(spf_mailfrom=spf("temperror")),
        rule(unless=words(spf_mailfrom="pass")),
        "451 4.7.24",
        "SPF",
    ),
    (
        "softened, HELO",
        evidence(helo=Helo("fqdn", "no", "temperror")),
        rule(unless=words(helo="pass")),
        "451 4.4.3",
        "HELO",
    ),
    (
        "softened, several",
        evidence(iprev=PTR_TIMEOUT, spf_mailfrom=spf("temperror")),
        rule(unless=words(iprev="pass", spf_mailfrom="pass")),
        "451 4.4.3",
        "Temporary DNS error, please try again later: the reverse name",
    ),
]


@pytest.mark.parametrize(("client", "by", "start", "part"), [row[1:] for row in CODES], ids=[row[0] for row in CODES])
def test_defaults(client: Evidence, by: Rule, start: str, part: str) -> None:
    reply = say(client, by)
    assert str(reply).startswith(f"{start} ")
    assert part in reply.text
    assert by.name == "r" or by.name not in reply.text
    assert "://" not in reply.text


def test_softened_for_the_sake_of_another_rule() -> None:
    """The rule that refuses tests the sender's SPF, which is sure; the one before it could have spared the client."""
    client = evidence(iprev=PTR_TIMEOUT, spf_mailfrom=spf("fail"))
    reply = say(client, rule("accept", iprev="pass"), replace(rule(spf_mailfrom="fail"), code=554, enhanced="5.7.23"))
    assert str(reply).startswith("451 4.7.25 Temporary DNS error")


@pytest.mark.parametrize("action", ["accept", "tag", "quarantine"])
def test_taken(action: str) -> None:
    assert compose(Verdict(action, because=rule(action)), evidence()) is None


def test_exempt_and_observed_are_taken() -> None:
    client = evidence(iprev=NO_PTR)
    assert compose(decide(client, Policy((rule(iprev="permerror"),), "observe")), client) is None
    exempt = replace(client, exempt="network")
    assert compose(decide(exempt, Policy((rule(iprev="permerror"),))), exempt) is None


@pytest.mark.parametrize(
    ("action", "code", "enhanced", "start"),
    [
        ("reject", 554, "5.7.0", "554 5.7.0 "),
        ("reject", 554, "", "554 5.7.25 "),
        ("reject", 0, "5.1.8", "550 5.1.8 "),
        ("reject", 451, "4.7.1", "550 5.7.25 "),  # of the other class (packaging/doc/platform.md 1.8)
        ("reject", 550, "4.7.1", "550 5.7.25 "),
        ("reject", 550, "5.7.1234", "550 5.7.25 "),
        ("tempfail", 421, "4.3.2", "421 4.3.2 "),
        ("tempfail", 550, "5.7.1", "451 4.7.25 "),
    ],
)
def test_the_rule_s_own_codes(action: str, code: int, enhanced: str, start: str) -> None:
    by = replace(rule(action, iprev="permerror"), code=code, enhanced=enhanced)
    assert str(say(evidence(iprev=NO_PTR), by)).startswith(start)


def test_softened_has_nothing_of_the_rule() -> None:
    by = replace(rule(unless=words(iprev="pass")), code=554, enhanced="5.7.0", text="Go away for good")
    reply = say(evidence(iprev=PTR_TIMEOUT), by)
    assert (reply.code, reply.enhanced) == (451, "4.7.25")
    assert "Go away" not in reply.text
    assert "Temporary" in reply.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No mail from {client}", "No mail from 192.0.2.7"),
        ("{helo}, {mailfrom}, {ptr}", "mx.example.com, alice@example.com, none"),
        ("{rule}: {reason}", "the-rule-s-name: no reverse name (PTR record)"),
        (
            "{advice}",
            "no reverse name (PTR record); ask the network operator of 192.0.2.7 to publish "
            "7.2.0.192.in-addr.arpa. PTR mx.example.com.",
        ),
        (
            "100% {unknown} {0} {} {client.x} {client!r} {{client}}",
            "100% {unknown} {0} {} {client.x} {client!r} {192.0.2.7}",
        ),
        ("caf\u00e9\r\n250 ok", "caf???250 ok"),
    ],
)
def test_text(text: str, said: str) -> None:
    assert say(evidence(iprev=NO_PTR), replace(rule(iprev="permerror"), text=text)).text == said


def test_values_are_not_looked_at_again() -> None:
    client = evidence(helo_name="{rule}{client}", helo=Helo("invalid", "no", "none", "none"))
    reply = say(client, replace(rule(helo_kind="invalid"), text="<{helo}>"))
    assert reply.text == "<{rule}{client}>"


def test_placeholders_without_value() -> None:
    client = Evidence(client=V6, iprev=NO_PTR)
    reply = say(client, replace(rule(iprev="permerror"), text="{helo} {mailfrom} {ptr}"))
    assert reply.text == "none <> none"


def test_a_rule_on_the_score_gives_advice_on_everything() -> None:
    scored = Rule("s", (Condition("min_score", 2.0),), (), "reject")
    client = evidence(iprev=NO_PTR)
    reply = say(client, Rule("a", words(iprev="permerror"), score=3.0), scored)
    assert str(reply).startswith("550 5.7.1 Client host [192.0.2.7]: no reverse name")


def test_a_rule_on_the_sender_says_nothing_of_other_faults() -> None:
    by = Rule("m", (Condition("mailfrom", Mailboxes(addresses=frozenset(("alice@example.com",)))),), (), "reject")
    assert "reverse name" not in say(evidence(iprev=NO_PTR), by).text


def test_the_owner_s_words_are_marked_as_such() -> None:
    reply = say(evidence(spf_mailfrom=spf("fail", 'ask "us"\r\n250 2.0.0 ok')), rule(spf_mailfrom="fail"))
    assert reply.text.endswith("""; the domain example.com explains: "ask 'us'??250 2.0.0 ok\"""")


@pytest.mark.parametrize("by", [rule(iprev="permerror"), rule("tempfail", spf_mailfrom="fail")])
def test_the_owner_s_words_only_where_the_fail_decides(by: Rule) -> None:
    assert "ask us" not in say(evidence(iprev=NO_PTR, spf_mailfrom=spf("fail", "ask us")), by).text


def test_long_replies_end_at_a_word() -> None:
    reply = say(evidence(iprev=NO_PTR), replace(rule(iprev="permerror"), text="word " * 200))
    assert reply.text.endswith("word ...")
    assert 450 < len(f"{reply}\r\n") <= 512


def test_names_of_full_length_leave_the_codes_and_the_line_whole() -> None:
    name = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])
    client = evidence(client=V6, helo_name=name, iprev=Iprev("fail", "not-confirmed", (), (name,), 1))
    reply = say(client, rule(iprev="fail"))
    assert str(reply).startswith("550 5.7.25 Client host [2001:db8::7]: reverse name aaaa")
    assert len(f"{reply}\r\n") <= 512


RULES = st.builds(
    Rule,
    name=TEXTS,
    when=st.lists(
        st.builds(Condition, st.sampled_from(sorted(FACTS)), st.just(Words(frozenset(("fail",))))), max_size=3
    ).map(tuple),
    action=st.sampled_from(ACTIONS),
    code=st.integers(0, 999),
    enhanced=st.sampled_from(("", "5.7.1", "4.7.1", "5.7", "5.7.1\r\n", "x")),
    text=st.one_of(TEXTS, st.lists(st.sampled_from([f"{{{name}}}" for name in PLACEHOLDERS])).map("".join)),
)


@given(hostile(), RULES, st.sampled_from(ACTIONS), st.booleans())
def test_any_verdict_gives_one_good_line_or_none(client: Evidence, by: Rule, action: str, softened: bool) -> None:
    reply = compose(Verdict(action, because=by, softened=softened and action == "tempfail"), client)
    if action not in ("reject", "tempfail"):
        assert reply is None
        return
    assert reply is not None
    line = str(reply)
    assert len(f"{line}\r\n") <= 512
    assert line.isascii()
    assert line.isprintable()
    kind = "5" if action == "reject" else "4"
    assert re.match(rf"{kind}[0-9][0-9] {kind}\.[0-9]{{1,3}}\.[0-9]{{1,3}} \S", line)
