"""Prefixes of lines: every form is read by replay, by report with its date, and by forecast; no other text is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.forecast import Forecast, warnings
from rdns_milter.analysis.replay import Replay
from rdns_milter.analysis.replay import warnings as replay_warnings
from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_summary import warnings as report_warnings
from rdns_milter.config.load import load
from rdns_milter.logs.decision_line import parse
from rdns_milter.logs.line_prefix import MAX_REPEATS, PrefixForms, find_prefix
from rdns_milter.logs.mta_deliveries import MailLog, deliveries
from rdns_milter.logs.timestamps import Dates
from rdns_milter.policy.rules import Policy
from tests.kit.data.decisions import EXAMPLE
from tests.kit.data.strategies import hostile_text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DATES = Dates(NOW, UTC)
WRITTEN = datetime(2026, 11, 20, 3, 53, tzinfo=UTC)

# Each with {} for the program and its process id. The date is WRITTEN.
DATED = {
    "RFC 3164": "Nov 20 03:53:19 mx {}: ",
    "RFC 3164, one digit": "Nov 20 03:53:19 192.0.2.25 {}: ",
    "RFC 3164, as it is sent": "<22>Nov 20 03:53:19 mx {}: ",
    "with a year before it": "2026 Nov 20 03:53:19 mx {}: ",
    "with a year in it": "Nov 20 2026 03:53:19 mx {}: ",
    "rsyslog's file format": "2026-11-20T03:53:19.123456+00:00 mx.test.example {}: ",
    "another zone": "2026-11-20T04:53:19.123456+01:00 mx {}: ",
    "UTC": "2026-11-20T03:53:19Z mx {}: ",
    "syslogd -v": "Nov 20 03:53:19 <2.6> mx {}: ",
    "syslogd -v -v": "Nov 20 03:53:19 <mail.info> mx {}: ",
    "BusyBox": "Nov 20 03:53:19 mx mail.info {}: ",
    "Solaris": "Nov 20 03:53:19 mx {}: [ID 197553 mail.info] ",
    "journalctl -o short-precise": "Nov 20 03:53:19.123456 mx {}: ",
    "journalctl -o short-iso": "2026-11-20T03:53:19+0000 mx {}: ",
    "journalctl -o short-iso-precise": "2026-11-20T03:53:19.123456+0000 mx {}: ",
    "journalctl -o short-full": "Fri 2026-11-20 03:53:19 UTC mx {}: ",
    "journalctl -o short-full, a zone without a name": "Fri 2026-11-20 06:53:19 +03 mx {}: ",
    "journalctl -o short-unix": f"{int(WRITTEN.timestamp()) + 19}.123456 mx {{}}: ",
    "docker logs -t": "2026-11-20T03:53:19.123456789Z {}: ",
    "docker logs -t, a daemon's date": "2026-11-20T03:53:19.123456789Z Nov 20 03:53:19 mx {}: ",
    "docker compose logs -t": "mta-1  | 2026-11-20T03:53:19.123456789Z Nov 20 03:53:19 mx {}: ",
    "docker compose logs": "mta-1        | Nov 20 03:53:19 mx {}: ",
    "docker service logs": "mail_mta.1.x7k2@node-3    | Nov 20 03:53:19 mx {}: ",
    "kubectl logs --timestamps --prefix": "[pod/mta-0/postfix] 2026-11-20T03:53:19.123456789Z Nov 20 03:53:19 mx {}: ",
    "a node's file": "2026-11-20T03:53:19.123456789+00:00 stderr F {}: ",
    "svlogd": "2026-11-20_03:53:19.12345 {}: ",
}
UNDATED = {
    "journalctl -o short-monotonic": "[    5.123456] mx {}: ",
    "journalctl -o short-delta": "[12345.123456 <    0.000001 >] mx {}: ",
    "nothing": "{}: ",
    "priority": "<22>{}: ",
    "kubectl logs --prefix": "[pod/mta-0/postfix] {}: ",
    "docker compose logs of a container without syslog": "mta-1  | {}: ",
}
VERSION_1 = {
    "RFC 5424": "<22>1 2026-11-20T03:53:19.123456Z mx {} 4711 - - ",
    "RFC 5424 as rsyslog relays RFC 3164": "<22>1 2026-11-20T03:53:19.123456+00:00 mx {} 4711 - -  ",
    "RFC 5424 with data": '1 2026-11-20T03:53:19.123456Z mx {} - id1 [a@1 b="c] \\" d"][e] \ufeff',
    "RFC 5424 without a date": "<22>1 - mx {} 4711 - - ",
}
FORMS = {
    **{name: form.replace("{}", "{}[4711]") for name, form in (DATED | UNDATED).items()},
    **{f"{name}, without a process id": form for name, form in (DATED | UNDATED).items()},
    **VERSION_1,
}

MTA = (
    ("smtpd", "NOQUEUE: reject: RCPT from x[203.0.113.7]: 550 5.7.1 no; from=<a@b.example> to=<c@d.example> proto=SMTP helo=<e>"),
    ("smtpd", "4bQ1Xz2Lq9zT1: client=mail.good.example[192.0.2.10]"),
    ("qmgr", "4bQ1Xz2Lq9zT1: from=<anna@good.example>, size=512, nrcpt=1 (queue active)"),
    ("lmtp", "4bQ1Xz2Lq9zT1: to=<user@rcpt.example>, relay=box[private/box], delay=0.1, dsn=2.0.0, status=sent (ok)"),
    ("qmgr", "4bQ1Xz2Lq9zT1: removed"),
)  # fmt: skip
CLIENTS = [("203.0.113.7", "refused"), ("192.0.2.10", "accepted")]


def clients(lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(each.client, each.outcome) for each in deliveries(lines)]


@pytest.mark.parametrize("name", FORMS)
def test_the_milters_line_with_every_prefix(name: str) -> None:
    for tag in ("rdns-milter", "rdns-milter.service"):
        assert parse(FORMS[name].format(tag) + EXAMPLE) == parse(EXAMPLE)
    assert parse(FORMS[name].format("other-milter") + EXAMPLE) is None


@pytest.mark.parametrize("name", FORMS)
def test_the_mtas_lines_with_every_prefix(name: str) -> None:
    for instance in ("postfix", "postfix-out", "postfix/submission", "mx2-postfix", "mail-in"):
        assert clients([FORMS[name].format(f"{instance}/{program}") + text for program, text in MTA]) == CLIENTS
    assert clients([FORMS[name].format(f"dovecot/{program}-x") + text for program, text in MTA]) == []


def test_units_instead_of_programs() -> None:
    """journalctl -o with-unit, and rsyslog by RFC 5424, write these."""
    for instance in ("postfix", "postfix-out"):
        assert clients([f"<22>1 2026-11-20T03:53:19Z mx {instance} 7 - -  {text}" for _, text in MTA]) == CLIENTS
    for unit in ("postfix@-.service", "postfix.service", "postfix@postfix-out.service"):
        assert clients([f"Fri 2026-11-20 03:53:19 UTC mx {unit}[7]: {text}" for _, text in MTA]) == CLIENTS
    sendmail = (
        "from=<a@b.example>, size=1, nrcpts=1, proto=ESMTP, relay=x [192.0.2.10]",
        "to=<c@d.example>, delay=1, stat=Sent",
    )
    assert clients(
        [f"Fri 2026-11-20 03:53:19 UTC mx sendmail.service[7]: 5AL3rJ7c01: {text}" for text in sendmail]
    ) == [CLIENTS[1]]


@pytest.mark.parametrize(
    "tag", ["sendmail[1]", "sendmail", "sm-mta[1]", "sm-mta", "sm-acceptingconnections[77]", "sm-mta-rx[1]", "sendmail-out[1]"]
)  # fmt: skip
def test_sendmails_names(tag: str) -> None:
    lines = (
        f"Nov 20 03:53:19 mx {tag}: 5AL3rJ7c000001: from=<a@b.example>, size=512, nrcpts=1, proto=ESMTP, relay=x [192.0.2.10]",
        f"Nov 20 03:53:19 mx {tag}: 5AL3rJ7c000001: to=<c@d.example>, delay=00:00:00, mailer=local, dsn=2.0.0, stat=Sent",
    )
    assert clients(lines) == [CLIENTS[1]]


@pytest.mark.parametrize("name", DATED)
def test_dates_of_every_form(name: str) -> None:
    line = DATED[name].format("rdns-milter[1]") + EXAMPLE
    assert DATES.of(line) == WRITTEN
    for since, counted in ((WRITTEN, 1), (WRITTEN + timedelta(minutes=1), 0)):
        report = Report(DATES.of, since)
        report.add(line)
        assert (report.decisions, report.undated) == (counted, 0)


@pytest.mark.parametrize("name", DATED)
def test_since_takes_the_dates_of_prefixes(name: str) -> None:
    stamp = DATED[name][: DATED[name].index("03:53:19") if "03:53:19" in DATED[name] else 0]
    if stamp and not stamp.startswith(("<", "[", "m")):
        assert DATES.since(f"{stamp}03:53:19") == WRITTEN


def test_since_understands_days() -> None:
    for text in ("Nov 20", "2026 Nov 20", "Nov 20 2026", "2026-11-20"):
        assert DATES.since(text) == datetime(2026, 11, 20, tzinfo=UTC)
    assert DATES.since("2026-11-20T03:53:19Z") == WRITTEN
    assert DATES.since(f"{WRITTEN.timestamp():.6f}") == WRITTEN
    for wrong in ("Nov 31", "Foo 20", "20 Nov", "Nov"):
        with pytest.raises(ValueError, match="is not a date such as"):
            DATES.since(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "1970-01-01T00:00:03Z mx rdns-milter[1]: ",
        "9999-12-31T23:59:59Z mx rdns-milter[1]: ",
        "2036-02-07T06:28:16Z mx rdns-milter[1]: ",
        "1970 Jan 01 00:00:03 mx rdns-milter[1]: ",
        "100000000.000000 mx rdns-milter[1]: ",
        "9999999999.000000 mx rdns-milter[1]: ",
    ],
)
def test_a_date_that_cannot_be_right_is_none(line: str) -> None:
    assert DATES.of(line) is None


def reported(*lines: str) -> Report:
    report = Report(DATES.of)
    for line in lines:
        report.add(line)
    return report


@pytest.mark.parametrize("year", [1970, 1999, 2003, 2010, 2019, 2036, 9999])
def test_one_wrong_date_does_not_stretch_the_axis(year: int) -> None:
    right = [f"2026-11-20T{number:02}:05:00Z mx rdns-milter[1]: {EXAMPLE}" for number in range(24)]
    report = reported(*right[:12], f"{year}-01-01T00:00:00Z mx rdns-milter[1]: {EXAMPLE}", *right[12:])
    step, bars = report.timeline()
    assert (step, len(bars), report.decisions) == (1, 24, 25)
    assert (str(report.first), str(report.last)) == ("2026-11-20 00:05:00+00:00", "2026-11-20 23:05:00+00:00")
    assert any("1 decisions have" in text and "not on the timeline" in text for text in report_warnings(report))


def test_weeks_without_mail_are_no_wrong_dates() -> None:
    lines = [
        f"2026-{month:02}-05T10:{minute:02}:00Z mx rdns-milter[1]: {EXAMPLE}"
        for month in (1, 6, 11)
        for minute in range(20)
    ]
    report = reported(*lines)
    assert (report.stray, str(report.first)) == (0, "2026-01-05 10:00:00+00:00")


REPEATED = [
    ("Nov 20 03:53:19 mx {}[1]: message repeated 3 times: [ {}]", 3),
    ("2026-11-20T03:53:19.123456+00:00 mx {}[1]: message repeated 2 times: [{}]", 2),
    ("<22>1 2026-11-20T03:53:19.123456Z mx {} 1 - - message repeated 4 times: [ {}]", 4),
]


@pytest.mark.parametrize(("form", "times"), REPEATED)
def test_repeated_lines_count(form: str, times: int) -> None:
    ours = form.format("rdns-milter", EXAMPLE)
    replay = Replay(Evaluator(load(), date(2026, 11, 20)))
    replay.add(ours)
    assert (replay.lines, replay.decisions) == (1, times)
    assert reported(ours).decisions == times
    assert clients([form.format("postfix/smtpd", MTA[0][1])]) == CLIENTS[:1] * times


def test_last_message_repeated() -> None:
    again = "Nov 20 03:53:20 mx last message repeated 3 times"
    assert reported(f"Nov 20 03:53:19 mx rdns-milter[1]: {EXAMPLE}", again).decisions == 4
    assert (
        reported(f"Nov 20 03:53:19 mx rdns-milter[1]: {EXAMPLE}", "Nov 20 03:53:19 mx cron[1]: x", again).decisions == 1
    )
    assert clients([f"Nov 20 03:53:19 mx postfix/smtpd[1]: {MTA[0][1]}", again]) == CLIENTS[:1] * 4
    assert reported(again).decisions == 0


def test_repetitions_are_bounded() -> None:
    line, times = PrefixForms().repeated("Nov 20 03:53:19 mx rdns-milter[1]: message repeated 999999999 times: [ x]")
    assert (line, times) == ("Nov 20 03:53:19 mx rdns-milter[1]: x", MAX_REPEATS)


@pytest.mark.parametrize(
    "line",
    [
        f"Nov 20 03:53:19 mx dovecot[1]: message repeated 3 times: [ rdns-milter[1]: {EXAMPLE}]",
        f"Nov 20 03:53:19 mx rdns-milter[1]: warning: message repeated 3 times: [ {EXAMPLE}]",
        f"message repeated 3 times: [ {EXAMPLE}]",
    ],
)
def test_text_that_is_no_repetition(line: str) -> None:
    assert reported(line).decisions == 0


def test_a_line_without_a_known_prefix_is_shown() -> None:
    strange = "20/Nov/2026 03:53:19 |mx| \x1b[1mpostfix\x1b[0m smtpd NOQUEUE " + "x" * 5000
    log = MailLog()
    assert list(deliveries(["", "  ", strange, "another"], log)) == []
    (warning,) = warnings(Forecast(Policy()), load(), 0, log.prefixes)
    assert "20/Nov/2026 03:53:19 |mx| \\x1b[1mpostfix" in warning
    assert warning.isprintable()
    assert "contains no mail" not in warning
    assert "journalctl" in warning
    assert len(warning) < 800
    replay = Replay(Evaluator(load(), date(2026, 11, 20)))
    replay.add(strange)
    assert any("20/Nov/2026" in text for text in replay_warnings(replay))
    assert any("20/Nov/2026" in text for text in report_warnings(reported(strange)))


def test_lines_were_read_but_there_is_no_mail() -> None:
    for line in ("Nov 20 03:53:19 mx cron[1]: x", "Nov 20 03:53:19 mx postfix/smtpd[1]: connect from x[192.0.2.1]"):
        log = MailLog()
        assert list(deliveries(["what is this", line], log)) == []
        (warning,) = warnings(Forecast(Policy()), load(), 0, log.prefixes)
        assert "contains no mail" in warning


@pytest.mark.parametrize(
    "line",
    [
        "Nov 20 03:53:19 mx mail info postfix/smtpd[1]: x",
        "Nov 20 03:53:19 mx 4711 postfix/smtpd[1]: x",
        "20/Nov/2026 03:53:19 mx postfix/smtpd[1]: x",
        "03:53:19 mx postfix/smtpd[1]: x",
    ],
)
def test_prefixes_that_no_daemon_writes(line: str) -> None:
    assert find_prefix(line) is None


def test_a_long_hostile_prefix_takes_linear_time() -> None:
    for piece in ("a", "[", "<", "Nov ", "1 - ", "[a ", '"[', ": ", " | ", "\\", "message repeated 2 times: [ "):
        for head in ("", "Nov 20 03:53:19 ", "<22>1 - a b 1 1 [", "[pod/", "Nov 20 03:53:19 mx rdns-milter[1]: "):
            line = head + piece * 100_000
            find_prefix(line)
            parse(line + "action=")
            PrefixForms().repeated(line)


@given(hostile_text(200) | st.text(max_size=200), st.sampled_from(sorted(FORMS)))
def test_never_raises(text: str, name: str) -> None:
    for line in (text, FORMS[name].format(text), FORMS[name].format("rdns-milter") + text):
        found = find_prefix(line)
        assert found is None or 0 < found.end <= len(line)
        DATES.of(line)
        parse(line)
