"""Look at what surrounds the service on this host: its config, log, metrics, user and limits.

Reads only. Each function yields its findings and never raises.

journald.conf(5) (RateLimitBurst), systemd.exec(5).
"""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterator
from datetime import date
from shlex import quote

from ..config.lint import LintWarning, lint
from ..config.load import MAX_BYTES, Config, ConfigError, Error, load, warnings
from ..daemon.privileges import MIN_FILES, SERVICE_USER, NotPossible, service_account, unreadable
from ..logs.output import SYSLOG_PATH
from ..net.endpoints import Endpoint
from ..net.names import parse_address
from ..net.networks import parse_network
from ..text.input_file import UnreadableError, read_text
from ..text.toml import text as toml
from ..text.toml_positions import Positions
from .finding import Finding, bad, ok, warn
from .host import Host

# Also starts a service that is down.
_RELOAD = "systemctl reload-or-restart rdns-milter"
_RESTART = "systemctl restart rdns-milter"
_LOOPBACK = ("127.0.0.0/8", "::1")
# A mistyped word, and the valid one, in the message of an error in the config.
_MISTYPED = re.compile(r'(?:"([\w-]+)".*)?; did you mean "([\w-]+)"\?')
# What journald writes when it drops lines of a service (SD_MESSAGE_JOURNAL_DROPPED).
_DROPPED = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"
_MIN_TASKS = 256
_JOURNAL_SOCKET = "/run/systemd/journal/dev-log"
_DROP_INS = "/etc/systemd/system/rdns-milter.service.d"


def check_config(path: str | None, day: date) -> tuple[Config | None, list[Finding]]:
    """Return the configuration, None if it is not valid, with the findings on it."""
    try:
        config = load(path)
    except ConfigError as error:
        return None, [bad("config", str(each), *_correction(each)) for each in error.errors]
    name = config.path or "the built-in default"
    found = [ok("config", f"{name} is valid: {len(config.policy.rules)} rules, mode {config.milter.mode}")]
    found += [warn("config", text) for text in warnings(config, day)]
    try:
        text = read_text(config.path, MAX_BYTES) if config.path else ""
    except UnreadableError:
        text = ""
    found += [
        warn("config", f"{name}:{each.line}: {each}" if each.line else f"{name}: {each}", *_lint_remedy(each, config))
        for each in lint(config, day, Positions(text))
    ]
    return config, [*found, *_unreadable(config)]


def _correction(error: Error) -> tuple[str, ...]:
    """The command that corrects a mistyped word, else the one that shows whether the file is valid."""
    check = f"rdns-milter config --check -c {quote(error.file)}"
    match = _MISTYPED.search(error.message)
    wrong = match and (match[1] or error.key.rpartition(".")[2])
    if not match or not wrong or not error.line or not re.fullmatch(r"[\w-]+", wrong):
        return (check,)
    return (rf"sed -i '{error.line}s/\b{wrong}\b/{match[2]}/' {quote(error.file)}", check, _RELOAD)


def _lint_remedy(warning: LintWarning, config: Config) -> tuple[str, ...]:
    """The line that adds loopback to exempt.networks, () for other warnings."""
    networks = list(map(str, config.exempt.networks))
    missing = [each for each in _LOOPBACK if parse_network(each).network_address not in config.exempt.networks]
    if warning.path != ("exempt", "networks") or not missing:
        return ()
    return (f"in the config file, section [exempt]: networks = {toml([*missing, *networks])}", _RELOAD)


def _drop_in(name: str, *settings: str) -> tuple[str, ...]:
    """The commands that change the unit. The file's name is behind override.conf, that of `systemctl edit`, and so prevails."""
    lines = r"\n".join(("[Service]", *settings, ""))
    return (
        f"mkdir -p {_DROP_INS}",
        f"printf '{lines}' > {_DROP_INS}/zz-{name}.conf",
        "systemctl daemon-reload",
        _RESTART,
    )


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
            *_drop_in("log", "LogRateLimitIntervalSec=0"),
        )


def _dev_log(path: str) -> tuple[str, ...]:
    """The commands that give the host a log daemon at that path: journald, where it runs, has a socket for it."""
    if os.path.exists(_JOURNAL_SOCKET):
        return (f"ln -sf {_JOURNAL_SOCKET} {path}", _RESTART)
    return ("apt install -y rsyslog", _RESTART)


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
            _RESTART,
        )


def check_service(host: Host, milter_user: str = "") -> Iterator[Finding]:
    """Yield the findings on the running service: its user and its limits. `milter_user`: milter.user."""
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
            *_drop_in("user", f"User={SERVICE_USER}", f"Group={SERVICE_USER}"),
        )
    else:
        yield ok("service", f"runs as {user}")
    for name, least in (("LimitNOFILE", MIN_FILES), ("TasksMax", _MIN_TASKS)):
        value = facts.get(name, "")
        if value.isdigit() and int(value) < least:
            yield bad(
                "service",
                f"{name}={value} is too low: at least {least}, better what the packaged unit sets",
                *_drop_in(name.lower(), f"{name}=16384"),
            )
