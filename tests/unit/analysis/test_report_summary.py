"""The JSON of a report is a promise to programs: keys, their order and their form stay as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rdns_milter.analysis.report import Report
from rdns_milter.analysis.report_summary import as_dict, faults, summarize
from rdns_milter.logs.timestamps import Dates

DATA = Path(__file__).parent / "data"
LINES = (DATA / "report.log").read_text("ascii").splitlines()


def test_the_json_is_the_same_byte_for_byte() -> None:
    report = Report(Dates(datetime(2026, 12, 1, 12, 0, tzinfo=UTC), UTC).of, rules=["nothing-confirmed", "never"])
    for line in LINES:
        report.add(line)
    written = json.dumps(as_dict(summarize(report, 20, "ccef47")), indent=2) + "\n"
    # The words of the advice are not part of the promise.
    assert written == (DATA / "report.json").read_text("ascii").replace("FAULT", faults(LINES[0]))
