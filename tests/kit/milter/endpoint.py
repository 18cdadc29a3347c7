"""Milter sockets: how they are written, connecting to them, and finding a free port.

Loopback and paths only; every socket made here has a timeout.
"""

from __future__ import annotations

import contextlib
import socket

TIMEOUT = 20.0

Endpoint = str | tuple[str, int]


def parse_endpoint(spec: Endpoint) -> Endpoint:
    """Return a path or (host, port) for `unix:/p`, `/p`, `inet:PORT@HOST` (milters), `inet:HOST:PORT` (Postfix), `inet6:...`."""
    if isinstance(spec, tuple):
        return spec
    kind, _, rest = spec.partition(":")
    if spec.startswith("/") or kind in {"unix", "local"}:
        return spec if spec.startswith("/") else rest
    if kind not in {"inet", "inet6"}:
        raise ValueError(f"not a milter socket: {spec!r}")
    if "@" in rest:
        port, _, host = rest.partition("@")
    else:
        host, _, port = rest.rpartition(":")
    return host.strip("[]"), int(port)


def postfix_style(spec: Endpoint) -> str:
    """Return the form of smtpd_milters: `unix:/p` or `inet:HOST:PORT`."""
    where = parse_endpoint(spec)
    if isinstance(where, str):
        return f"unix:{where}"
    host, port = where
    return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"


def milter_style(spec: Endpoint) -> str:
    """Return libmilter's form: `unix:/p` or `inet:PORT@HOST`."""
    where = parse_endpoint(spec)
    if isinstance(where, str):
        return f"unix:{where}"
    host, port = where
    return f"inet6:{port}@[{host}]" if ":" in host else f"inet:{port}@{host}"


def connected(spec: Endpoint, timeout: float = TIMEOUT) -> socket.socket:
    """Return a connected stream socket with a timeout; OSError if nothing listens there."""
    where = parse_endpoint(spec)
    if isinstance(where, tuple):
        connection = socket.create_connection(where, timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connection.settimeout(timeout)
        connection.connect(where)
        undo.pop_all()
    return connection


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nothing listens on now; another process may still take it first."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def taken(host: str, port: int) -> bool:
    """Return whether something listens on that TCP port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), TIMEOUT):
        return True
    return False
