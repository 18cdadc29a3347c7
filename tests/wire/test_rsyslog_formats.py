"""The prefix that a real rsyslogd puts before our lines and the MTA's, in each of its formats, and how it writes repeated lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from rdns_milter.analysis.report import Report
from rdns_milter.logs.mta_deliveries import deliveries
from rdns_milter.logs.output import Syslog
from rdns_milter.logs.timestamps import Dates
from tests.kit.data.decisions import EXAMPLE
from tests.kit.milter.daemon import until
from tests.kit.mta.child import Child
from tests.kit.mta.fleet import program

FORMATS = (
    "RSYSLOG_TraditionalFileFormat", "RSYSLOG_FileFormat", "RSYSLOG_SyslogProtocol23Format"
)  # fmt: skip
REFUSAL = "NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 550 5.7.1 no; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<e>"
END = "that was all"


@pytest.fixture(params=FORMATS)
def rsyslog(request: pytest.FixtureRequest) -> Iterator[Child]:
    """Run rsyslogd, which reports repeated lines, between a socket and a file of its own."""
    binary = program("rsyslogd")
    if binary is None:
        pytest.skip("rsyslogd is not installed")
    with Child("rsyslog") as child:
        here = child.directory
        path = child.write(
            "rsyslog.conf",
            f"""
            $RepeatedMsgReduction on
            module(load="builtin:omfile" Template="{request.param}")
            module(load="imuxsock" SysSock.Use="off")
            input(type="imuxsock" Socket="{here}/socket")
            *.* action(type="omfile" file="{here}/log")
            """,
        )
        child.start([binary, "-n", "-f", path, "-i", f"{here}/pid"], (here / "socket").exists)
        yield child


def test_every_format_of_rsyslog(rsyslog: Child) -> None:
    socket = str(rsyslog.directory / "socket")
    ours, mta = Syslog("rdns-milter", socket), Syslog("postfix/submission/smtpd", socket)
    for outlet, line in (*[(ours, EXAMPLE)] * 4, *[(mta, REFUSAL)] * 3, (ours, EXAMPLE), (mta, END)):
        while not outlet.send(line, "info"):
            outlet.wait(1.0)
    log = rsyslog.directory / "log"
    until(lambda: log.exists() and END in log.read_text())
    text = log.read_text()
    assert "message repeated 3 times: [" in text
    lines = text.splitlines()
    assert len(lines) == 6
    report = Report(Dates(datetime.now(UTC)).of)
    for line in lines:
        report.add(line)
    assert (report.decisions, report.undated) == (5, 0)
    assert [(each.client, each.outcome) for each in deliveries(lines)] == [("203.0.113.7", "refused")] * 3
