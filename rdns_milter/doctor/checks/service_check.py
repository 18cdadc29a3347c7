"""Look at the service under systemd: the user that it runs as, and its limits.

Reads only. Never raises.

systemd.exec(5).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...daemon.privileges import MIN_FILES, SERVICE_USER
from ..finding import Finding, bad, ok, warn
from ..host import Host
from ..remedies import drop_in

_MIN_TASKS = 256


def check_service(host: Host, milter_user: str = "") -> Iterator[Finding]:
    """Yield the findings on the running service: on its user and on its limits. `milter_user`: the option milter.user."""
    shown = host.output("systemctl", "show", "rdns-milter", "-p", "LoadState,MainPID,User,LimitNOFILE,TasksMax")
    facts = dict(line.partition("=")[::2] for line in (shown or "").splitlines())
    if facts.get("LoadState") != "loaded":
        yield ok("service", "systemd has no unit rdns-milter here: user and limits were not looked at")
        return
    user = facts.get("User", "") or milter_user or "root"
    if user == "root":
        yield warn(
            "service",
            "runs as root",
            *drop_in("user", f"User={SERVICE_USER}", f"Group={SERVICE_USER}"),
        )
    else:
        yield ok("service", f"runs as {user}")
    for name, least in (("LimitNOFILE", MIN_FILES), ("TasksMax", _MIN_TASKS)):
        value = facts.get(name, "")
        if value.isdigit() and int(value) < least:
            yield bad(
                "service",
                f"{name}={value} is too low: at least {least}, better what the packaged unit sets",
                *drop_in(name.lower(), f"{name}=16384"),
            )
