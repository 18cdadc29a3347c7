"""Figures as a plain text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.peers import FLOOR, MILTER
from tests.bench.scenarios import BURST, SCENARIOS, Burst, Figures

_HEAD = ("scenario", "peer", "messages/s", "wait p50 ms", "p99 ms", "CPU us", "queries", "load's CPU us")
_RATIOS = "x floor"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Format rows in columns, the first two left-aligned, the others right-aligned. The first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def of_scenarios(figures: Mapping[str, Mapping[str, Figures]]) -> str:
    """Return the table of all scenarios: floor, milter, and the ratio of both."""
    rows: list[Sequence[str]] = [_HEAD]
    for scenario, peers in figures.items():
        for name, each in peers.items():
            rows.append((scenario, name, *_cells(each)))
            scenario = ""
        if FLOOR in peers and MILTER in peers:
            ratios = peers[MILTER].ratios(peers[FLOOR])
            beside = [f"{ratios[name]:.2f}" for name in ("rate", "wait_p50", "wait_p99", "cpu")]
            rows.append(("", _RATIOS, *beside, "", ""))
    legend = [f"  {scenario.name}: {scenario.what}" for scenario in SCENARIOS]
    return "\n".join((table(rows), "", *legend))


def _cells(figures: Figures) -> tuple[str, ...]:
    return (
        f"{figures.rate:.0f}",
        f"{figures.wait_p50:.2f}",
        f"{figures.wait_p99:.2f}",
        f"{figures.cpu:.0f}",
        f"{figures.queries:.2f}",
        f"{figures.load_cpu:.0f}",
    )


def of_burst(burst: Burst) -> str:
    """Return the figures of the burst as sentences."""
    limit = burst.deadline + 1
    return (
        f"{BURST}: {burst.conversations} conversations at once, DNS says nothing: {burst.in_time} answered within {limit:g} s"
        f" (deadline + 1), {burst.answered} at all, the last after {burst.longest:.2f} s; {burst.cpu:.0f} us CPU each;"
        f" memory of all processes at most {burst.peak_mb:.0f} MB; {', '.join(f'{n} {why}' for why, n in burst.ended.items())}"
    )
