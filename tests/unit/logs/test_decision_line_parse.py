"""Reading a log line: with a log daemon's prefix, cut, of another version, forged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdns_milter.checks.evidence import FACTS, Evidence, missing_facts
from rdns_milter.logs.decision_keys import KEYS
from rdns_milter.logs.decision_line import line, parse
from rdns_milter.logs.logged_evidence import evidence_of, rcpts_of
from tests.kit.data.decisions import DECISION, EXAMPLE, FORMATS, read, said
from tests.kit.data.strategies import hostile_text

BEFORE = [
    "",
    "rdns-milter: ",
    "rdns-milter[123]: ",
    "<22>rdns-milter[123]: ",
    "Nov 21 01:02:03 mail rdns-milter[123]: ",
    "Nov  1 01:02:03.123456 mail.example.net rdns-milter[123]: ",
    "<22>Nov 21 01:02:03 mail rdns-milter[123]: ",
    "2026-11-21T01:02:03.123456+01:00 mail rdns-milter[123]: ",
    "2026-11-21T01:02:03Z mail rdns-milter: ",
    "2026-11-21T01:02:03+0100 mail rdns-milter[123]: ",
    "Sat 2026-11-21 01:02:03 CET mail rdns-milter[123]: ",
    "<22>1 2026-11-21T01:02:03.5Z mail rdns-milter 123 - - ",
    '1 2026-11-21T01:02:03.5Z mail rdns-milter - decision [meta sequenceId="1"] \ufeff',
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_prefix_of_a_log_daemon_is_skipped(before: str, end: str, form: str) -> None:
    assert parse(before + line(DECISION, form) + end) == parse(EXAMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "action=reject",
        "action=refuse rule=x qid=NOQUEUE",
        "action=reject reason=x rule",
        " " + EXAMPLE,
        "x" + EXAMPLE,
        "reaction=reject " + EXAMPLE,
        EXAMPLE[len("action=reject ") :],
        f"Nov 21 01:02:03 mail postfix/smtpd[1]: {EXAMPLE}",
        f"Nov 21 01:02:03 mail not-rdns-milter[1]: {EXAMPLE}",
        f"Nov 21 01:02:03 mail rdns-milter[1]: warning: {EXAMPLE}",
        f"Nov 21 01:02:03 mail postfix/smtpd[1]: helo=<rdns-milter[1]: {EXAMPLE}>",
        f"Nov 21 01:02:03 mail postfix/smtpd[1]: x\nNov 21 01:02:03 mail rdns-milter[1]: {EXAMPLE}",
        f"Nov 21 01:02:03 rdns-milter[1]: {EXAMPLE}",
        f"rdns-milter[1] {EXAMPLE}",
        f"{EXAMPLE} action=accept",
        f"{EXAMPLE} and more",
        f"{EXAMPLE}\n{EXAMPLE}",
        EXAMPLE.replace(" qid", "  qid"),
        EXAMPLE.replace("qid=NOQUEUE", "qid=\x1b[31m"),
        EXAMPLE.replace("qid=NOQUEUE", 'qid="a"b"'),
        EXAMPLE.replace("qid=NOQUEUE", "qid=\u00e9"),
        EXAMPLE.replace("rule=no-rdns-no-spf", "rules=x"),
        "{}",
        "[1]",
        '{"action":"reject"}',
        '{"action":"reject","rule":"x"',
        '{"action":"refuse","rule":"x"}',
        '{"action":["reject"],"rule":"x"}',
        '{"rule":"x","action":"reject"}',
        '{"action":"reject","rule":"x"} {"action":"accept"}',
        '{"action":' + "[" * 100_000,
        f"Nov 21 01:02:03 mail postfix/smtpd[1]: {line(DECISION, 'json')}",
    ],
)
def test_other_lines_are_no_decisions(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("before", ["", "Nov 21 01:02:03 mail rdns-milter[123]: "])
def test_of_a_cut_line_the_complete_values_are_read(before: str) -> None:
    text = line(replace(said("a b", '"x y\\"z"@example.com', "c\\d"), rcpts=("e f",)))
    whole = read(text)
    starts = [f" {text}".index(f" {key}=") for key in KEYS] + [len(text) + 1]
    for end in range(len(text)):
        if text[:end].endswith(" reply="):
            continue  # the same as a whole line with an empty reply
        # A value is complete if a blank or its closing quote follows.
        through = [
            key
            for key, following in zip(KEYS, starts[1:], strict=True)
            if following <= end or (following == end + 1 and text[end - 1] == '"')
        ]
        assert parse(before + text[:end]) == ({key: whole[key] for key in through} if "rule" in through else None)


def test_facts_after_the_cut_are_unknown() -> None:
    fields = read(EXAMPLE[: EXAMPLE.index(" spf_mailfrom")])
    assert missing_facts(evidence_of(fields)) == {"spf_helo", "spf_mailfrom", "mailfrom_match", "client_spf", "dnslist"}
    assert missing_facts(evidence_of({"action": "reject"})) == {*FACTS, "client_spf", "dnslist"}
    assert missing_facts(evidence_of(read(EXAMPLE))) == set()


@pytest.mark.parametrize("text", [f"{EXAMPLE} country=none", EXAMPLE.replace(" qid=", ' asn="64 496" qid=')])
def test_keys_of_later_versions_do_no_harm(text: str) -> None:
    fields = read(text)
    assert evidence_of(fields) == evidence_of(read(EXAMPLE))
    assert fields.get("country", "none") == "none"
    assert fields.get("asn", "64 496") == "64 496"


def test_values_of_later_versions_in_json_do_no_harm() -> None:
    fields = read('{"action":"tag","rule":"x","list":[1],"object":{"action":"reject"},"null":null,"number":1.5}')
    assert fields == {"action": "tag", "rule": "x", "null": "", "number": "1.5"}


@pytest.mark.parametrize("ptrs", ["", "x", "-1", "1.5", "\u0661", "9" * 40])
def test_an_invalid_count_is_zero(ptrs: str) -> None:
    count = evidence_of({"ptrs": ptrs}).iprev.count
    assert count == 0


@pytest.mark.parametrize("client", ["", "none", "192.0.2.256", "x" * 100])
def test_an_invalid_address_is_absent(client: str) -> None:
    assert evidence_of({"client": client}).client is None


TOLERANT = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(
    st.text()
    | hostile_text(300).map(lambda text: f"action=reject rule=x {text}")
    | hostile_text().map(lambda text: EXAMPLE.replace("NOQUEUE", text))
)
@TOLERANT
def test_any_text_is_a_decision_or_none(text: str) -> None:
    fields = parse(text)
    if fields is not None:
        assert fields["action"] in ("accept", "tag", "tempfail", "reject", "quarantine")
        assert isinstance(evidence_of(fields), Evidence)
        assert all(isinstance(rcpt, str) for rcpt in rcpts_of(fields))


@given(st.dictionaries(st.sampled_from(KEYS), st.text()))
@TOLERANT
def test_any_fields_have_evidence(fields: dict[str, str]) -> None:
    assert missing_facts(evidence_of(fields)) >= FACTS.keys() - fields.keys()
