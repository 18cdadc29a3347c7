"""The section [milter]: the socket, the processes, the mode, and how long a message may wait.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...net.endpoints import SocketAddress, parse_socket_address
from ...policy.rules import MODES
from ..option_types import matching, octal, one_of, option, seconds, string, whole_number

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable

MAX_DEADLINE = 25.0  # seconds; Postfix waits 30 for a milter (milter_command_timeout)
_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?"


@dataclass(frozen=True, slots=True)
class Milter:
    """[milter]"""

    doc: ClassVar[str] = (
        "The service itself. A reload applies only changes of mode and deadline; changes of the other options in this section"
        " take effect at the next start."
    )

    socket: SocketAddress = option(
        "socket",
        string("a socket address", parse_socket_address),
        "inet:8895@127.0.0.1",
        'The socket to which the MTA connects: "inet:PORT@HOST", "inet6:PORT@HOST" or "unix:/PATH".',
    )
    socket_mode: int = option(
        "socket_mode",
        whole_number(0, 0o777, octal, "; write it with 0o, as in 0o660"),
        0o660,
        "Permissions of a unix socket.",
    )
    socket_group: str = option(
        "socket_group",
        matching("the name of a group", _USER),
        "",
        'The group of a unix socket, for instance "postfix". Empty: the group with which the milter is started.',
    )
    user: str = option(
        "user",
        matching("the name of a user", _USER),
        "",
        "The user to which the milter changes if it is started as root. Empty: keep the user (under systemd, set User= in"
        " the unit).",
    )
    workers: int = option(
        "workers",
        whole_number(0, 256),
        0,
        "The number of worker processes. 0: one for each CPU core that the service may use. A CPU affinity (cpuset) and a CPU quota"
        " (CPUQuota= of systemd, --cpus of a container engine), rounded up, are taken into account.",
    )
    mode: str = option(
        "mode",
        one_of(*MODES),
        "enforce",
        '"enforce": act on the rules. "observe": refuse, defer and quarantine nothing; the log shows what "enforce" would'
        " have done.",
    )
    deadline: float = option(
        "deadline",
        seconds(MAX_DEADLINE, ": the MTA gives up on a milter after 30"),
        6.0,
        "How long one message may wait for DNS in all. Facts that are not known by then are temperror.",
        "seconds",
    )
