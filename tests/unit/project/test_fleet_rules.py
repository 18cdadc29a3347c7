"""packaging/examples/fleet/fleet-rules.yml evaluated by promtool. That it names only existing series: test_grafana.py; at work:
tests/mta/test_fleet.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rdns_milter.monitoring.metric_definitions import PREFIX
from tests.unit.project.test_grafana import FLEET, FLEET_RULES

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
HOUR = 60
DAYS = 30 * HOUR
# The series of three machines, and the alerts that they cause. The values are a minute apart.
TROUBLES: dict[str, tuple[dict[str, list[str]], set[str]]] = {
    "nothing": (
        {"up": ["1x60"] * 3, "policy_info,digest=a,mode=enforce": ["1x60"] * 3, "build_info,version=1": ["1x60"] * 3},
        set(),
    ),
    "one-gone": ({"up": ["1x60", "1x60", "1x30 0x30"]}, set()),
    "one-left": ({"up": ["1x60", "1x30 0x30", "0x60"]}, {"RdnsMilterFleetSmall"}),
    "rules": (
        {"policy_info,digest=a,mode=enforce": ["1x60"] * 2, "policy_info,digest=b,mode=enforce": ["1x60"]},
        {"RdnsMilterPoliciesDiffer"},
    ),
    "mode": (
        {"policy_info,digest=a,mode=enforce": ["1x60"] * 2, "policy_info,digest=a,mode=observe": ["1x60"]},
        {"RdnsMilterPoliciesDiffer"},
    ),
    "upgrade": ({"build_info,version=1": ["1x60"] * 2, "build_info,version=2": ["1x60"]}, set()),
    "half-upgrade": (
        {"build_info,version=1": [f"1x{DAYS}"] * 2, "build_info,version=2": [f"1x{DAYS}"]},
        {"RdnsMilterVersionsDiffer"},
    ),
}


def reckon(directory: Path, series: list[tuple[str, str]], cases: list[dict[str, Any]]) -> None:
    """Check that promtool finds what is expected."""
    told = [{"series": name, "values": values} for name, values in series]
    test = {
        "rule_files": [str(FLEET)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": told, "promql_expr_test": cases}],
    }
    path = directory / "test.yml"
    path.write_text(yaml.safe_dump(test))
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def machine(name: str, number: int) -> str:
    """Return a series of that machine, for "name,label=value,..."."""
    metric, *labels = name.split(",")
    pairs = ",".join(f'{label}="{value}"' for label, value in (each.split("=") for each in labels))
    prefix = "" if metric == "up" else PREFIX
    return f'{prefix}{metric}{{job="rdns-milter",instance="{number}",{pairs}}}'


@needs_promtool
@pytest.mark.parametrize("trouble", TROUBLES)
def test_series_cause_their_alerts(trouble: str, tmp_path: Path) -> None:
    told, wanted = TROUBLES[trouble]
    flat = [(name, values) for name, each in told.items() for values in each]
    series = [(machine(name, number), values) for number, (name, values) in enumerate(flat)]
    minutes = DAYS if any(f"x{DAYS}" in values for _, values in series) else HOUR
    cases = [
        {
            "eval_time": f"{minutes}m",
            "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})',
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name in wanted else [],
        }
        for name in alerts()
    ]
    reckon(tmp_path, series, cases)


def alerts() -> list[str]:
    return [rule["alert"] for rule in FLEET_RULES if "alert" in rule]


def test_every_alert_is_tried() -> None:
    assert {name for _, wanted in TROUBLES.values() for name in wanted} == set(alerts())


@needs_promtool
def test_a_machine_that_starts_anew_is_no_step_in_the_sum(tmp_path: Path) -> None:
    """60 messages a minute by each of three machines, one of which begins to count again from 0."""
    series = [
        (machine("messages_total", 1), "0+60x60"),
        (machine("messages_total", 2), "0+60x60"),
        (machine("messages_total", 3), "0+60x30 0+60x29"),
    ]
    case = {"expr": "round(job:rdns_milter_messages:rate5m, 0.1)"}
    cases = [
        case | {"eval_time": f"{minute}m", "exp_samples": [{"labels": '{job="rdns-milter"}', "value": value}]}
        for minute, value in ((20, 3.0), (50, 3.0), (33, 2.8))  # the rate in the minute of the restart is not known
    ]
    reckon(tmp_path, series, cases)


def test_records_are_called_as_is_usual() -> None:
    """level:metric:operations, where the level is the labels that remain."""
    records = [rule for rule in FLEET_RULES if "record" in rule]
    assert len(records) >= 4
    for rule in records:
        level, metric, operation = rule["record"].split(":")
        (source,) = re.findall(rf"\b{PREFIX}\w+", rule["expr"])
        (labels,) = re.findall(r"sum by \(([^)]*)\)", rule["expr"])
        assert metric == source.removesuffix("_total").removesuffix("_open")
        assert set(level.split("_")) <= set(labels.split(", "))
        assert operation == ("rate5m" if "[5m]" in rule["expr"] else "sum")
