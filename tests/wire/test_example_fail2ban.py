"""packaging/examples/fail2ban with fail2ban's own programs: it counts refusals only, never deferred or observed mail."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rdns_milter.config.load import load
from rdns_milter.logs.decision_line import line, parse
from rdns_milter.policy.rules import Verdict
from tests.kit.data import random_log
from tests.kit.data.decisions import DECISION
from tests.kit.mta import examples

pytestmark = pytest.mark.skipif(not shutil.which("fail2ban-regex"), reason="fail2ban is not installed")
FILTER = examples.DIRECTORY / "fail2ban" / "filter.d" / "rdns-milter.conf"
STAMPS = ("2026-11-28T14:03:02.000000+00:00 mail rdns-milter[9]: ", "Nov 28 14:03:02 mail rdns-milter[9]: ")


def matched(tmp_path: Path, lines: list[str]) -> list[str]:
    """Return the lines that fail2ban-regex takes for failures."""
    (tmp_path / "log").write_text("".join(f"{each}\n" for each in lines))
    done = subprocess.run(
        ["fail2ban-regex", "--print-all-matched", str(tmp_path / "log"), str(FILTER)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"Lines: {len(lines)} lines" in done.stdout
    block = done.stdout.partition("|- Matched line(s):\n")[2].partition("\n`-")[0]
    return [each.removeprefix("|").strip() for each in block.splitlines()]


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_each_action(stamp: str, form: str, tmp_path: Path) -> None:
    verdicts = [Verdict(action, "x") for action in ("accept", "tag", "tempfail", "reject", "quarantine")]
    verdicts.append(Verdict("reject", "limit:forged-results"))
    lines = [stamp + line(replace(DECISION, verdict=verdict), form) for verdict in verdicts]
    observed = replace(DECISION, verdict=Verdict("accept", "x", would=("reject",)), mode="observe")
    hostile = replace(
        DECISION,
        verdict=Verdict("accept", "x"),
        evidence=replace(DECISION.evidence, helo_name="x action=reject rule=x qid=NOQUEUE client=192.0.2.99 "),
    )
    lines += [stamp + line(observed, form), stamp + line(hostile, form)]
    assert matched(tmp_path, lines) == [lines[3]]


def test_a_whole_log_in_observe_mode_has_no_failure(tmp_path: Path) -> None:
    enforcing = load().policy
    lines = list(random_log.lines(enforcing, 300))
    assert len(matched(tmp_path, lines)) == sum((parse(each) or {})["action"] == "reject" for each in lines) > 5
    assert matched(tmp_path, list(random_log.lines(replace(enforcing, mode="observe"), 300))) == []


def test_the_jail_is_valid(tmp_path: Path) -> None:
    """fail2ban-client reads jail and filter as they would be installed."""
    shutil.copytree("/etc/fail2ban", tmp_path / "etc")
    for name in ("filter.d", "jail.d"):
        shutil.copy(examples.DIRECTORY / "fail2ban" / name / "rdns-milter.conf", tmp_path / "etc" / name)
    (tmp_path / "etc" / "jail.d" / "defaults-debian.conf").unlink(missing_ok=True)
    done = subprocess.run(
        ["fail2ban-client", "-c", str(tmp_path / "etc"), "-d"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "['add', 'rdns-milter', 'systemd']" in done.stdout
    assert "['set', 'rdns-milter', 'maxretry', 10]" in done.stdout
