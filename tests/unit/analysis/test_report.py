"""The report's numbers are those counted by hand, on the terminal, on the page and in JSON."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rdns_milter import __version__
from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_html import page
from rdns_milter.analysis.report_summary import Summary, as_dict, faults, percentiles, summarize
from rdns_milter.analysis.report_text import show
from rdns_milter.checks.evidence import FACTS, LOOKED_UP, Iprev, Spf
from rdns_milter.cli.main import main
from rdns_milter.config.load import load
from rdns_milter.config.load import parse as parse_config
from rdns_milter.logs.decision_line import line, parse
from rdns_milter.logs.timestamps import Dates
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import ACTIONS
from tests.kit.data import random_log
from tests.kit.data.decisions import DECISION, EVIDENCE
from tests.kit.data.html_page import check_numbers
from tests.kit.data.strategies import FORGERIES

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SHADOW = """
[[rule]]
name = "trial"
when = { generic = "yes" }
action = "reject"
shadow = true

[[rule]]
name = "second-trial"
when = { helo = "fail" }
action = "tempfail"
shadow = true

[[rule]]
name = "never"
when = { rcpt = "nobody@nowhere.example" }
action = "reject"

"""
POLICY = parse_config(SHADOW + "\n\n".join(load().rules), "c.toml").policy
LINES = list(random_log.lines(POLICY, 4000))


def reported(lines: Iterable[str], since: datetime | None = None, rules: Sequence[str] = ()) -> Report:
    report = Report(Dates(NOW, UTC).of, since, rules)
    for each in lines:
        report.add(each)
    return report


def test_providers_and_dns_lists() -> None:
    """Each is counted as the line names it; trouble with one is DNS trouble, counted once for a decision."""
    evidence = replace(EVIDENCE, iprev=Iprev("pass", "confirmed"), spf_helo=Spf("none"), spf_mailfrom=Spf("none"))
    slow = replace(evidence, iprev=Iprev("temperror", "timeout"))
    passed, refused = (("_spf.a.example", "pass"), ("b.example", "none")), (("wl", "refused"),)
    cases = [
        replace(evidence, client_spf=passed, dnslist=(("wl", "127.0.5.2"), ("wl", "127.0.6.1"))),
        replace(evidence, client_spf=passed, dnslist=refused),
        replace(slow, client_spf=(("b.example", "temperror"),), dnslist=refused),
        slow,
        evidence,
    ]
    lines = [line(replace(DECISION, evidence=each)) for each in cases]
    summary = summarize(reported(lines), 20)
    assert {(each.fact, each.name): each.count for each in summary.sources} == {
        ("client_spf", "_spf.a.example"): 2,
        ("client_spf", "b.example:temperror"): 1,
        ("dnslist", "wl:127.0.5.2"): 1,
        ("dnslist", "wl:127.0.6.1"): 1,
        ("dnslist", "wl:refused"): 2,
    }
    assert summary.temperror.decisions == 3
    assert {name: count for name, count in summary.temperror.facts.items() if count} == {
        "iprev": 2,
        "client_spf": 1,
        "dnslist": 2,
    }
    text = io.StringIO()
    show(summary, Console(file=text, width=120))
    assert "  dnslist         wl:refused 2, wl:127.0.5.2 1, wl:127.0.6.1 1\n" in text.getvalue()
    assert "temperror: 3 decisions (60.0 %): iprev 2, client_spf 1, dnslist 2" in text.getvalue()
    assert "<code>_spf.a.example</code>" in page(summary, __version__, NOW)


def test_mail_through_relays() -> None:
    """Mail that was only tagged because of a relay is counted by what the rules called for, and not for a shadow rule."""
    decisions = [
        replace(each, evidence=replace(each.evidence, via=ip_address(f"203.0.113.{number % 3}")), reply="")
        for number, each in enumerate(random_log.decisions(POLICY, 600))
    ]
    decisions = [replace(each, verdict=decide(each.evidence, POLICY)) for each in decisions]
    summary = summarize(reported([line(each) for each in decisions]), 2)
    found = summary.through_relays
    assert found.actions == Counter(each.verdict.withheld or each.verdict.action for each in decisions)
    assert found.actions["reject"] > 20
    assert [each.decisions for each in found.relays] == [200, 200]
    assert summary.observed == {}
    shadows = Counter(
        (name, "" if each.verdict.withheld else would)
        for each in decisions
        for name, would in itertools.zip_longest(each.verdict.shadow_rules, each.verdict.would)
        if name
    )
    assert {(each.rule, each.would): each.count for each in summary.shadow} == shadows
    text = text_of(summary)
    assert "Through relays" in text
    assert "203.0.113.0 200" in text
    check_numbers(page(summary, __version__, NOW), as_dict(summary))


def text_of(summary: Summary, width: int = 120) -> str:
    file = io.StringIO()
    show(summary, Console(file=file, width=width, highlight=False))
    return file.getvalue()


def page_of(summary: Summary) -> str:
    return page(summary, __version__, NOW)


def test_every_number_by_hand() -> None:
    found = as_dict(summarize(reported(LINES, rules=[rule.name for rule in POLICY.rules]), 5))
    fields = [each for each in map(parse, LINES) if each]
    judged = [each for each in fields if not each["rule"].startswith("exempt:")]
    kept_out = [each for each in fields if each["action"] in ("reject", "tempfail", "quarantine")]
    assert found["lines"] == found["decisions"] == found["recipients"] == len(fields) == 4000
    assert found["actions"] == {action: sum(each["action"] == action for each in fields) for action in ACTIONS}
    assert found["kept_out"] == len(kept_out)
    assert {(entry["rule"], entry["action"]): entry["count"] for entry in found["rules"]} == Counter(
        (each["rule"], each["action"]) for each in fields
    )
    assert found["exempt"] == Counter(each["rule"] for each in fields if each["rule"].startswith("exempt:"))
    for name in FACTS:
        assert found["facts"][name] == Counter(each[name] for each in judged)
    trouble = [each for each in judged if "temperror" in [each[name] for name in LOOKED_UP]]
    assert found["temperror"]["decisions"] == len(trouble)
    assert found["temperror"]["share"] == pytest.approx(len(trouble) / len(judged), abs=1e-6)
    shadows = Counter(
        pair
        for each in fields
        if each["shadow_rule"]
        for pair in zip(each["shadow_rule"].split(","), each["would"].split(","), strict=True)
    )
    assert {(entry["rule"], entry["would"]): entry["count"] for entry in found["shadow"]} == shadows
    assert {rule for rule, _ in shadows} == {"trial", "second-trial"}
    seen = {each["rule"] for each in fields} | {rule for rule, _ in shadows}
    assert set(found["never_matched"]) == {rule.name for rule in POLICY.rules} - seen == {"never"}
    clients = Counter(each["client"] for each in kept_out)
    assert [entry["count"] for entry in found["refused"]["clients"]] == [n for _, n in clients.most_common(5)]
    assert all(clients[entry["name"]] == entry["count"] for entry in found["refused"]["clients"])
    assert found["queries"] == sum(int(each["queries"]) for each in judged)
    waits = sorted(int(each["waited_ms"]) for each in judged)
    assert found["waited_ms"]["max"] == waits[-1]
    assert found["waited_ms"]["p50"] == waits[(len(waits) + 1) // 2 - 1]
    assert found["waited_ms"]["p99"] == waits[-(-len(waits) * 99 // 100) - 1]
    assert found["waited"] == sum(ms > 0 for ms in waits)
    assert found["policies"] == [{"policy": POLICY.digest, "decisions": 4000}]
    assert (found["first"], found["last"]) == ("2026-11-20T00:00+00:00", "2026-11-20T01:06+00:00")
    assert found["warnings"] == []
    assert json.loads(json.dumps(found)) == found


def test_faults_in_the_words_of_the_advice() -> None:
    (decision,) = random_log.decisions(load().policy, 1)
    evidence = replace(
        decision.evidence, exempt="", iprev=replace(decision.evidence.iprev, result="permerror", reason="no-ptr")
    )
    assert faults(line(replace(decision, evidence=evidence))).startswith("no reverse name (PTR record)")
    assert faults("no decision") == ""


def test_observe_mode() -> None:
    observing = replace(POLICY, mode="observe")
    lines = list(random_log.lines(observing, 2000))
    found = summarize(reported(lines), 5)
    assert found.kept_out == 0
    assert found.modes == {"observe": 2000}
    enforced = summarize(reported(random_log.lines(POLICY, 2000)), 5).actions
    # With one shadow rule the single action in `would` may be that of the shadow rule or of enforcement.
    assert 0 < found.observed["reject"] <= enforced["reject"]
    for shown in (text_of(found), page_of(found)):
        assert "enforcement would have done" in shown
        assert "in observe mode, accept includes mail that the rule would have refused or deferred" in shown
    assert "in observe mode" not in text_of(summarize(reported(LINES), 5))


def test_since() -> None:
    report = reported(
        [*LINES, "rdns-milter[1]: " + LINES[0][LINES[0].index("action=") :]], datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    )
    assert (report.decisions, report.undated) == (4000 - 1800, 1)
    found = as_dict(summarize(report, 5))
    assert found["first"] == "2026-11-20T00:30+00:00"
    assert found["warnings"] == ["1 decisions have no date: they are left out"]


@pytest.mark.parametrize("form", [[], ["--json"], ["--html", "PAGE"]])
def test_since_on_a_log_without_dates(form: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, page = tmp_path / "LOG", tmp_path / "page.html"
    log.write_text("".join(each[each.index("action=") :] + "\n" for each in LINES[:5]))
    assert main(["report", "--since", "7d", *(str(page) if each == "PAGE" else each for each in form), str(log)]) == 2
    captured = capsys.readouterr()
    assert f"--since needs dates, and none of the 5 decisions in {log} has one: leave --since out" in captured.err
    assert (captured.out, page.exists()) == ("", False)
    assert main(["report", str(log)]) == 0


def test_since_a_time_after_all_decisions() -> None:
    report = reported(LINES[:5], datetime(2026, 11, 29, tzinfo=UTC))
    assert summarize(report, 5).warnings == ("the log contains no decision since then, but 5 earlier ones",)


def test_lines_without_a_date_count_but_are_on_no_timeline() -> None:
    found = summarize(reported(each[each.index("action=") :] for each in LINES[:100]), 5)
    assert (found.decisions, found.first, found.timeline.bars) == (100, None, ())
    assert found.warnings == ("100 decisions have no date: they are not on the timeline",)
    assert "undated" in text_of(found)
    assert "undated" in page_of(found)


@pytest.mark.parametrize(
    ("hours", "step"), [(1, 1), (59, 1), (100, 2), (24 * 9, 6), (24 * 40, 24), (24 * 365, 168), (24 * 3650, 2016)]
)
def test_timeline_has_bars_of_equal_length_without_gaps(hours: int, step: int) -> None:
    text = LINES[0][LINES[0].index(" ") :]
    start = datetime(2010, 1, 1, 5, 10, tzinfo=UTC)
    moments = [start + timedelta(hours=at) for at in sorted({0, hours // 3, hours - 1})]
    report = reported(f"{moment.isoformat()}{text}" for moment in moments)
    found, bars = report.timeline()
    assert found == step
    assert 1 <= len(bars) <= 60
    assert sum(sum(bar.counts.values()) for bar in bars) == len(moments)
    assert all(after.start - before.start == timedelta(hours=step) for before, after in itertools.pairwise(bars))
    assert bars[0].start <= start
    assert bars[-1].start <= moments[-1] < bars[-1].start + timedelta(hours=step) or len(moments) == 1


def test_hostile_numbers_and_words() -> None:
    whole = LINES[0]
    odd = [
        re.sub(r"queries=\d+", "queries=99999999999999999999", whole),
        re.sub(r"waited_ms=\d+", "waited_ms=x", whole),
        re.sub(r"nrcpt=\d+", "nrcpt=-1", whole),
        whole.replace(" iprev=", " iprev=made-up-"),
        whole[: whole.index(" helo_match=")],
        *FORGERIES,
    ]
    found = as_dict(summarize(reported(odd), 5))
    assert found["decisions"] == 5
    assert set(found["facts"]["iprev"]) <= {*FACTS["iprev"].words, "unknown"}
    assert found["queries"] < 5 * 600_000


@given(st.lists(st.integers(0, 50), max_size=60))
def test_percentiles_are_nearest_ranks(values: list[int]) -> None:
    found = percentiles(Counter(values))
    ordered = sorted(values)
    for rank in (50, 90, 95, 99):
        assert found[f"p{rank}"] == (ordered[-(-len(ordered) * rank // 100) - 1] if ordered else 0)
    assert found["max"] == max(values, default=0)


def test_on_the_terminal() -> None:
    summary = summarize(reported(LINES, rules=["never"]), 3)
    found, shown = as_dict(summary), text_of(summary)
    for title in ("Verdicts", "Over time", "By rule", "Shadow rules", "Rules that matched nothing", "By fact", "DNS"):
        assert f"\n{title}" in shown
    for entry in found["rules"]:
        assert re.search(rf"^  {re.escape(entry['rule'])} +{entry['action']} +{entry['count']:,} ", shown, re.MULTILINE)
    for name, words in found["facts"].items():
        row = next(row for row in shown.split("\n") if row.startswith(f"  {name} "))
        assert all(f"{result} {count:,} (" in row for result, count in words.items())
    assert "█" in shown
    assert f"  temperror: {found['temperror']['decisions']:,} decisions" in shown
    assert max(map(len, text_of(summary, 60).split("\n"))) < 400


def test_nothing_to_report() -> None:
    found = summarize(reported(["hello"]), 3)
    assert "the log contains no decision" in text_of(found)
    assert "the log contains no decision" in page_of(found)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, config, html = tmp_path / "mail.log", tmp_path / "c.toml", tmp_path / "report.html"
    log.write_text("\n".join(LINES))
    config.write_text(SHADOW)
    assert main(["report", "--json", "-c", str(config), "--top", "2", "--since", "2026-11-01", str(log)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["never_matched"] == ["never"]
    assert len(found["refused"]["clients"]) == 2
    assert found["warnings"] == [
        f"no decision was made by the policy of the given config file, {load(str(config)).policy.digest}"
    ]
    assert main(["report", str(log)]) == 0
    assert "By rule" in capsys.readouterr().out
    assert (
        main(["report", "--html", str(html), "-c", str(config), "--top", "2", "--since", "2026-11-01", str(log)]) == 0
    )
    assert capsys.readouterr().out == ""
    assert check_numbers(html.read_text("ascii"), found) > 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "soon", "LOG"], "is not a date such as"),
        (["--html", "/no/such/place.html", "LOG"], "No such file"),
        (["/no/such.log"], "No such file"),
    ],
)
def test_command_with_wrong_arguments(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").write_text("")
    assert main(["report", *(each.replace("LOG", str(tmp_path / "log")) for each in arguments)]) == 2
    assert words in capsys.readouterr().err
