"""Read metrics as a Prometheus server does, with prometheus-client's parser, and look them up by name and labels.

page = scraped(fetch(port, "/metrics").text)
assert page.value("messages_total") == 3
assert page.value("decisions_total", action="reject") == 2      # all rules together
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from rdns_milter.monitoring.metric_definitions import PREFIX
from tests.kit.milter.daemon import Daemon, children, until

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An HTTP answer."""

    status: int
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: name without PREFIX, labels, value."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Page:
    """All samples, and the kind and help text of each family."""

    samples: tuple[Sample, ...]
    kinds: Mapping[str, str]
    helps: Mapping[str, str]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with that name and these labels; 0 if there is none."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def named(self, name: str, **labels: str) -> list[Sample]:
        """Return the samples with that name and these labels."""
        return [s for s in self.samples if s.name == name and labels.items() <= s.labels.items()]


def scraped(text: str) -> Page:
    """Parse a page. Raises ValueError for text that is not Prometheus' format, AssertionError for a name without PREFIX."""
    families = list(text_string_to_metric_families(text))
    samples = []
    for family in families:
        for sample in family.samples:
            assert sample.name.startswith(PREFIX), sample.name
            samples.append(Sample(sample.name.removeprefix(PREFIX), dict(sample.labels), sample.value))
    names = [family.name.removeprefix(PREFIX) for family in families]
    return Page(
        tuple(samples),
        dict(zip(names, (family.type for family in families), strict=True)),
        dict(zip(names, (family.documentation for family in families), strict=True)),
    )


def fetch(port: int, path: str = "/metrics", method: str = "GET") -> Fetched:
    """Send one request to a server on 127.0.0.1 and return its answer. Raises OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return Fetched(answer.status, answer.getheader("Content-Type", ""), answer.read().decode())
    finally:
        connection.close()


def page(port: int) -> Page:
    """Return the page at /metrics."""
    return scraped(fetch(port).text)


def healthy(port: int) -> bool:
    """Return whether /healthz answers 200; False if nothing listens."""
    try:
        return fetch(port, "/healthz").status == 200
    except OSError:
        return False


def exporter(daemon: Daemon) -> int:
    """Return the process id of the exporter: the only child with a single thread."""
    return until(lambda: next((pid for pid in children(daemon.pid) if _threads(pid) == 1), None))


def workers(daemon: Daemon) -> list[int]:
    """Return the process ids of all children but the exporter."""
    return [pid for pid in children(daemon.pid) if _threads(pid) > 1]


def _threads(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))
    except OSError:
        return 0
