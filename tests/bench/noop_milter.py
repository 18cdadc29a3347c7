"""The no-op milter of the benchmark: a pymilter that answers "continue" to everything and asks the MTA for nothing more.

Its cost is that of libmilter, the protocol and Python; a milter in Python on libmilter cannot cost less. Run it with `python -m
tests.bench.noop_milter SOCKET`; it runs until it gets a signal.
"""

from __future__ import annotations

import sys
from typing import Any

import Milter


class Floor(Milter.Base):  # type: ignore[misc]
    """The callbacks that a milter needs to judge clients. All others are switched off in the negotiation."""

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
