"""What packaging has for Prometheus and Grafana names only the milter's series, labels, and words as their values."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rdns_milter.monitoring.alarms import CROWDED_OUT
from rdns_milter.monitoring.alarms import MEANINGS as ALARMS
from rdns_milter.monitoring.metric_definitions import CELLS, PREFIX, SERIES
from rdns_milter.policy.rules import ACTIONS

PACKAGING = Path(__file__).resolve().parents[3] / "packaging"
RULES = PACKAGING / "prometheus" / "rules.yml"
BOARD: dict[str, Any] = json.loads((PACKAGING / "grafana" / "rdns-milter.json").read_text("utf-8"))
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
FLEET = PACKAGING / "examples" / "fleet" / "fleet-rules.yml"
FLEET_RULES: list[dict[str, Any]] = yaml.safe_load(FLEET.read_text("utf-8"))["groups"][0]["rules"]
PROMTOOL = shutil.which("promtool")

_HISTOGRAM = ("bucket", "count", "sum")
EXPORTED = {
    f"{PREFIX}{name}{suffix}": (name, series)
    for name, series in SERIES.items()
    for suffix in ([f"_{each}" for each in _HISTOGRAM] if series.buckets else [""])
}
# Labels that Prometheus adds, and that of a bucket.
_OTHERS = {"job", "instance"}
_SELECTOR = re.compile(r"\b(\w+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"(?:,|$)')


def alerts() -> list[str]:
    """Return the expressions of the alerts, and of the rules that a fleet's Prometheus records."""
    return [rule["expr"] for rule in (*ALERTS, *FLEET_RULES)]


def panels() -> list[str]:
    """Return the expressions of the dashboard: panels, annotations, variables."""
    found = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    found += [item["expr"] for item in BOARD["annotations"]["list"]]
    return found + [item["definition"] for item in BOARD["templating"]["list"] if item["type"] == "query"]


def matchers(expression: str) -> Iterator[tuple[str, str, str]]:
    """Return series, label and value of each matcher; a value with alternatives gives several."""
    for name, inside in _SELECTOR.findall(expression):
        found = _MATCHER.findall(inside)
        assert ",".join(f'{label}{sign}"{value}"' for label, sign, value in found) == inside, inside
        for label, sign, value in found:
            for word in value.split("|") if "~" in sign else [value]:
                yield name, label, word


def words(name: str, label: str) -> set[str]:
    """Return all values that the label of a series can have."""
    series = SERIES[name]
    if label == "le":
        return {*map(str, series.buckets), "+Inf"}
    at = series.labels.index(label) + 1
    return {str(key[at]) for key in CELLS if key[0] == name}


@pytest.mark.parametrize("expression", [*alerts(), *panels()])
def test_only_series_of_the_milter(expression: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}\w+", expression))
    assert named or 'up{job="rdns-milter"}' in expression
    assert named <= EXPORTED.keys()
    for pairs in ("()", "{}", "[]"):
        assert expression.count(pairs[0]) == expression.count(pairs[1])
    for metric, label, word in matchers(expression):
        if metric not in EXPORTED:
            assert (metric, label) == ("up", "job")
        elif label not in _OTHERS:
            name, series = EXPORTED[metric]
            assert label in series.labels or (label == "le" and metric.endswith("_bucket"))
            assert word in words(name, label), (metric, label, word)


@pytest.mark.parametrize("expression", [*alerts(), *panels()])
def test_groups_are_by_existing_labels(expression: str) -> None:
    labels = {label for metric in re.findall(rf"\b{PREFIX}\w+", expression) for label in EXPORTED[metric][1].labels}
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    assert grouped <= labels | _OTHERS | ({"le"} if "_bucket" in expression else set())


@pytest.mark.parametrize("expression", [*alerts(), *panels()])
def test_counters_are_used_as_counters(expression: str) -> None:
    """Counters by their rate or increase, gauges directly."""
    for function, metric in re.findall(rf"(\w*)\(?({PREFIX}\w+)", expression):
        kind = EXPORTED[metric][1].kind
        assert (function in ("rate", "increase")) == (kind in ("counter", "histogram")), (function, metric)


def test_every_series_is_shown() -> None:
    shown = {EXPORTED[metric][0] for each in panels() for metric in re.findall(rf"\b{PREFIX}\w+", each)}
    assert shown == set(SERIES)


def test_alerts_have_a_meaning_and_a_remedy() -> None:
    found = [*ALERTS, *(rule for rule in FLEET_RULES if "alert" in rule)]
    assert len({alert["alert"] for alert in found}) == len(found) >= 11
    for alert in found:
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} == set(alert["annotations"])
        for name in re.findall(rf"{PREFIX}\w+", alert["annotations"]["description"]):
            assert name.removeprefix(PREFIX) in SERIES


