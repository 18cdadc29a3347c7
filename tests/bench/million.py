"""Many clients, each seen once, with a cache that holds a fraction of them. Memory must stop growing, and the last messages must
cost no more than the first."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass

from tests.bench.load import Load
from tests.bench.peers import milter
from tests.bench.scenarios import AT_ONCE
from tests.bench.stub_nameserver import StubProcess
from tests.bench.table import table

PARTS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the run: messages so far; messages per second; microseconds of CPU time per message; questions per message;
    megabytes of memory of all processes at the end of the part."""

    messages: int
    rate: float
    cpu: float
    queries: float
    memory_mb: float


def run(clients: int, entries: int, workers: int) -> list[Part]:
    """Return the parts of the run; each is printed when it ends. Raises RuntimeError if a message is not answered."""
    parts: list[Part] = []
    numbers = itertools.count()
    with StubProcess() as stub, milter(stub.hostport, workers, dns={"cache_entries": entries}) as peer:
        print(f"{clients} clients through {entries} entries a worker, {len(peer.pids) - 1} workers")
        for number in range(PARTS):
            count = clients // PARTS
            cpu, queries = peer.cpu, stub.queries
            result = Load(peer.path, numbers, AT_ONCE, messages=count).run()
            if result.messages != count:
                raise RuntimeError(f"{count - result.messages} messages were not answered: {dict(result.ended)}")
            part = Part(
                messages=(number + 1) * count,
                rate=count / result.seconds,
                cpu=(peer.cpu - cpu) / count * 1e6,
                queries=(stub.queries - queries) / count,
                memory_mb=peer.memory,
            )
            parts.append(part)
            peer.forget_log()
            print(f"  {part.messages:>9} messages: {part.cpu:.0f} us CPU, {part.memory_mb:.1f} MB", flush=True)
    return parts


def report(parts: list[Part]) -> str:
    """Return the parts as a table, and a summary."""
    rows = [("messages", "", "messages/s", "CPU us", "queries", "memory MB")]
    rows += [
        (str(p.messages), "", f"{p.rate:.0f}", f"{p.cpu:.0f}", f"{p.queries:.2f}", f"{p.memory_mb:.1f}") for p in parts
    ]
    summary = as_json(parts)
    return (
        f"{table(rows)}\n\nCPU of a message, last part beside the first: {summary['cpu_ratio']:.2f}\n"
        f"memory, end beside the middle: {summary['memory_ratio']:.2f}\n"
    )


def as_json(parts: list[Part]) -> dict[str, object]:
    """Return the figures for the JSON file."""
    return {
        "parts": [asdict(part) for part in parts],
        "cpu_ratio": parts[-1].cpu / parts[0].cpu,
        "memory_ratio": parts[-1].memory_mb / parts[len(parts) // 2 - 1].memory_mb,
    }
