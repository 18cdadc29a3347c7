"""No line stops replay, report or forecast, however it was changed; and JSON lines are valid Unicode."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from rdns_milter.analysis import report_text
from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.forecast import grouped
from rdns_milter.analysis.replay import Replay
from rdns_milter.analysis.replay import as_dict as replay_as_dict
from rdns_milter.analysis.replay_text import as_csv
from rdns_milter.analysis.replay_text import show as show_replay
from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_html import page
from rdns_milter.analysis.report_summary import as_dict as report_as_dict
from rdns_milter.analysis.report_summary import summarize
from rdns_milter.checks.evidence import FACTS
from rdns_milter.config.load import load
from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.logs.decision_line import MAX_LINE, NAMES, line, parse, parse_names
from rdns_milter.logs.logged_evidence import evidence_of, rcpts_of
from rdns_milter.logs.mta_deliveries import deliveries
from rdns_milter.logs.timestamps import Dates
from rdns_milter.policy.rules import ACTIONS
from tests.kit.data.decisions import DECISION, EVIDENCE, EXAMPLE, read, said
from tests.kit.data.strategies import FORGERIES, hostile_text
from tests.unit.logs.test_line_prefix import FORMS, MTA

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TEXTS = (EXAMPLE, line(DECISION, "json"), *(text for _, text in MTA))
VALUES = (
    "none",
    '""',
    '"',
    "-1",
    "9" * 40,
    "nan",
    "true",
    "\u0661",
    "a,b",
    ",",
    "\\",
    '"\\"',
    "exempt:",
    "exempt:network",
    "reject,tag",
)


def read_by_all(lines: list[str]) -> None:
    """Give the lines to all readers of logs, and let them print everything."""
    replay, report = Replay(Evaluator(load(), date(2026, 11, 21))), Report(Dates(NOW, UTC).of, None, ["x"])
    for each in lines:
        names_are_those_of_the_whole_line(each)
        replay.add(each)
        report.add(each)
    assert set(report.actions) <= set(ACTIONS)
    console = Console(file=io.StringIO(), width=100)
    show_replay(replay, "title", 5, (), console)
    as_csv(replay, 5)
    json.dumps(replay_as_dict(replay, 5))
    found = summarize(report, 5)
    json.dumps(report_as_dict(found))
    report_text.show(found, console)
    page(found, "1", NOW).encode("ascii", "xmlcharrefreplace")
    for delivery in grouped(deliveries(lines), 0):
        assert delivery.rcpts


def names_are_those_of_the_whole_line(text: str) -> None:
    fields, names = parse(text), parse_names(text)
    assert (fields is None) == (names is None)
    if fields is not None and names is not None:
        assert [fields.get(key, "") for key in NAMES] == [names.get(key, "") for key in NAMES]


def mutated(rng: Random, text: str) -> str:
    """The line with something of it changed: a value, a key, its order, a piece cut out, doubled or replaced."""
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(text) + 1), rng.randrange(40)
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[:at] + text[at : at + length] * 3 + text[at + length :]
        elif kind == 2:
            text = text[:at] + rng.choice((*FORGERIES, *VALUES, "\udcff", "\0", "\u2028")) + text[at:]
        elif kind == 3:
            words = text.split(" ")
            rng.shuffle(words)
            text = " ".join(words)
        elif kind == 4:
            key = rng.choice(KEYS)
            text = " ".join(
                f"{key}={rng.choice(VALUES)}" if word.startswith(f"{key}=") else word for word in text.split(" ")
            )
        elif kind == 5:
            text = text[:at]
        else:
            text = text.replace(rng.choice(("reject", ": ", "=", ",", "<", ">", "[", '"')), rng.choice(VALUES))
    return text


@given(st.integers(0, 2**64), st.sampled_from(sorted(FORMS)))
@example(82_904_454_832_418, "docker compose logs of a container without syslog")  # with qid=none
@settings(max_examples=300, deadline=None)
def test_mutated_lines(seed: int, form: str) -> None:
    rng = Random(seed)
    lines = []
    for _ in range(12):
        head = FORMS[form].format(rng.choice(("rdns-milter", "postfix/smtpd", "postfix/qmgr", "sm-mta")))
        whole = head + rng.choice(TEXTS)
        lines += [mutated(rng, whole), head + mutated(rng, rng.choice(TEXTS))]
    read_by_all(lines)


@given(st.lists(st.text() | hostile_text(300), max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_text(texts: list[str]) -> None:
    read_by_all([*texts, *(f"rdns-milter[1]: {text}" for text in texts), *(f"action={text}" for text in texts)])


@pytest.mark.parametrize(
    "action", ["refuse", "", "none", '"reject"x', "REJECT", "accept,reject", '"rej ect"', "0", "tag2"]
)
def test_an_unknown_action(action: str) -> None:
    """By the fast pattern, pair by pair, and as JSON."""
    whole = EXAMPLE.replace("action=reject", f"action={action}")
    cut = whole[: whole.index(" policy=")]
    pretty = json.dumps({**json.loads(line(DECISION, "json")), "action": action.strip('"')})
    for text in (whole, cut, pretty, pretty.replace('": ', '":'), f"{whole} newer=1"):
        assert parse(text) is None
        read_by_all([text, f"Nov 21 01:02:03 mail rdns-milter[1]: {text}"])


@pytest.mark.parametrize("action", ACTIONS)
def test_a_quoted_action(action: str) -> None:
    for quoted in (action, f'"{action}"'):
        assert read(EXAMPLE.replace("action=reject", f"action={quoted}"))["action"] == action


def test_a_key_twice_is_no_decision_in_either_format() -> None:
    assert parse(f"{EXAMPLE} action=accept") is None
    assert parse(line(DECISION, "json")[:-1] + ',"action":"accept"}') is None


# JSON

OCTETS = "".join(chr(0xDC00 + octet) for octet in range(0x80, 0x100))
SPECIAL = '\udcff\udc80\ud800\udbff\U0010f7ff\U0010fcff\U0010ffff\\"'
ANY_TEXT = st.text(st.characters(codec=None, categories=None) | st.sampled_from(SPECIAL))


@given(ANY_TEXT, ANY_TEXT)
@settings(max_examples=300, deadline=None)
def test_json_is_valid_unicode_and_comes_back(helo_name: str, local: str) -> None:
    decision = said(helo_name=helo_name[:200], mailfrom=f"{local[:100]}@example.com")
    text = line(decision, "json")
    assert text.isascii()
    assert len(text) <= MAX_LINE
    for value in json.loads(text).values():
        str(value).encode("utf-8")  # raises for a lone surrogate
    assert parse(text) == parse(line(decision))


@pytest.mark.parametrize(
    "name",
    ["caf\udcff", OCTETS[:60], OCTETS[60:120], "\U0010fcff", "\U0010f7ff\udcff", "\U0010f7ff" * 3, "\ud800x\udfff"],
)
def test_replay_restores_the_bytes(name: str) -> None:
    evidence = replace(EVIDENCE, helo_name=name, mailfrom=f"{name}@example.com", rcpt=f"{name},x@example.net")
    decision = replace(DECISION, evidence=evidence, rcpts=(evidence.rcpt,))
    fields = read(line(decision, "json"))
    back = evidence_of(fields)
    assert (back.helo_name, back.mailfrom, rcpts_of(fields)) == (name, evidence.mailfrom, (evidence.rcpt,))
    assert "\\udbff\\udcff" in line(said(helo_name="\udcff"), "json")


def test_old_lines_are_read_as_before() -> None:
    old = line(DECISION, "json").replace('"mx.example.com"', '"caf\\udcff\\u00e9\\ud83d\\udce7"', 1)
    assert read(old)["helo_name"] == "caf\udcff\u00e9\U0001f4e7"


@given(st.integers(0, 0x10FFFF))
@settings(max_examples=500, deadline=None)
def test_a_name_of_nothing_but_one_character_fits_in_a_line(code: int) -> None:
    decision = replace(said(chr(code) * 300, f"{chr(code) * 300}@example.com", "x"), rcpts=(chr(code) * 2000,) * 3)
    for form in ("logfmt", "json"):
        text = line(decision, form)
        assert len(text) <= MAX_LINE
        assert read(text)["action"] == "reject"
    assert FACTS
