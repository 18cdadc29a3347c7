"""Notifications to the service manager: ready, reloading, stopping, watchdog.

Sends nothing if the manager did not ask for it, and must never fail: a manager that is gone is no reason to stop serving.

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
    """The service manager's notification socket, as the environment names it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._has_watchdog = _has_watchdog(environment)

    def ready(self, status: str) -> None:
        """Notify that the service is ready, or that a reload has ended. `status`: one line for `systemctl status`."""
        self._send("READY=1", f"STATUS={_printable(status)}")

    def reloading(self) -> None:
        """Notify that a reload has begun. `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Notify that the service is about to stop."""
        self._send("STOPPING=1", "STATUS=finishing messages under way")

    def alive(self) -> None:
        """Reset the manager's watchdog, if there is one. To be called at least twice within its interval."""
        if self._has_watchdog:
            self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto("\n".join(assignments).encode(), self._address)


def _address(name: str) -> str:
    """Return the address of the socket; "" if there is none, or none of a known kind. An initial "@" stands for the abstract
    namespace (unix(7))."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _has_watchdog(environment: Mapping[str, str]) -> bool:
    """Return True if the manager's watchdog watches this process (sd_watchdog_enabled(3))."""
    return environment.get("WATCHDOG_USEC", "").isdigit() and environment.get("WATCHDOG_PID", "") in (
        "",
        str(os.getpid()),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:_MAX_STATUS]
