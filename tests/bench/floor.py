"""The floor: a pymilter that says "continue" to everything, and asks the MTA for no more than that. What it costs, libmilter, the
protocol and Python cost; nothing in Python on libmilter can be cheaper.

`python -m tests.bench.floor SOCKET`, until it is ended.
"""

from __future__ import annotations

import sys
from typing import Any

import Milter


class Floor(Milter.Base):  # type: ignore[misc]
    """The callbacks that a milter needs which judges clients; all others are negotiated away."""

    def connect(self, hostname: str, family: int, address: Any) -> int:
        return int(Milter.CONTINUE)

    def hello(self, name: str) -> int:
        return int(Milter.CONTINUE)

    def envfrom(self, sender: str, *arguments: str) -> int:
        return int(Milter.CONTINUE)

    def envrcpt(self, recipient: str, *arguments: str) -> int:
        return int(Milter.CONTINUE)

    def eom(self) -> int:
        return int(Milter.CONTINUE)


if __name__ == "__main__":
    Milter.factory = Floor
    Milter.set_flags(Milter.ADDHDRS)
    Milter.runmilter("floor", sys.argv[1], 240)
