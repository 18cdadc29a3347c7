"""Run all checks of `rdns-milter doctor` side by side, within a bound of time.

Changes nothing. Never stops at the first fault; a check that does not end in time is itself a finding.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from ..config.load import Config
from ..net.endpoints import Endpoint
from ..policy.rules import Policy
from ..resolver.nameservers import NoNameservers, nameservers
from .checks.clock_check import check_clock, is_synchronized
from .checks.config_check import check_config
from .checks.log_check import check_log
from .checks.metrics_check import check_metrics
from .checks.nameserver_check import OWN_RESOLVER, check_nameservers
from .checks.postfix_check import check_postfix
from .checks.sendmail_check import SENDMAIL_CF, check_sendmail
from .checks.service_check import check_service
from .checks.socket_check import check_socket
from .finding import Finding, bad, ok, warn
from .host import Host
from .nameserver_probe import Probe, probe
from .postfix_settings import read_postfix

SECONDS = 4.5  # for all checks together

DoctorCheck = Callable[[], Iterable[Finding]]


def examine(host: Host, path: str | None, sendmail_cf: str = SENDMAIL_CF) -> list[Finding]:
    """Return the findings in the order of the checks. So the reasons why a service does not start come before the finding that it
    is down. `path`: the config file; `sendmail_cf`: the path of sendmail.cf."""
    config, found = check_config(path, date.today())
    used = config or Config()
    checks: list[tuple[str, DoctorCheck]] = [
        ("name server", lambda: _nameservers(used.dns.nameservers, used.policy)),
        ("log", lambda: check_log(host, used.log.target)),
        ("metrics", lambda: check_metrics(used.metrics.listen)),
        ("service", lambda: check_service(host, used.milter.user)),
        ("milter", lambda: check_socket(host, used.milter.socket, _mta_user(host))),
        ("MTA", lambda: _mta(host, used, sendmail_cf)),
    ]
    return [*found, *_side_by_side(checks, SECONDS)]


def _side_by_side(checks: Sequence[tuple[str, DoctorCheck]], seconds: float) -> Iterator[Finding]:
    """Return the findings of all checks. Each runs in a thread of its own, all together for at most that many seconds."""
    results: list[list[Finding] | None] = [None] * len(checks)

    def run(number: int, subject: str, check: DoctorCheck) -> None:
        try:
            results[number] = list(check())
        except Exception as error:  # noqa: BLE001 - a fault in one check must not hide what the others found
            results[number] = [warn(subject, f"could not be looked at: {type(error).__name__}: {error}")]

    threads = [threading.Thread(target=run, args=(number, *each), daemon=True) for number, each in enumerate(checks)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    for (subject, _), found in zip(checks, results, strict=True):
        yield from found if found is not None else [bad(subject, f"the check did not end within {seconds:g} seconds")]


def _mta_user(host: Host) -> str:
    return (host.output("postconf", "-hx", "mail_owner") or "").strip()


def _mta(host: Host, config: Config, sendmail_cf: str) -> Iterator[Finding]:
    settings = read_postfix(host)
    sendmail = host.text(sendmail_cf)
    if settings is not None:
        yield from check_postfix(settings, config.milter.socket, config.milter.deadline)
    elif sendmail is not None:
        yield from check_sendmail(sendmail, config.milter.socket, config.milter.deadline)
    else:
        yield warn("MTA", "neither Postfix (postconf) nor Sendmail (/etc/mail/sendmail.cf) is set up on this host")


def _nameservers(configured: Sequence[Endpoint], policy: Policy) -> Iterator[Finding]:
    try:
        servers = nameservers(configured)
    except NoNameservers as error:
        yield bad("name server", str(error), *OWN_RESOLVER)
        return
    probes = _probed(servers, policy)
    yield from check_nameservers(probes)
    yield from check_clock(probes, time.time(), is_synchronized())


def _probed(servers: Sequence[Endpoint], policy: Policy) -> list[Probe]:
    """Probe all servers at the same time. Return the results. `policy`: the servers are asked about the DNS lists and providers in
    its rules."""
    zones = tuple(dict.fromkeys(zone for _, zone in policy.dnslists))
    results: dict[Endpoint, Probe] = {}

    def run(server: Endpoint) -> None:
        results[server] = probe(server, dns_lists=zones, providers=policy.providers)

    threads = [threading.Thread(target=run, args=(server,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    end = time.monotonic() + SECONDS - 0.5
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [results.get(server) or Probe(server, "did not answer all questions in time") for server in servers]


def summary(found: Sequence[Finding]) -> Finding:
    """Return the last line: how many findings are bad, and how many are warnings."""
    counts = {level: sum(each.level == level for each in found) for level in ("bad", "warn")}
    text = f"{counts['bad']} bad, {counts['warn']} warnings"
    return bad("doctor", text) if counts["bad"] else ok("doctor", text)


def is_root() -> bool:
    """Return whether this process runs as root: only root can look at all files and permissions."""
    return os.geteuid() == 0
