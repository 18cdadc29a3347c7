"""A network of our own, in which every address is this machine's: so that an SMTP client may really come from anywhere.

    with Network():
        ...                      # sockets, threads and processes made in here belong to it
        come(("127.0.0.1", 25), "192.0.2.10", 20.0)

Nothing leaves it, and nothing of the machine's network can be reached from it but unix sockets. Needs root; network_namespaces(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x40000000
IPV6_FREEBIND = 78  # bind to an address that no interface has; Linux, not in Python's socket
_SET_UP = (
    "link set lo up",
    "route add local 0.0.0.0/0 dev lo table local",
    "-6 route add local ::/0 dev lo table local",
)


class NoNetwork(RuntimeError):
    """The kernel, or whoever runs the container, does not allow it."""


class Network:
    """The calling thread is in it for as long as the context lasts. `mtu`: of loopback; Ethernet has 1500."""

    def __init__(self, mtu: int = 65536) -> None:
        self._mtu = mtu

    def __enter__(self) -> Self:
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", CLONE_NEWNET)
            for command in (*_SET_UP, f"link set lo mtu {self._mtu}"):
                done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False, timeout=20)
                # A machine without IPv6 is no reason to do without the rest.
                if done.returncode and not command.startswith("-6"):
                    raise NoNetwork(f"ip {command}: {done.stderr.strip()}")
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        try:
            _call("setns", self._before, CLONE_NEWNET)
        finally:
            os.close(self._before)


def come(where: tuple[str, int], address: str, timeout: float) -> socket.socket:
    """A TCP connection from that address; "": from any."""
    if ":" not in address:
        return socket.create_connection(where, timeout, (address, 0) if address else None)
    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        connection.settimeout(timeout)
        connection.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        connection.bind((address, 0))
        connection.connect(where)
        undo.pop_all()
    return connection


def _call(name: str, *arguments: int) -> None:
    """A system call that Python 3.11 does not know."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise NoNetwork(f"{name}: {os.strerror(ctypes.get_errno())}")
