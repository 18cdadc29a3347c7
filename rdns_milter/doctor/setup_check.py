"""Look at what surrounds the service on this host: its config, log, metrics, user and limits.

Reads only. Each function yields its findings and never raises.

journald.conf(5) (RateLimitBurst), systemd.exec(5).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from datetime import date

from ..config.lint import lint
from ..config.load import MAX_BYTES, Config, ConfigError, load, warnings
from ..config.textfile import UnreadableError, read_text
from ..daemon.privileges import MIN_FILES, NotPossible, service_account, unreadable
from ..logs.output import SYSLOG_PATH
from ..net.endpoints import Endpoint
from ..net.names import parse_address
from ..text.toml_positions import Positions
from .finding import Finding, bad, ok, warn
from .host import Host

_RELOAD = "systemctl reload rdns-milter"
# What journald writes when it drops lines of a service (SD_MESSAGE_JOURNAL_DROPPED).
_DROPPED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
_MIN_TASKS = 256


def check_config(path: str | None, day: date) -> tuple[Config | None, list[Finding]]:
    """Return the configuration, None if it is not valid, with the findings on it."""
    try:
        config = load(path)
    except ConfigError as error:
        lines = str(error).splitlines()
        return None, [
            bad("config", line, f"rdns-milter config --check{f' -c {path}' if path else ''}") for line in lines
        ]
    name = config.path or "the built-in default"
    found = [ok("config", f"{name} is valid: {len(config.policy.rules)} rules, mode {config.milter.mode}")]
    found += [warn("config", text) for text in warnings(config, day)]
    try:
        text = read_text(config.path, MAX_BYTES) if config.path else ""
    except UnreadableError:
        text = ""
    found += [
        warn("config", f"{name}:{each.line}: {each}" if each.line else f"{name}: {each}")
        for each in lint(config, day, Positions(text))
    ]
    return config, [*found, *_unreadable(config)]


def _unreadable(config: Config) -> Iterator[Finding]:
    if os.geteuid() != 0 or not config.path:
        return
    try:
        user = service_account(config.milter.user)
        paths = (config.path, *(each.path for each in config.lists))
        for found in unreadable(paths, user) if user else ():
            path = found.partition(":")[0]
            yield bad(
                "config",
                f"the user {user.pw_name if user else ''}, as whom the service runs, cannot read {found}",
                f"chmod a+r {path}",
                _RELOAD,
            )
    except (NotPossible, OSError) as error:
        yield bad("config", str(error))


def check_log(host: Host, target: str, path: str = SYSLOG_PATH) -> Iterator[Finding]:
    """Yield the findings on the log. `target`: log.target."""
    if target == "stderr":
        yield ok("log", "goes to standard error, under systemd to the journal")
    elif (why := _no_syslog(path)) and target == "syslog":
        yield bad(
            "log",
            f"nothing takes it: {path} {why}",
            "systemctl restart systemd-journald.socket systemd-journald-dev-log.socket",
        )
    elif why:
        yield warn("log", f"goes to standard error only: {path} {why}", "apt install -y rsyslog")
    else:
        yield ok("log", f"goes to {path}, facility mail")
    dropped = host.output("journalctl", _DROPPED, "--since=-7d", "--lines=50", "--output=cat", "--no-pager") or ""
    lines = [line for line in dropped.splitlines() if "rdns-milter" in line]
    if lines:
        yield warn(
            "log",
            f"journald dropped lines within the last week: {lines[-1]}",
            "mkdir -p /etc/systemd/system/rdns-milter.service.d",
            r"printf '[Service]\nLogRateLimitIntervalSec=0\n' > /etc/systemd/system/rdns-milter.service.d/log.conf",
            "systemctl daemon-reload",
            "systemctl restart rdns-milter",
        )


def _no_syslog(path: str) -> str:
    """Why nothing takes lines there, "" if something does."""
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


def check_metrics(listen: Endpoint | None) -> Iterator[Finding]:
    """Yield the finding on the metrics' listener."""
    if listen is None:
        yield ok("metrics", "are not served (metrics.listen is empty)")
        return
    address = parse_address(listen.host)
    if listen.host == "localhost" or (address is not None and address.is_loopback):
        yield ok("metrics", f"are served at {listen}, on this host only")
    else:
        yield warn(
            "metrics",
            f"are served at {listen}, which is open to other hosts unless a firewall closes it",
            f'in the config file, section [metrics]: listen = "127.0.0.1:{listen.port}"',
            "systemctl restart rdns-milter",
        )


def check_service(host: Host) -> Iterator[Finding]:
    """Yield the findings on the running service: its user and its limits."""
    shown = host.output("systemctl", "show", "rdns-milter", "-p", "LoadState,MainPID,User,LimitNOFILE,TasksMax")
    facts = dict(line.partition("=")[::2] for line in (shown or "").splitlines())
    if facts.get("LoadState") != "loaded":
        yield ok("service", "systemd has no unit rdns-milter here: user and limits were not looked at")
        return
    user = facts.get("User", "") or "root"
    if user == "root":
        yield warn(
            "service",
            "runs as root unless milter.user is set",
            'in the config file, section [milter]: user = "rdns-milter"',
        )
    else:
        yield ok("service", f"runs as {user}")
    for name, least in (("LimitNOFILE", MIN_FILES), ("TasksMax", _MIN_TASKS)):
        value = facts.get(name, "")
        if value.isdigit() and int(value) < least:
            yield bad(
                "service",
                f"{name}={value} is too low: at least {least}, better what the packaged unit sets",
                "mkdir -p /etc/systemd/system/rdns-milter.service.d",
                rf"printf '[Service]\n{name}=16384\n' > /etc/systemd/system/rdns-milter.service.d/limits.conf",
                "systemctl daemon-reload",
                "systemctl restart rdns-milter",
            )
