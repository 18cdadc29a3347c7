"""Word to the service manager: ready, reloading, stopping, still alive.

Says nothing where nobody asked to be told, and never fails: a manager that is gone is no reason to stop serving. Never reads.

sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_MAX_STATUS = 200  # characters


class Notifier:
    """The manager that started us, as the environment names it; without one nothing is said."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watched = _watched(environment)

    def ready(self, status: str) -> None:
        """We serve; `status` is one line for the admin."""
        self._say("READY=1", f"STATUS={_printable(status)}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` says that this has ended."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """We are about to leave."""
        self._say("STOPPING=1", "STATUS=finishing what is under way")

    def alive(self) -> None:
        """A sign of life, if the manager wants any: to be given more often than twice in the time that it waits."""
        if self._watched:
            self._say("WATCHDOG=1")

    def _say(self, *assignments: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto("\n".join(assignments).encode(), self._address)


def _address(name: str) -> str:
    """The socket's address; "" if there is none, or none of a kind that we know. "@": the abstract namespace (unix(7))."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _watched(environment: Mapping[str, str]) -> bool:
    """Whether the manager's watchdog is meant for this process (sd_watchdog_enabled(3))."""
    return environment.get("WATCHDOG_USEC", "").isdigit() and environment.get("WATCHDOG_PID", "") in (
        "",
        str(os.getpid()),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MAX_STATUS]
