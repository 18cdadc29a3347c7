"""A small milter that does what the message itself asks for and reports each callback: the other side for tests of the kit.

`tests.kit.milter.probe` runs it as a process of its own; it is the only file of the kit that needs pymilter. Every callback is a
line of JSON on the output. A recipient whose local part is `reject`, `tempfail`, `accept` or `discard` gets that answer; `reply`
gets a reply of two lines. A header `X-Do` holds one command for the end of the message: `add NAME VALUE`, `insert INDEX NAME
VALUE`, `change INDEX NAME VALUE` (no VALUE: delete), `quarantine REASON`, `body TEXT`, or one of those four words. A header
`X-Skip` ends the sending of the body. Never for real mail.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import Milter

MACROS = (
    "i j v _ {daemon_name} {daemon_addr} {daemon_port} {client_addr} {client_name} {client_port} {client_ptr} {client_resolve} "
    "{if_addr} {if_name} "
    "{auth_authen} {auth_type} {mail_addr} {rcpt_addr}"
)
ANSWERS = {"reject": Milter.REJECT, "tempfail": Milter.TEMPFAIL, "accept": Milter.ACCEPT, "discard": Milter.DISCARD}


def report(event: str, **values: Any) -> None:
    os.write(1, (json.dumps({"event": event, **values}) + "\n").encode())


class Probe(Milter.Base):  # type: ignore[misc]
    asks_macros = False

    def negotiate(self, opts: list[int]) -> int:
        if self.asks_macros:
            self._ctx.setsymlist(0, "{client_addr} {client_ptr}")
        return int(super().negotiate(opts))

    def report_with_macros(self, event: str, **values: Any) -> None:
        macros = {name: self.macro(name) for name in MACROS.split()}
        report(event, macros={name: value for name, value in macros.items() if value is not None}, **values)

    def macro(self, name: str) -> str | None:
        try:
            return str(value) if (value := self.getsymval(name)) is not None else None
        except UnicodeDecodeError:
            return "not UTF-8"

    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        self.report_with_macros("connect", hostname=hostname, family=family, hostaddr=hostaddr)
        return int(Milter.CONTINUE)

    def hello(self, hostname: str) -> int:
        self.report_with_macros("helo", name=hostname)
        return int(Milter.CONTINUE)

    def envfrom(self, sender: str, *arguments: str) -> int:
        self.commands: list[str] = []
        self.skips = False
        self.report_with_macros("mail", sender=sender, arguments=arguments)
        return int(Milter.CONTINUE)

    def envrcpt(self, recipient: str, *arguments: str) -> int:
        self.report_with_macros("rcpt", recipient=recipient, arguments=arguments)
        local = recipient.strip("<>").partition("@")[0]
        if local == "reply":
            self.setreply("550", "5.7.25", "first line", "second line")
            return int(Milter.REJECT)
        return int(ANSWERS.get(local, Milter.CONTINUE))

    def data(self) -> int:
        self.report_with_macros("data")
        return int(Milter.CONTINUE)

    def header(self, name: str, value: str) -> int:
        report("header", name=name, value=value)
        if name.lower() == "x-do":
            self.commands.append(value.strip())
        self.skips |= name.lower() == "x-skip"
        return int(Milter.CONTINUE)

    def eoh(self) -> int:
        self.report_with_macros("eoh")
        return int(Milter.CONTINUE)

    def body(self, chunk: bytes) -> int:
        report("body", size=len(chunk))
        return int(Milter.SKIP if self.skips else Milter.CONTINUE)

    def eom(self) -> int:
        self.report_with_macros("end")
        for command in self.commands:
            verb, _, rest = command.partition(" ")
            if verb in ANSWERS:
                return int(ANSWERS[verb])
            self.change(verb, rest)
        return int(Milter.ACCEPT)

    def change(self, verb: str, rest: str) -> None:
        if verb == "quarantine":
            self.quarantine(rest)
        elif verb == "body":
            self.replacebody(rest)
        elif verb == "add":
            self.addheader(*rest.split(" ", 1))
        elif verb == "insert":
            index, name, value = rest.split(" ", 2)
            self.addheader(name, value, int(index))
        elif verb == "change":
            index, name, value = (*rest.split(" ", 2), "")[:3]
            self.chgheader(name, int(index), value)

    def abort(self) -> int:
        report("abort")
        return int(Milter.CONTINUE)

    def close(self) -> int:
        report("close")
        return int(Milter.CONTINUE)


def main(socket: str, *options: str) -> None:
    """Serve at `socket` until killed; the options are those of `tests.kit.milter.probe.Probe`."""
    if "noreply" in options:
        Probe.header = Milter.noreply(Probe.header)  # type: ignore[method-assign]
    if "nodata" in options:
        Probe.data = Milter.nocallback(Milter.Base.data)  # type: ignore[method-assign]
    if "leading-space" in options:  # last: pymilter computes the protocol mask here, once and for all
        Milter.header_leading_space(Probe)
    Probe.asks_macros = "symlist" in options
    Milter.factory = Probe
    os.umask(0)
    Milter.runmilter("probe", socket, 60)


if __name__ == "__main__":
    main(*sys.argv[1:])
