"""The report's page has the numbers of the JSON output, shows hostile names as text, and loads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter import __version__
from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_html import page
from rdns_milter.analysis.report_summary import Summary, as_dict, summarize
from rdns_milter.config.load import load
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.logs.timestamps import Dates
from rdns_milter.policy.rules import Policy
from tests.kit.data import random_log
from tests.kit.data.html_page import Page, check_numbers
from tests.kit.data.strategies import decisions, hostile_text
from tests.unit.analysis.test_report import text_of

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LINES = list(random_log.lines(load().policy, 3000))


def reported(lines: Iterable[str], rules: Sequence[str] = ()) -> Report:
    report = Report(Dates(NOW, UTC).of, rules=rules)
    for each in lines:
        report.add(each)
    return report


def page_of(summary: Summary) -> str:
    return page(summary, __version__, NOW)


def test_numbers_of_the_page_are_those_of_the_json() -> None:
    summary = summarize(reported(LINES, rules=["never", "default"]), 10, "ffffff", ["x.gz: cannot be read to its end"])
    found, html = as_dict(summary), page_of(summary)
    assert check_numbers(html, found) > 100
    shown = {key for key, _ in Page(html).numbers}
    expected = {f"facts.{name}.{result}" for name, words in found["facts"].items() for result in words}
    expected |= {f"rules.{index}.count" for index in range(len(found["rules"]))}
    expected |= {f"refused.{key}.{index}.count" for key in ("clients", "senders") for index in range(10)}
    expected |= {f"actions.{action}" for action, count in found["actions"].items() if count}
    expected |= {f"exempt.{why}" for why in found["exempt"]}
    expected |= {f"{key}.{rank}" for key in ("waited_ms", "dns_ms") for rank in found[key]}
    assert expected <= shown
    texts = " ".join(Page(html).texts)
    for entry in (*found["refused"]["clients"], *found["refused"]["senders"]):
        assert entry["name"] in texts
    assert "x.gz: cannot be read to its end" in texts
    assert "no decision was made by the policy of the given config file, ffffff" in texts
    assert "never" in texts


def test_the_page_is_all_in_one_file_and_has_no_script() -> None:
    html = page_of(summarize(reported(LINES), 10))
    parsed = Page(html)
    assert parsed.open == []
    assert not {tag for tag, _ in parsed.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "a",
        "base",
        "use",
    }
    for _, attributes in parsed.tags:
        assert not any(name.startswith("on") or name in ("src", "href", "style", "srcset") for name in attributes)
    assert "url(" not in html
    assert "@import" not in html
    assert "http://" not in html.replace("http-equiv", "")
    assert "https://" not in html
    assert "default-src 'none'" in html
    assert "prefers-color-scheme: dark" in html


EVIL = [
    '"><script>alert(1)</script>',
    "<img src=x onerror=alert(1)>",
    "</title><h1>",
    "&lt;b&gt;",
    "' onload='x",
    "{body}",
    "\u202e\x1b[31m",
]


def test_hostile_names_are_text() -> None:
    (decision,) = random_log.decisions(Policy(), 1)
    lines = []
    for evil in EVIL:
        evidence = replace(decision.evidence, helo_name=evil, mailfrom=f"x@{evil}", rcpt=evil)
        verdict = replace(decision.verdict, action="reject", rule=evil, shadow_rules=(evil,), would=("reject",))
        lines.append(line(Decision(verdict, evidence, (evil,), policy=evil[:60], reply=f"550 {evil}")))
    found = summarize(reported(lines, rules=EVIL[:2]), 20, troubles=EVIL)
    html = page_of(found)
    parsed = Page(html)
    harmless = {tag for tag, _ in Page(page_of(summarize(reported(LINES, rules=["x"]), 20))).tags} | {"li", "ul"}
    assert {tag for tag, _ in parsed.tags} <= harmless
    assert html.isascii() or set(filter(lambda letter: not letter.isascii(), html)) <= {"\u00a0"}
    assert any("<script>alert(1)</script>" in text for text in parsed.texts)
    check_numbers(html, as_dict(found))
    shown = text_of(found)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


@settings(max_examples=40)
@given(st.lists(decisions(hostile_text()), max_size=6), st.sampled_from((30, 80, 200)))
def test_any_log_can_be_shown(found: list[Decision], width: int) -> None:
    summary = summarize(reported([f"Nov 21 01:02:03 mail rdns-milter[1]: {line(decision)}" for decision in found]), 5)
    assert summary.decisions == len(found)
    shown = text_of(summary, width)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    html = page_of(summary)
    assert Page(html).open == []
    check_numbers(html, as_dict(summary))
