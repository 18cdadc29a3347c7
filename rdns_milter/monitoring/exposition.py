"""The ledger as text for Prometheus. Alone knows prometheus-client, which escapes and formats.

Reads only: adds up the rows of all processes whenever it is asked.

Prometheus' text exposition format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .. import __version__
from .definitions import CELLS, MICRO, PREFIX, SERIES, Key, Series
from .shared_memory import LATELY, Board, Ledger

CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAMILIES = MappingProxyType({"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "info": GaugeMetricFamily})


class Exposition(Collector):
    """Makes the text. `clock`: the system's monotonic clock; `began`: when the service did, by that clock."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float], began: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._began = began
        self._board = Board()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """All series as they are now."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The series, for the library."""
        self._board = self._ledger.board() or self._board
        known = self._known()
        for name, series in SERIES.items():
            if series.kind == "histogram":
                yield self._histogram(name, series)
                continue
            metric = _FAMILIES[series.kind](PREFIX + name, series.help, labels=series.labels)
            values = self._counted(name, series) if series.keys else known[name]
            for labels, value in values.items():
                metric.add_metric(labels, value)
            yield metric

    def _known(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """What is no count."""
        board, now = self._board, self._clock()
        return {
            "resolver_up": {(server,): float(up) for server, up in board.servers},
            "workers_alive": {(): float(sum(silent < LATELY for silent in self._ledger.silent_for(now)))},
            "workers_outdated": {(): float(self._ledger.outdated(board.number))},
            "uptime_seconds": {(): now - self._began},
            "policy_info": {(board.digest, board.mode): 1.0},
            "build_info": {(__version__,): 1.0},
        }

    def _counted(self, name: str, series: Series) -> dict[tuple[str, ...], float]:
        unit = MICRO if series.timed else 1
        found: dict[tuple[str, ...], float] = {}
        for key in series.keys:
            total = self._ledger.total(CELLS[(name, *key)])
            labels = self._labels(key, total)
            if labels is not None:
                found[labels] = total / unit
        return found

    def _labels(self, key: Key, total: int) -> tuple[str, ...] | None:
        """The labels' values, a rule by its name; None for a rule that is not there, and for what a rule cannot lead to and
        never did."""
        if not key or not isinstance(key[-1], int):
            return tuple(map(str, key))
        if key[-1] >= len(self._board.rules):
            return None
        rule = self._board.rules[key[-1]]
        possible = key[0] in rule.actions if len(key) > 1 else rule.shadow
        return (*map(str, key[:-1]), rule.name) if total or possible else None

    def _histogram(self, name: str, series: Series) -> Metric:
        metric = HistogramMetricFamily(PREFIX + name, series.help, labels=series.labels)
        bounds = [*map(str, series.buckets), "+Inf"]
        for key in series.keys:
            first = CELLS[(name, *key)]
            counts = [self._ledger.total(first + number) for number in range(len(bounds))]
            seconds = self._ledger.total(first + len(bounds)) / MICRO
            metric.add_metric([*map(str, key)], list(zip(bounds, accumulate(counts), strict=True)), seconds)
        return metric
