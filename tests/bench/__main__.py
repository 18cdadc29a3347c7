"""The benchmark: the cost of the milter compared with that of a no-op pymilter, in the same run on the same machine.

    python -m tests.bench                       all scenarios, about a minute
    python -m tests.bench --quick               a few seconds: tests the benchmark; its figures mean nothing
    python -m tests.bench million               memory and CPU time over many clients, each seen once
    python -m tests.bench million --clients 1000000 --entries 100000
python -m tests.bench floods                the effect of clients that cause many DNS questions on other clients, a minute or two
    python -m tests.bench end-to-end            messages a second through a real Postfix, some minutes (tests.bench.end_to_end)

The ratios to the floor are meaningful, the absolute figures are not: load, DNS and milter share the machine. The load generator is
written in Python; its own CPU time is reported too.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import end_to_end, floods, million
from tests.bench.peers import DEADLINE, Peer, floor, milter
from tests.bench.scenarios import BURST, SCENARIOS, Bench, Figures, as_json, median
from tests.bench.stub_nameserver import StubProcess
from tests.bench.table import of_burst, of_scenarios

QUICK_SECONDS, QUICK_BURST, QUICK_DEADLINE = 0.4, 20, 1.0


def scenarios(rounds: int, seconds: float, peers: Sequence[Peer], bench: Bench) -> dict[str, dict[str, Figures]]:
    """Return the medians of this many rounds. In each round the peers are measured one after the other."""
    found: dict[str, dict[str, Figures]] = {}
    for peer in peers:
        bench.warm_up(peer)
    for scenario in SCENARIOS:
        runs: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
        for _ in range(rounds):
            for peer in peers:
                runs[peer.name].append(bench.measure(peer, scenario, seconds))
        found[scenario.name] = {name: median(each) for name, each in runs.items()}
    return found


def everything(chosen: argparse.Namespace) -> dict[str, Any]:
    """Run all scenarios and the burst. Print the figures, and return them for the JSON file."""
    deadline = QUICK_DEADLINE if chosen.quick else DEADLINE
    with contextlib.ExitStack() as stack:
        stub = stack.enter_context(StubProcess())
        peers = [stack.enter_context(floor()), stack.enter_context(milter(stub.hostport, chosen.workers, deadline))]
        bench = Bench(stub)
        found = scenarios(chosen.rounds, chosen.seconds, peers, bench)
        print(of_scenarios(found))
        burst = bench.burst(peers[-1], chosen.burst, deadline)
        print(f"\n{of_burst(burst)}")
    figures: dict[str, Any] = {
        name: {peer: as_json(each) for peer, each in peers.items()} for name, peers in found.items()
    }
    return {"scenarios": figures, BURST: as_json(burst)}


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("all", "million", "floods", "end-to-end"), default="all")
    parser.add_argument("--quick", action="store_true", help="tiny numbers")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each scenario; the median counts")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--burst", type=int, default=300, help="conversations at once with dead DNS")
    parser.add_argument("--workers", type=int, default=0, help="of the milter; 0: one for each core")
    parser.add_argument("--clients", type=int, default=20_000, help="million: how many")
    parser.add_argument("--entries", type=int, default=2_000, help="million: cache_entries")
    parser.add_argument("--messages", type=int, default=150, help="floods: of each kind, quiet and beside; 200 at most")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    chosen = parser.parse_args(given)
    if chosen.quick:
        chosen.rounds, chosen.seconds, chosen.burst = 1, QUICK_SECONDS, QUICK_BURST
        chosen.clients, chosen.entries = min(chosen.clients, 500), min(chosen.entries, 50)
        chosen.messages = 5
    return chosen


def main(given: Sequence[str] | None = None) -> int:
    """Run the command. Return the exit status: 0, or that of the end-to-end benchmark's process."""
    chosen = arguments(given)
    if chosen.what == "end-to-end":
        options = ["--rounds", str(chosen.rounds), "--seconds", str(chosen.seconds)]
        return end_to_end.enter([*options, *(("--json", str(chosen.json)) if chosen.json else ())])
    if chosen.what == "million":
        parts = million.run(chosen.clients, chosen.entries, chosen.workers)
        print(f"\n{million.report(parts)}")
        figures = million.as_json(parts)
    elif chosen.what == "floods":
        measured = floods.run(chosen.messages, floods.SCENARIOS[:1] if chosen.quick else floods.SCENARIOS)
        print(floods.report(measured))
        figures = floods.as_json(measured)
    else:
        figures = everything(chosen)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "kernel": platform.release()}
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
