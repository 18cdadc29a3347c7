"""`rdns-milter why`: the newest decisions, the rule with its place and comment, a sentence for each fact, advice, and the lines of
config that let such mail in."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rdns_milter.analysis.why.decision_filter import decision_filter
from rdns_milter.analysis.why.explanation import Explanation, explain
from rdns_milter.analysis.why.output import as_dict, show
from rdns_milter.analysis.why.search import Match, Search
from rdns_milter.checks.evidence import Iprev, exempted
from rdns_milter.cli.main import main
from rdns_milter.config.load import Config, parse
from rdns_milter.config.rule_source import rule_sources
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import Rule, Verdict
from tests.kit.data.decisions import DECISION, EVIDENCE, FORMATS, read
from tests.kit.data.strategies import decisions, hostile_text

TODAY = date(2026, 11, 29)
CONFIG = """\
[milter]
workers = 1

# Neither a reverse name nor SPF speaks for the client.
# Ask the postmaster before you change this.
[[rule]]
name = "no-rdns-no-spf"
when = { iprev = ["fail", "permerror"], spf_mailfrom = ["none", "softfail", "fail"] }
action = "reject"
"""
STAMP = "2026-11-28T14:03:{:02}.000000+00:00 mail rdns-milter[9]: "


def explained(decision: Decision = DECISION, document: str = CONFIG) -> Explanation:
    match = Match(datetime(2026, 11, 28, 14, 3, tzinfo=UTC), read(line(decision)), line(decision))
    return explain(match, parse(document, "r.toml"), rule_sources(document), TODAY)


def printed(*found: Explanation, count: int = 0, path: str = "r.toml") -> str:
    file = io.StringIO()
    show(found, count or len(found), "the client 192.0.2.7", path, Console(file=file, width=100, highlight=False))
    return file.getvalue()


def test_the_rule_is_named_with_its_place_and_its_comment() -> None:
    rule = explained().rule
    assert rule is not None
    assert rule.line == 6
    assert rule.comment == (
        "Neither a reverse name nor SPF speaks for the client.",
        "Ask the postmaster before you change this.",
    )
    text = printed(explained())
    assert "no-rdns-no-spf, r.toml line 6:" in text
    assert "# Ask the postmaster before you change this." in text
    assert 'action = "reject"' in text


def test_each_fact_has_its_sentence() -> None:
    facts = {fact: (value, sentence) for fact, value, sentence in explained().facts}
    assert facts["iprev"][0] == "fail (not-confirmed)"
    assert (
        facts["iprev"][1] == "192.0.2.7 has the reverse name mx.example.com, but that name resolves to other addresses."
    )
    assert facts["spf_mailfrom"][1].startswith("example.com probably does not allow 192.0.2.7")
    assert facts.keys() == {
        "iprev",
        "generic",
        "helo_kind",
        "helo",
        "helo_match",
        "helo_own",
        "spf_helo",
        "spf_mailfrom",
        "mailfrom_match",
    }


def test_each_provider_and_each_list_has_its_sentence() -> None:
    evidence = replace(
        EVIDENCE,
        client_spf=(("_spf.a.example", "pass"), ("b.example", "temperror"), ("c.example", "none")),
        dnslist=(("wl", "127.0.5.2"), ("bl", "refused"), ("zl", "temperror"), ("xl", "none")),
    )
    found = explained(replace(DECISION, evidence=evidence)).facts
    assert [each for each in found if each[0] in ("client_spf", "dnslist")] == [
        ("client_spf", "_spf.a.example", "_spf.a.example, whose SPF a rule asks for, allows 192.0.2.7 to send."),
        (
            "client_spf",
            "b.example:temperror",
            "The SPF record of b.example, for which a rule asks, could not be looked up.",
        ),
        ("dnslist", "wl:127.0.5.2", "192.0.2.7 is on the DNS list wl."),
        ("dnslist", "bl:refused", "The DNS list bl refused the query, or its answer cannot be one of a list."),
        ("dnslist", "zl:temperror", "The DNS list zl could not be asked."),
    ]


def test_the_sender_can_be_told() -> None:
    text = printed(explained())
    assert "Your message to b@example.net was refused on 2026-11-28 14:03." in text
    assert "Reverse name mx.example.com does not resolve back to 192.0.2.7." in text
    assert "To mend it: publish mx.example.com. A 192.0.2.7" in text
    assert "Names followed by A, AAAA, PTR or TXT are entries for the DNS" in text
    assert ".." not in text.replace("...", "")
    assert "Example.com" not in text, "a name keeps its case"
    assert "Nothing is lost" not in text


def test_the_sender_of_deferred_mail_is_told_that_the_server_tries_again() -> None:
    evidence = replace(EVIDENCE, iprev=Iprev("temperror", "servfail"))
    deferred = replace(DECISION, verdict=replace(DECISION.verdict, action="tempfail"), evidence=evidence)
    text = printed(explained(deferred))
    assert "Nothing is lost: the mail server that sent it tries again by itself." in text
    assert "To mend it: this can be temporary" not in text
    assert "This can be temporary" in text


def test_built_in_rules_are_written_to_a_file_before_they_are_changed() -> None:
    fields = read(line(replace(DECISION, verdict=replace(DECISION.verdict, rule="nothing-confirmed"))))
    found = explain(Match(None, fields, ""), parse(sample(), ""), rule_sources(sample()), TODAY)
    text = printed(found, path="")
    assert "The built-in rule nothing-confirmed:" in text
    (command,) = (each.strip() for each in text.splitlines() if "--sample" in each)
    assert command == "rdns-milter config --sample > /etc/rdns-milter/rdns-milter.toml"
    assert re.search(r"^    then put into it, above line (\d+)$", text, re.MULTILINE)
    assert "  put into ," not in text


def test_what_lets_such_mail_in_is_a_rule_that_does_so() -> None:
    lines = "\n".join(explained().let_in)
    policy = parse(f"{lines}\n\n{CONFIG}", "r.toml").policy.in_force(TODAY)
    assert decide(EVIDENCE, policy).rule == "let-in-example-com"
    assert decide(replace(EVIDENCE, mailfrom="a@other.example"), policy).action == "reject"
    assert "until = 2026-12-29" in lines


def test_no_exemption_rests_on_an_unconfirmed_name() -> None:
    assert 'client = "192.0.2.7"' in explained().let_in[2]
    confirmed = replace(EVIDENCE, iprev=Iprev("pass", "confirmed", ("mx.example.com",), ("mx.example.com",), 1))
    assert 'ptr = "mx.example.com"' in explained(replace(DECISION, evidence=confirmed)).let_in[2]


def test_mail_that_was_accepted_needs_no_rule_and_no_advice() -> None:
    accepted = replace(DECISION, verdict=replace(DECISION.verdict, action="accept", rule="default"), reply="")
    found = explained(accepted)
    assert found.let_in == ()
    text = printed(found)
    assert "No rule matched" in text
    assert "What to tell the sender" not in text


def test_observe_mode_says_what_would_have_been() -> None:
    verdict = replace(
        DECISION.verdict, action="accept", would=("reject",), because=Rule("r", action="reject"), withheld="reject"
    )
    observed = replace(DECISION, mode="observe", reply="", verdict=verdict)
    assert 'reply="(observe mode: accepted' in line(observed)
    text = printed(explained(observed))
    assert "In enforce mode it would have been refused." in text
    assert "What the sender's server was told" not in text


def test_a_relay_is_named_with_what_it_has_prevented() -> None:
    evidence = replace(EVIDENCE, via=ip_address("203.0.113.5"))
    verdict = replace(
        DECISION.verdict, action="tag", would=("reject",), because=Rule("r", action="reject"), withheld="reject"
    )
    text = printed(explained(replace(DECISION, evidence=evidence, reply="", verdict=verdict)))
    assert "accepted and tagged" in text
    assert "greeted as mx.example.com, behind our relay 203.0.113.5" in text
    assert "Without the relay 203.0.113.5, which had taken the message already, it would have been refused." in text
    assert "What the sender's server was told" not in text
    assert "To let such mail in" in text
    unnamed = replace(exempted(evidence, "relay"), client=evidence.via)
    text = printed(explained(replace(DECISION, evidence=unnamed, reply="", verdict=Verdict(rule="exempt:relay"))))
    assert "203.0.113.5, a relay of our own" in text
    assert "The client is one of our own relays, and the message names no client behind it." in text


@pytest.mark.parametrize("what", ["203.0.113.5", "203.0.113.0/24", "192.0.2.7", "192.0.2.0/24"])
@pytest.mark.parametrize("form", FORMATS)
def test_a_message_is_found_by_its_relay_too(what: str, form: str) -> None:
    search = Search(decision_filter(what), 2, lambda text: None)
    search.add(line(replace(DECISION, evidence=replace(EVIDENCE, via=ip_address("203.0.113.5"))), form))
    assert search.count == 1


def test_a_rule_that_is_gone_and_rules_that_have_changed_are_said() -> None:
    assert "not in r.toml any more" in explained(document="[milter]\nworkers = 1\n").rule_note
    assert "rules have changed since: policy 3f9a1c then" in explained().rule_note


def test_the_newest_come_first_whatever_the_order_of_the_files() -> None:
    search = Search(decision_filter("192.0.2.7"), 2, lambda text: datetime.fromisoformat(text.split(" ")[0]))
    for second in (50, 10, 30, 20):
        search.add(STAMP.format(second) + line(replace(DECISION, reply=str(second))))
    assert search.count == 4
    assert [match.fields["reply"] for match in search.newest()] == ["50", "30"]


def test_several_are_listed_first() -> None:
    text = printed(explained(), explained(), count=7)
    assert text.startswith("7 decisions on the client 192.0.2.7, the newest 2 of them here (--last).")
    assert text.index("  1  2026-11-28 14:03  reject") < text.index("  2  2026") < text.index("1 of 2:")


@given(decisions(hostile_text()))
def test_no_decision_breaks_it_and_nothing_reaches_the_terminal(decision: Decision) -> None:
    fields = read(line(decision))
    found = explain(Match(None, fields, line(decision)), Config(), {}, TODAY)
    json.dumps(as_dict([found], 1, ""))
    text = printed(found)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    for each in (found.let_in,):
        if each:
            parse("\n".join(each), "let-in.toml")


@given(
    st.dictionaries(
        st.sampled_from(["client", "mailfrom", "rcpt", "nrcpt", "iprev", "ptr", "would"]), st.text(max_size=20)
    )
)
def test_a_cut_line_is_explained_as_far_as_it_goes(fields: dict[str, str]) -> None:
    found = explain(Match(None, {**fields, "action": "reject", "rule": "x"}, ""), Config(), {}, TODAY)
    assert printed(found)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("".join(STAMP.format(second) + line(DECISION) + "\n" for second in range(3)))
    (tmp_path / "r.toml").write_text(CONFIG)
    return path


def test_the_command(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(log.with_name("r.toml"))
    assert main(["why", "a@example.com", str(log), "-c", config, "--last", "1"]) == 0
    text = capsys.readouterr().out
    assert "3 decisions on the address a@example.com, the newest 1 of them here (--last)." in text
    assert f"{config} line 6:" in text.replace("\n", " ")
    assert main(["why", "192.0.2.7", str(log), "-c", config, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["matches"] == 3
    assert document["decisions"][0]["rule"] == {
        "name": "no-rdns-no-spf",
        "file": config,
        "line": 6,
        "comment": [
            "Neither a reverse name nor SPF speaks for the client.",
            "Ask the postmaster before you change this.",
        ],
        "note": document["decisions"][0]["rule"]["note"],
    }
    assert main(["why", "192.0.2.9", str(log)]) == 1
    assert "No decision on the client 192.0.2.9" in capsys.readouterr().out
    assert main(["why", "?", str(log)]) == 2
    assert main(["why", "192.0.2.7", str(log), "--since", "2026-11-29"]) == 1


def test_since_on_a_log_without_dates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.write_text(f"{line(DECISION)}\n" * 3)
    client = "192.0.2.7"
    assert main(["why", client, str(log), "--since", "7d"]) == 1
    assert "3 decisions on it have no date, which --since needs" in capsys.readouterr().out
    assert main(["why", client, str(log)]) == 0
