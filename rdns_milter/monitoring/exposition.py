"""The shared counters as text for Prometheus. The only module that knows prometheus-client, which escapes and formats.

Must never write to the shared memory: it sums the rows of all processes each time it is asked.

Prometheus text exposition format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .. import __version__
from .metric_definitions import CELLS, MICROSECONDS, PREFIX, SERIES, Key, Series
from .shared_memory import MAX_SILENCE, PolicySnapshot, SharedMemory

CONTENT_TYPE = CONTENT_TYPE_LATEST

_FAMILIES = MappingProxyType({"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "info": GaugeMetricFamily})


class Exposition(Collector):
    """Produces the text. `clock`: the system's monotonic clock; `started`: when the service started, by that clock."""

    def __init__(self, memory: SharedMemory, clock: Callable[[], float], started: float) -> None:
        self._memory = memory
        self._clock = clock
        self._started = started
        self._snapshot = PolicySnapshot()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the current values of all metrics."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics. Called by the library."""
        self._snapshot = self._memory.snapshot() or self._snapshot
        computed = self._computed()
        for name, series in SERIES.items():
            if series.kind == "histogram":
                yield self._histogram(name, series)
                continue
            metric = _FAMILIES[series.kind](PREFIX + name, series.help, labels=series.labels)
            values = self._counted(name, series) if series.keys else computed[name]
            for labels, value in values.items():
                metric.add_metric(labels, value)
            yield metric

    def _computed(self) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """Return the values of the metrics that have no cells: by metric, then by label values."""
        snapshot, now = self._snapshot, self._clock()
        return {
            "resolver_up": {(server,): float(up) for server, up in snapshot.servers},
            "workers_alive": {(): float(sum(silence < MAX_SILENCE for silence in self._memory.silence(now)))},
            "workers_outdated": {(): float(self._memory.count_outdated(snapshot.number))},
            "uptime_seconds": {(): now - self._started},
            "policy_info": {(snapshot.digest, snapshot.mode): 1.0},
            "build_info": {(__version__,): 1.0},
        }

    def _counted(self, name: str, series: Series) -> dict[tuple[str, ...], float]:
        unit = MICROSECONDS if series.timed else 1
        values: dict[tuple[str, ...], float] = {}
        for key in series.keys:
            total = self._memory.total(CELLS[(name, *key)])
            labels = self._labels(key, total)
            if labels is not None:
                values[labels] = total / unit
        return values

    def _labels(self, key: Key, total: int) -> tuple[str, ...] | None:
        """Return the label values, with a rule's name instead of its slot. Return None for a slot without a rule, and for an action
        that the rule cannot lead to (unless it is counted already)."""
        if not key or not isinstance(key[-1], int):
            return tuple(map(str, key))
        if key[-1] >= len(self._snapshot.rules):
            return None
        rule = self._snapshot.rules[key[-1]]
        is_possible = key[0] in rule.actions if len(key) > 1 else rule.shadow
        return (*map(str, key[:-1]), rule.name) if total or is_possible else None

    def _histogram(self, name: str, series: Series) -> Metric:
        metric = HistogramMetricFamily(PREFIX + name, series.help, labels=series.labels)
        bounds = [*map(str, series.buckets), "+Inf"]
        for key in series.keys:
            first = CELLS[(name, *key)]
            counts = [self._memory.total(first + number) for number in range(len(bounds))]
            seconds = self._memory.total(first + len(bounds)) / MICROSECONDS
            metric.add_metric([*map(str, key)], list(zip(bounds, accumulate(counts), strict=True)), seconds)
        return metric
