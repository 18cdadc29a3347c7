"""Send random and mutated milter packets to the milter: `python -m tests.bench.fuzz --packets 100000 --seed 1`.

Prints the packets sent and received, and the use of memory, threads and descriptors before and after. Exit status 1 if the milter
crashed, hung, sent an invalid answer, or if one of these grew.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any

from rdns_milter.logs.decision_line import parse
from tests.kit.data.scenario import ZONE
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter import packet_fuzz
from tests.kit.milter.daemon import Daemon, until
from tests.kit.mta.process_usage import Figures, figures

AT_ONCE = 4
WARM_UP = 0.2  # fraction of the packets, during which caches fill and thread pools grow
MORE_THREADS, MORE_DESCRIPTORS, MORE_MEMORY = 8, 8, 8 * 1024  # tolerated growth; memory in KiB
CONFIG: dict[str, dict[str, Any]] = {
    "milter": {"deadline": 1.0},
    "dns": {"timeout": 0.1, "tries": 1, "cache_entries": 1000},
    "headers": {"received_spf": True},
}
TEXT = "{client} {helo} {mailfrom} {ptr} {reason} {advice}"
RULES: list[dict[str, Any]] = [
    {"name": "postmaster", "when": {"rcpt": "postmaster@"}, "action": "accept"},
    {"name": "held", "when": {"helo_kind": ["invalid", "missing"], "spf_mailfrom": "none"}, "action": "quarantine"},
    {"name": "refused", "unless": {"iprev": "pass"}, "action": "reject", "text": TEXT},
    {"name": "marked", "unless": {"spf_mailfrom": "pass"}, "action": "tag"},
]
_CLEAN = re.compile(rb"[ -~]*")
_ENDED = re.compile(r"rdns-milter: worker \d+ ended")
_NOTICE = re.compile(r"rdns-milter: [ -~]+")


NOTHING = Figures(0, 0, 0)


@dataclass
class Report:
    """The result of a run. `faults`: errors of the milter, in words."""

    packets: int = 0
    sessions: int = 0
    decisions: int = 0
    seconds: float = 0.0
    before: Figures = NOTHING
    after: Figures = NOTHING
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rows = [
            f"{self.packets} packets in {self.sessions} sessions, {self.seconds:.0f} s; {self.decisions} decisions logged",
            f"threads {self.before.threads} -> {self.after.threads}",
            f"descriptors {self.before.descriptors} -> {self.after.descriptors}",
            f"memory {self.before.memory} -> {self.after.memory} KiB ({self.after.growth(self.before):+.1f} %)",
            *(f"FAULT: {fault}" for fault in self.faults),
        ]
        return "\n".join(rows)


def run(packets: int, seed: int = 1, workers: int = 1) -> Report:
    """Start a milter, and send it this many packets, in sessions of about ten."""
    report = Report()
    began = time.monotonic()
    with NameServer(Zone(ZONE)) as server, Daemon(CONFIG, RULES, server, workers) as daemon:
        pids = until(lambda: found if len(found := daemon.workers()) == workers else [])
        try:
            _send(daemon, packets * WARM_UP, seed, report)
            report.before = report.after = _at_rest(pids)
            _send(daemon, packets, seed + 1, report)
            report.after = _at_rest(pids)
        except OSError as error:
            report.faults.append(f"it did not last: {error!r}")
        if daemon.workers() != pids:
            report.faults.append(f"workers {pids} became {daemon.workers()}")
        status = daemon.terminate()
        if status != 0:
            report.faults.append(f"exit status {status}")
        report.faults += _complaints(daemon.lines())
        report.decisions = len(daemon.decisions())
    report.faults += _growth(report.before, report.after)
    report.seconds = time.monotonic() - began
    return report


def _send(daemon: Daemon, packets: float, seed: int, report: Report) -> None:
    """Send packets until the report counts this many."""
    rng = Random(seed)

    def session(number: int) -> int:
        mine = Random(f"{seed}/{number}")
        wires = packet_fuzz.session(mine)
        answers = packet_fuzz.send(daemon.spec, wires, abrupt=mine.random() < 0.1)
        report.faults += [
            f"seed {seed}/{number}: answers {text[:100]!r}"
            for text in packet_fuzz.texts_of(answers)
            if not _CLEAN.fullmatch(text)
        ]
        return len(wires)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        while report.packets < packets:
            numbers = [rng.getrandbits(64) for _ in range(10 * AT_ONCE)]
            report.packets += sum(pool.map(session, numbers))
            report.sessions += len(numbers)


def _at_rest(pids: Sequence[int]) -> Figures:
    """Wait until all connections are closed, and return the resource usage of the processes."""
    last = [figures(pids)]

    def settled() -> bool:
        time.sleep(0.3)
        last.append(figures(pids))
        return last[-1].descriptors >= last[-2].descriptors and last[-1].threads >= last[-2].threads

    until(settled)
    return last[-1]


def _complaints(lines: Sequence[str]) -> list[str]:
    """Return log lines that are errors of the milter."""
    found = []
    for line in lines:
        if parse(line) is None and not _NOTICE.fullmatch(line):
            found.append(f"log: {line[:200]!r}")
        elif "internal error" in line or _ENDED.search(line):
            found.append(f"log: {line[:300]}")
    return found


def _growth(before: Figures, after: Figures) -> list[str]:
    bounds = {"threads": MORE_THREADS, "descriptors": MORE_DESCRIPTORS, "memory": MORE_MEMORY}
    return [
        f"{name}: {getattr(before, name)} became {getattr(after, name)}"
        for name, bound in bounds.items()
        if getattr(after, name) > getattr(before, name) + bound
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args(arguments)
    report = run(chosen.packets, chosen.seed, chosen.workers)
    print(report)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
