"""The section [metrics]: where metrics and the health check are served.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...net.endpoints import Endpoint, parse_host_port
from ..option_types import option, optional, string

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable


@dataclass(frozen=True, slots=True)
class Metrics:
    """[metrics]"""

    doc: ClassVar[str] = "Metrics for monitoring."

    listen: Endpoint | None = option(
        "listen",
        optional(string("HOST:PORT", parse_host_port)),
        "",
        'Where to serve metrics for Prometheus (/metrics) and a health check (/healthz), for instance "127.0.0.1:9415". Empty:'
        " nowhere.",
    )
