"""Programs rely on the JSON of a report: its keys, their order and their form do not change."""

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
    # The wording of the advice may change.
    assert written == (DATA / "report.json").read_text("ascii").replace("FAULT", faults(LINES[0]))
