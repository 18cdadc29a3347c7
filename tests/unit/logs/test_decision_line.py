"""Writing a log line: every key in its order, no value that could pass for more than a value, and the same values when it is read
back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.replay import Replay
from rdns_milter.checks.evidence import FACTS, Cost, Evidence, Spf, exempted, missing_facts
from rdns_milter.config.load import parse as parse_config
from rdns_milter.logs.decision_keys import KEYS, LIMITS, Decision
from rdns_milter.logs.decision_line import MAX_LINE, line, parse
from rdns_milter.logs.logged_evidence import evidence_of, rcpts_of, reply_of
from rdns_milter.net.mailboxes import parse_mailbox
from rdns_milter.net.names import parse_address
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import Policy, Rule, Verdict
from tests.kit.data.decisions import DECISION, EVIDENCE, EXAMPLE, FORMATS, read, said, to
from tests.kit.data.strategies import FORGERIES, SEEDS, decisions, evidences, hostile_text, policies, with_sources


def test_the_example_of_the_documentation() -> None:
    assert line(DECISION) == EXAMPLE


@pytest.mark.parametrize("form", FORMATS)
def test_the_keys_are_all_there_in_their_order(form: str) -> None:
    assert tuple(read(line(DECISION, form))) == KEYS == tuple(re.findall(r"(?:^| )([a-z_]+)=", EXAMPLE))
    assert tuple(json.loads(line(DECISION, "json"))) == KEYS


def test_json_has_numbers_and_null() -> None:
    loaded = json.loads(line(said(helo_name="", ptr=""), "json"))
    assert loaded["helo_name"] is loaded["ptr"] is None
    assert (loaded["nrcpt"], loaded["dns_ms"], loaded["waited_ms"], loaded["score"]) == (1, 41, 12, 0)
    assert (loaded["iprev"], loaded["spf_helo"], loaded["would"]) == ("fail", "none", "")


# A refusal that DNS trouble softens, in observe mode.
OBSERVED = replace(
    DECISION,
    mode="observe",
    reply="",
    verdict=Verdict(
        "accept",
        "nothing-confirmed",
        would=("tempfail",),
        because=Rule("nothing-confirmed", action="reject"),
        softened=True,
        withheld="tempfail",
    ),
)
# A refusal of a message that comes through a relay.
RELAYED = replace(
    DECISION,
    reply="",
    evidence=replace(EVIDENCE, via=parse_address("2001:db8::5")),
    verdict=Verdict("tag", "a", would=("reject",), because=Rule("a", action="reject"), withheld="reject"),
)
# A decision, and a part of its line.
PIECES: list[tuple[Decision, str]] = [
    (said(helo_name=""), " helo_name=none "),
    (said(helo_name="none"), ' helo_name="none" '),
    (said(helo_name='"none"'), r' helo_name="\"none\"" '),
    (said(helo_name="[IPv6:2001:db8::1]"), " helo_name=[IPv6:2001:db8::1] "),
    (said(helo_name="a b"), ' helo_name="a b" '),
    (said(helo_name="a=b"), ' helo_name="a=b" '),
    (said(helo_name="a\\b"), r' helo_name="a\\b" '),
    (said(helo_name="\r\n\t\0\x7f"), r' helo_name="\x0d\n\t\x00\x7f" '),
    (said(helo_name="b\u00fccher\x85\u2028\U0001f4e7"), r' helo_name="b\u00fccher\u0085\u2028\U0001f4e7" '),
    (said(helo_name="\udcff\udc85"), r' helo_name="\xff\x85" '),
    (said(mailfrom=""), " mailfrom=<> "),
    (said(mailfrom="none"), ' mailfrom="none" '),
    (said(mailfrom='"a b"@example.com'), r' mailfrom="\"a b\"@example.com" '),
    (said(ptr=""), " ptr=none ptrs=1 "),
    (said(ptr="none"), ' ptr="none" '),
    (to("b@example.net", "c@example.net"), " rcpt=b@example.net,c@example.net nrcpt=2 "),
    (to('"b,c"@example.net', "d@example.net"), r' rcpt="\"b\\,c\"@example.net,d@example.net" nrcpt=2 '),
    (to(), " rcpt=none nrcpt=0 "),
    (to("none"), ' rcpt="none" nrcpt=1 '),
    (to(*["b@example.net"] * 500), "b@example.net nrcpt=500 "),
    (replace(DECISION, qid="4bQ1Xz2Lq9zT1"), " qid=4bQ1Xz2Lq9zT1 "),
    (replace(DECISION, evidence=replace(EVIDENCE, client=None)), " client=none "),
    (replace(DECISION, evidence=replace(EVIDENCE, client=parse_address("2001:DB8::7"))), " client=2001:db8::7 "),
    (replace(DECISION, evidence=exempted(EVIDENCE, "network")), " iprev=none iprev_reason=exempt "),
    (replace(DECISION, evidence=replace(EVIDENCE, spf_helo=Spf())), " spf_helo=none "),
    (replace(DECISION, verdict=Verdict("accept", score=2.5)), " score=2.5 "),
    (replace(DECISION, verdict=Verdict("accept", score=3.0)), " score=3 "),
    (replace(DECISION, verdict=Verdict("accept", score=-1.0)), " score=-1 "),
    (replace(DECISION, verdict=Verdict("accept", score=0.1 + 0.2)), " score=0.3 "),
    (replace(DECISION, verdict=Verdict("accept", score=-0.0)), " score=0 "),
    (replace(DECISION, verdict=Verdict("accept", "two words")), ' rule="two words" '),
    (
        replace(DECISION, verdict=Verdict(would=("reject", "tag"), shadow_rules=("a", "b"))),
        " would=reject,tag shadow_rule=a,b ",
    ),
    (replace(DECISION, mode="observe"), " mode=observe would= "),
    (
        OBSERVED,
        " mode=observe would=tempfail shadow_rule= queries=7 cached=2 dns_ms=41 waited_ms=12 policy=3f9a1c"
        ' reply="(observe mode: accepted although rule nothing-confirmed would tempfail)"',
    ),
    (RELAYED, " client_spf=none dnslist=none via=2001:db8::5 forged=0 score=0 mode=enforce would=reject shadow_rule= "),
    (RELAYED, ' policy=3f9a1c reply="(through a relay: tagged although rule a would reject)"'),
    (
        replace(RELAYED, verdict=replace(RELAYED.verdict, action="quarantine")),
        ' reply="(through a relay: held although rule a would reject)"',
    ),
    (
        replace(RELAYED, mode="observe", verdict=replace(RELAYED.verdict, action="accept")),
        ' reply="(observe mode: accepted although rule a would reject)"',
    ),
    (
        replace(DECISION, evidence=replace(EVIDENCE, client_spf=(("a.example", "none"), ("b.example", "unknown")))),
        " client_spf=none dnslist=none ",
    ),
    (
        replace(DECISION, evidence=replace(EVIDENCE, client_spf=(("a.example", "pass"), ("b.example", "temperror")))),
        " client_spf=a.example,b.example:temperror dnslist=none ",
    ),
    (
        replace(
            DECISION, evidence=replace(EVIDENCE, dnslist=(("wl", "127.0.3.1"), ("wl", "127.0.9.2"), ("bl", "none")))
        ),
        " client_spf=none dnslist=wl:127.0.3.1,wl:127.0.9.2 ",
    ),
    (replace(DECISION, evidence=replace(EVIDENCE, dnslist=(("wl", "refused"),))), " dnslist=wl:refused "),
    (replace(DECISION, evidence=replace(EVIDENCE, client_spf=None, dnslist=None)), " client_spf=none dnslist=none "),
    (replace(DECISION, reply=""), " policy=3f9a1c reply="),
    (replace(DECISION, cost=Cost(0, 0, 0, 0.4, 1e9)), " queries=0 cached=0 dns_ms=0 waited_ms=1000000000 "),
]


@pytest.mark.parametrize(("decision", "piece"), PIECES)
def test_how_a_value_is_written(decision: Decision, piece: str) -> None:
    text = line(decision)
    assert piece in text
    assert parse(text) == parse(line(decision, "json"))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", [*FORGERIES, " ".join(FORGERIES)[:250], EXAMPLE[:250]])
def test_text_from_a_client_is_read_back_and_forges_nothing(text: str, form: str) -> None:
    decision = replace(
        said(text, text, text),
        rcpts=(text, "c@example.net", text),
        reply=text,
        verdict=Verdict("accept", "ok", would=(text,)),
    )
    written = line(decision, form)
    assert re.fullmatch(r"[ -~]+", written)
    fields = read(written)
    assert tuple(fields) == KEYS
    assert (fields["action"], fields["rule"], fields["qid"]) == ("accept", "ok", "NOQUEUE")
    assert [fields[key] for key in ("helo_name", "mailfrom", "ptr", "reply", "would")] == [text] * 5
    assert rcpts_of(fields) == decision.rcpts


@pytest.mark.parametrize(
    ("rcpts", "named"), [((), ()), (("a",), ("a",)), (("a,b", ",", "\\", "\\,"), ("a,b", ",", "\\", "\\,"))]
)
def test_recipients_are_separated_again(rcpts: tuple[str, ...], named: tuple[str, ...]) -> None:
    assert rcpts_of(read(line(to(*rcpts)))) == named


def test_as_many_recipients_as_fit_are_named_in_full() -> None:
    rcpts = tuple(f"recipient-{number}@example.net" for number in range(500))
    fields = read(line(to(*rcpts)))
    named = rcpts_of(fields)
    assert named == rcpts[: len(named)]
    assert 900 < len(fields["rcpt"]) <= 1000
    assert fields["nrcpt"] == "500"


@pytest.mark.parametrize(
    ("decision", "key", "length"),
    [
        (said(helo_name="h" * 3000), "helo_name", 255),
        (said(ptr="p" * 3000), "ptr", 255),
        (said(mailfrom="m" * 3000), "mailfrom", 320),
        (to("r" * 3000, "c@example.net"), "rcpt", 320 + len(",c@example.net")),
        (replace(DECISION, reply="550 " + "r" * 3000), "reply", 512),
        (replace(DECISION, verdict=Verdict("accept", "r" * 3000)), "rule", 128),
    ],
)
def test_long_values_are_cut_with_an_ellipsis(decision: Decision, key: str, length: int) -> None:
    value = read(line(decision))[key]
    assert len(value) == length
    assert "..." in value


@pytest.mark.parametrize(
    "local", ["a" * 900, '"' + 'a@b\\"' * 150 + '"', "<" * 900, '"' + " @" * 300 + '"', "\u00fc" * 900]
)
def test_a_long_address_keeps_its_domain(local: str) -> None:
    address = f"{local}@v\u00fc.example"
    fields = read(line(said(mailfrom=address)))
    assert len(fields["mailfrom"]) <= LIMITS["mailfrom"]
    assert parse_mailbox(evidence_of(fields).mailfrom).domain == parse_mailbox(address).domain != ""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("letter", ["\U0001f4e7", "\udcff", "\0", "\\", '"', ",", "\u00fc", "\x7f"])
def test_a_line_is_bounded_whatever_is_in_it(letter: str, form: str) -> None:
    text = letter * 5000
    decision = replace(said(text, text, text), rcpts=(text,) * 9, qid=text, policy=text, reply=text)
    decision = replace(decision, verdict=Verdict("quarantine", text, -1e308, (text,), (text,)))
    written = line(decision, form)
    assert len(written) <= MAX_LINE
    assert read(written)["helo_name"].startswith(letter)


TOLERANT = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(decisions(hostile_text(), via=True), st.sampled_from(FORMATS))
@TOLERANT
def test_any_decision_is_read_back(decision: Decision, form: str) -> None:
    written = line(decision, form)
    assert re.fullmatch(r"[ -~]+", written)
    fields = read(written)
    assert fields == parse(line(decision)) == parse(line(decision, "json"))
    evidence, back = decision.evidence, evidence_of(fields)
    assert (fields["action"], fields["rule"], fields["would"]) == (
        decision.verdict.action,
        decision.verdict.rule,
        ",".join(decision.verdict.would),
    )
    assert (back.client, back.helo_name) == (evidence.client, evidence.helo_name)
    assert back.mailfrom == ("" if evidence.mailfrom == "<>" else evidence.mailfrom)
    assert {name: fact.get(back) for name, fact in FACTS.items()} == {
        name: fact.get(evidence) for name, fact in FACTS.items()
    }
    assert (back.iprev.ptr, back.iprev.count) == (evidence.iprev.ptr, evidence.iprev.count)
    assert (back.exempt, back.via) == (evidence.exempt, evidence.via)
    named = rcpts_of(fields)
    assert named == decision.rcpts or (decision.rcpts == ("",) and named == ())


# Not logged.
REPLAYABLE = policies(but=frozenset(("authenticated", "tls")))
ASKING = policies(but=frozenset(FACTS) | {"client", "ptr", "helo_name", "mailfrom", "rcpt", "authenticated", "tls"})


@given(
    evidences(exempt=True, via=True) | evidences(exempt=True, text=hostile_text(), via=True),
    REPLAYABLE,
    REPLAYABLE,
    st.sampled_from(FORMATS),
)
@TOLERANT
def test_a_logged_decision_is_judged_like_the_client(evidence: Evidence, old: Policy, new: Policy, form: str) -> None:
    decision = Decision(decide(evidence, old), evidence, (evidence.rcpt,), mode=old.mode, policy=old.digest)
    logged = evidence_of(read(line(decision, form)))
    assert decide(logged, old) == decision.verdict
    assert decide(logged, new) == decide(evidence, new)


@given(st.tuples(evidences(), SEEDS), ASKING, ASKING, st.sampled_from(FORMATS))
@TOLERANT
def test_what_holds_of_providers_and_lists_is_judged_alike(
    drawn: tuple[Evidence, int], old: Policy, new: Policy, form: str
) -> None:
    """All that another policy asks was asked."""
    evidence = with_sources(drawn[0], Random(drawn[1]), without=("unknown",))
    decision = Decision(decide(evidence, old), evidence, (evidence.rcpt,), mode=old.mode, policy=old.digest)
    logged = evidence_of(read(line(decision, form)))
    assert decide(logged, old) == decision.verdict
    assert decide(logged, new) == decide(evidence, new)


MANY = tuple((f"list{number}", f"127.0.{number}.{answer}") for number in range(20) for answer in range(2, 12))


@pytest.mark.parametrize("form", FORMATS)
def test_entries_of_lists_are_cut_between_two_of_them(form: str) -> None:
    """As many as lists of the largest number, with as many answers as are kept, can have."""
    evidence = replace(EVIDENCE, dnslist=MANY, client_spf=tuple((f"p{'x' * 60}{n}.example", "pass") for n in range(20)))
    fields = read(line(replace(DECISION, evidence=evidence), form))
    for key, whole in (
        ("dnslist", [":".join(each) for each in MANY]),
        ("client_spf", [n for n, _ in evidence.client_spf or ()]),
    ):
        assert len(fields[key]) <= LIMITS[key]
        *items, last = fields[key].split(",")
        assert (items, last) == (whole[: len(items)], "...")
        assert len(",".join(whole[: len(items) + 1])) + len(",...") > LIMITS[key]
    logged = evidence_of(fields)
    assert (logged.dnslist or ())[:2] == MANY[:2]
    assert missing_facts(logged) == {"client_spf", "dnslist"}


@pytest.mark.parametrize(("first", "certain"), [(True, True), (False, False)])
def test_replay_leaves_out_what_depends_on_the_part_that_is_cut(first: bool, certain: bool) -> None:
    name = MANY[0 if first else -1][0]
    lists = "".join(f'{each} = "{each}.example"\n' for each in dict(MANY))
    rules = f'[[rule]]\nname = "r"\nwhen = {{ dnslist = "{name}" }}\naction = "tag"\n'
    replay = Replay(Evaluator(parse_config(f"[dnslists]\n{lists}{rules}", "c.toml"), date(2026, 12, 1)))
    replay.add(line(replace(DECISION, evidence=replace(EVIDENCE, dnslist=MANY))))
    assert (replay.verdicts, replay.uncertain) == ((1, 0) if certain else (0, 1))
    assert replay.missing == ({} if certain else {"the end of dnslist": 1})


@pytest.mark.parametrize("form", FORMATS)
def test_a_note_is_no_reply(form: str) -> None:
    assert reply_of(read(line(OBSERVED, form))) == reply_of(read(line(RELAYED, form))) == ""
    assert reply_of(read(line(DECISION, form))) == DECISION.reply


@pytest.mark.parametrize(
    "decision",
    [
        replace(OBSERVED, verdict=Verdict("tag", "t", because=Rule("t", action="tag"))),
        replace(RELAYED, verdict=Verdict("tag", "t", because=Rule("t", action="tag"))),
        replace(
            OBSERVED,
            verdict=Verdict("accept", "a", would=("reject",), shadow_rules=("s",), because=Rule("a", action="accept")),
        ),
        replace(OBSERVED, verdict=Verdict("accept", would=("reject",), shadow_rules=("s",))),
    ],
)
def test_where_the_rule_decided_there_is_no_note(decision: Decision) -> None:
    assert line(decision).endswith(" reply=")


def test_lines_without_the_note_are_read_as_before() -> None:
    old = line(OBSERVED)[: line(OBSERVED).index("reply=")] + "reply="
    assert {**read(line(OBSERVED)), "reply": ""} == read(old)
