"""The no-op milter of the benchmark: a pymilter that answers "continue" to everything and asks the MTA for nothing more.

Its cost is that of libmilter, the protocol and Python; a milter in Python on libmilter cannot cost less. Run it with `python -m
tests.bench.noop_milter SOCKET [fields]`; it runs until it gets a signal. With `fields` it takes the header fields, without a reply,
and leaves DATA and the end of the header as the milter does: a milter that has to see them cannot cost less.
"""

from __future__ import annotations

import sys
from typing import Any

import Milter
import milter


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


def _negotiate(context: Any, options: list[int]) -> int:
    """Ask for header fields without replies; for DATA, unlike Floor, because without it Postfix stalls over TCP."""
    unwanted = milter.P_NOBODY | milter.P_NOUNKNOWN | milter.P_NR_HDR | milter.P_NR_EOH
    options[:] = [milter.ADDHDRS, options[1] & unwanted, 0, 0]
    return int(milter.CONTINUE)


def run_with_fields(socket: str) -> None:
    """Run a milter that takes header fields. Does not use Milter.Base, whose own code would take longer than the rest."""
    go_on, no_reply = int(milter.CONTINUE), int(milter.NOREPLY)
    for register in (
        milter.set_connect_callback,
        milter.set_helo_callback,
        milter.set_envfrom_callback,
        milter.set_envrcpt_callback,
    ):
        register(lambda context, *arguments: go_on)
    milter.set_header_callback(lambda context, name, value: no_reply)
    milter.set_eoh_callback(lambda context: no_reply)
    milter.set_eom_callback(lambda context: go_on)
    milter.set_close_callback(lambda context: go_on)
    milter.register("floor", negotiate=_negotiate)
    milter.setconn(socket)
    milter.main()


if __name__ == "__main__":
    if "fields" in sys.argv[2:]:
        run_with_fields(sys.argv[1])
    else:
        Milter.factory = Floor
        Milter.set_flags(Milter.ADDHDRS)
        Milter.runmilter("floor", sys.argv[1], 240)