def test_the_dashboard_is_consistent() -> None:
    shown = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in shown:
        assert panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    colours = {item["matcher"]["options"] for panel in shown for item in panel["fieldConfig"]["overrides"]}
    assert set(ACTIONS) <= colours


def test_a_script_could_load_it_by_its_uid() -> None:
    assert (BOARD["uid"], BOARD["title"]) == ("rdns-milter", "rdns-milter")
    assert {item["name"] for item in BOARD["templating"]["list"]} == {"datasource", "job", "instance"}
    assert set(re.findall(r"\$(\w+)|\$\{(\w+)\}", " ".join(panels()))) <= {
        (name, "") for name in ("job", "instance", "__rate_interval", "__range")
    }


needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*arguments: str | Path) -> str:
    """Run promtool; return its output."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.decode()


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES)


# The values of the series, and the alerts that they cause.
TROUBLES: dict[str, tuple[dict[str, str], set[str]]] = {
    "nothing": (
        {
            "up": "1x60",
            "workers_alive": "2x60",
            "worker_restarts_total": "0x60",
            "reloads_total,outcome=good": "0+1x60",
            "reloads_total,outcome=bad": "0x60",
            "resolver_up,server=a": "1x60",
            "log_lines_dropped_total": "0x60",
            "facts_total,fact=iprev,value=pass": "0+100x60",
            "facts_total,fact=iprev,value=temperror": "0+2x60",
            "messages_total": "0+100x60",
            "wait_seconds_count,stage=rcpt": "0+50x60",
            "wait_seconds_bucket,stage=rcpt,le=2.0": "0+49x60",
        },
        set(),
    ),
    "gone": ({"up": "1x5 0x55"}, {"RdnsMilterDown"}),
    "no-workers": ({"up": "1x60", "workers_alive": "2x5 0x55"}, {"RdnsMilterDown"}),
    "one-server": ({"resolver_up,server=a": "1x60", "resolver_up,server=b": "1x9 0x51"}, {"RdnsMilterResolverDown"}),
    "all-servers": ({"resolver_up,server=a": "1x9 0x51"}, {"RdnsMilterResolverDown", "RdnsMilterNoResolver"}),
    "temperrors": (
        {"facts_total,fact=iprev,value=pass": "0+100x60", "facts_total,fact=iprev,value=temperror": "0+20x60"},
        {"RdnsMilterTemperrors"},
    ),
    "outdated": ({"workers_outdated": "0x5 1x55"}, {"RdnsMilterWorkersOutdated"}),
    "deaths": ({"worker_restarts_total": "0+1x60"}, {"RdnsMilterWorkersDie"}),
    "errors": ({"internal_errors_total": "0x30 1x30"}, {"RdnsMilterInternalErrors"}),
    "log": ({"log_lines_dropped_total": "0x50 7x10"}, {"RdnsMilterLogLinesDropped"}),
    "reload": ({"reloads_total,outcome=bad": "0x30 1x30"}, {"RdnsMilterReloadFailed"}),
    "jump": ({"decisions_total,action=reject,rule=x": "0+1x2000 2000+50x60"}, {"RdnsMilterRefusalsJump"}),
    "slow": (
        {
            "messages_total": "0+100x60",
            "wait_seconds_count,stage=rcpt": "0+50x60",
            "wait_seconds_bucket,stage=rcpt,le=2.0": "0+40x60",
        },
        {"RdnsMilterSlow"},
    ),
    "setup": ({f"alarms_total,alarm={next(iter(ALARMS))}": "0x30 1x30"}, {"RdnsMilterSetup"}),
    "flood": ({f"alarms_total,alarm={CROWDED_OUT}": "0x30 1x30"}, {"RdnsMilterSetup"}),
}


@needs_promtool
@pytest.mark.parametrize("trouble", TROUBLES)
def test_series_cause_their_alerts(trouble: str, tmp_path: Path) -> None:
    told, wanted = TROUBLES[trouble]
    series = []
    for key, values in told.items():
        name, *labels = key.split(",")
        metric = name if name == "up" else PREFIX + name
        assert name == "up" or metric in EXPORTED
        pairs = ",".join(f'{label}="{value}"' for label, value in (each.split("=") for each in labels))
        series.append({"series": f'{metric}{{job="rdns-milter",instance="mx",{pairs}}}', "values": values})
    minutes = 2060 if trouble == "jump" else 60
    cases = [
        {"eval_time": f"{minutes}m", "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})'}
        for name in sorted({alert["alert"] for alert in ALERTS})
    ]
    for case, name in zip(cases, sorted({alert["alert"] for alert in ALERTS}), strict=True):
        found = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name in wanted else []
        case["exp_samples"] = found  # type: ignore[assignment]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": cases}],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(test))
    assert "SUCCESS" in promtool("test", "rules", path)


def test_every_alert_is_tried() -> None:
    assert {name for _, wanted in TROUBLES.values() for name in wanted} == {alert["alert"] for alert in ALERTS}
