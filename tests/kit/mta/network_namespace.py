"""A network namespace in which every address is local, so that an SMTP client can connect from any address.

    with NetworkNamespace():
        ...  # sockets, threads and processes made here belong to it
        connect_from(("127.0.0.1", 25), "192.0.2.10", 20.0)

No packet leaves it, and of the machine's network only unix sockets can be reached from it. Needs root; network_namespaces(7).
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


class NamespaceError(RuntimeError):
    """The kernel, or the container's host, does not permit a network namespace."""


class NetworkNamespace:
    """The calling thread is in the namespace as long as the context lasts. `mtu`: of loopback; Ethernet has 1500."""

    def __init__(self, mtu: int = 65536) -> None:
        self._mtu = mtu

    def __enter__(self) -> Self:
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", CLONE_NEWNET)
            for command in (*_SET_UP, f"link set lo mtu {self._mtu}"):
                done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False, timeout=20)
                # On a machine without IPv6 the rest works all the same.
                if done.returncode and not command.startswith("-6"):
                    raise NamespaceError(f"ip {command}: {done.stderr.strip()}")
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


def connect_from(where: tuple[str, int], address: str, timeout: float) -> socket.socket:
    """Return a TCP connection from that address; "": from any."""
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
    """Make a system call that Python 3.11 does not wrap."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise NamespaceError(f"{name}: {os.strerror(ctypes.get_errno())}")
