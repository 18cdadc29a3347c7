"""Look at the log: whether a log daemon takes the lines, and whether journald has dropped some.

Reads only. Never raises.

journald.conf(5) (RateLimitBurst).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

from ...logs.output import SYSLOG_PATH
from ..finding import Finding, bad, ok, warn
from ..host import Host
from ..remedies import RESTART, drop_in

# What journald writes when it drops lines of a service (SD_MESSAGE_JOURNAL_DROPPED).
_DROPPED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
_JOURNAL_SOCKET = "/run/systemd/journal/dev-log"


def check_log(host: Host, target: str, path: str = SYSLOG_PATH) -> Iterator[Finding]:
    """Yield the findings on the log. `target`: log.target."""
    if target == "stderr":
        yield ok("log", "goes to standard error, under systemd to the journal")
    elif (why := _no_syslog(path)) and target == "syslog":
        yield bad(
            "log",
            f"nothing takes it: {path} {why}",
            *_dev_log(path),
        )
    elif why:
        yield warn("log", f"goes to standard error only: {path} {why}", *_dev_log(path))
    else:
        yield ok("log", f"goes to {path}, facility mail")
    dropped = host.output("journalctl", _DROPPED, "--since=-7d", "--lines=50", "--output=cat", "--no-pager") or ""
    lines = [line for line in dropped.splitlines() if "rdns-milter" in line]
    limit = (host.output("systemctl", "show", "-P", "LogRateLimitIntervalUSec", "rdns-milter") or "").strip()
    if lines and limit == "0":
        yield ok("log", f"journald dropped lines before the service's rate limit was lifted: {lines[-1]}")
    elif lines:
        yield warn(
            "log",
            f"journald dropped lines within the last week: {lines[-1]}",
            *drop_in("log", "LogRateLimitIntervalSec=0"),
        )


def _dev_log(path: str) -> tuple[str, ...]:
    """Return the commands that give the host a log daemon at that path. It is journald's socket if journald runs."""
    if os.path.exists(_JOURNAL_SOCKET):
        return (f"ln -sf {_JOURNAL_SOCKET} {path}", RESTART)
    return ("apt install -y rsyslog", RESTART)


def _no_syslog(path: str) -> str:
    """Return why no log daemon takes lines at that path; "" if one does."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return "is no socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(path)
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    return ""
