"""Messages per second through a private Postfix: without a filter, with a no-op milter, with this milter, with Postfix's own check.

    python -m tests.bench end-to-end

Postfix's own check is reject_unknown_client_hostname, alone and with Debian's policyd-spf. The load generator is Postfix's
smtp-source, with one message per connection, from one client in 10/8 with a correct name and SPF record; after the first message
the milter has its facts in the cache. The setups are measured in turn, so that their ratios are meaningful. Everything runs in its
own network and mount namespaces, in which /etc/resolv.conf names the benchmark's name server. Needs root, Postfix and ip(8).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import clients
from tests.bench.peers import INET, UNIX, Peer, floor, milter
from tests.bench.policyd_spf import SERVICE, NoPolicyd, policyd_spf
from tests.bench.stub_nameserver import StubProcess
from tests.bench.table import table
from tests.kit.milter.daemon import until
from tests.kit.milter.endpoint import milter_style
from tests.kit.mta.postfix import SBIN, Postfix, installed

CLIENT = 5  # number of the client that sends the load
LOADS: Mapping[str, tuple[int, int]] = {
    "small, 1 at once": (0, 1),
    "small, 10 at once": (0, 10),
    "20 KB, 1 at once": (20_000, 1),
    "20 KB, 10 at once": (20_000, 10),
}
"""Bytes of the header, and sessions."""
PROBE = 20  # messages of a first run, from which the number of messages of a run is computed
FIELD = 250  # bytes of a header field, approximately
QUEUES = ("maildrop", "incoming", "active")
NO_FILTER, NO_OP, OURS = "no filter", "no-op milter", "rdns-milter"
CHECK, CHECK_AND_SPF = "own check", "own check, policyd-spf"
COMMON = {"smtpd_peername_lookup": "yes", "disable_dns_lookups": "no"}
CHECKED = {"smtpd_client_restrictions": "reject_unknown_client_hostname"}
ASKED = CHECKED | {"smtpd_recipient_restrictions": f"check_policy_service unix:private/{SERVICE}"}


@dataclass
class Setup:
    """A Postfix with its milter, if any. `rates`: messages per second, by load; `cpu`: the milter's CPU time in microseconds per
    message, by load."""

    name: str
    postfix: Postfix
    peer: Peer | None = None
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, load: str, message: Path, sessions: int, seconds: float) -> None:
        """Measure one run of about this many seconds."""
        count = max(PROBE, round(PROBE / self._send(message, sessions, PROBE) * seconds))
        before = self.peer.cpu if self.peer else 0.0
        self.rates.setdefault(load, []).append(count / self._send(message, sessions, count))
        if self.peer:
            self.cpu.setdefault(load, []).append((self.peer.cpu - before) / count * 1e6)
            self.peer.forget_log()

    def _send(self, message: Path, sessions: int, count: int) -> float:
        """Send this many messages, and wait until Postfix has delivered them. Return the seconds that sending took."""
        host, port = self.postfix.address
        command = [f"{SBIN}/smtp-source", "-M", clients.host(CLIENT), "-f", f"user@{clients.sender(CLIENT)}"]
        command += [
            "-t",
            "user@rcpt.example",
            "-F",
            str(message),
            "-s",
            str(sessions),
            "-m",
            str(count),
            f"{host}:{port}",
        ]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.monotonic() - began
        if done.returncode or done.stderr:
            raise RuntimeError(f"{self.name}: {done.stderr[-500:]}{self.postfix.log()[-1000:]}")
        spool = self.postfix.base / "spool"
        until(lambda: not any(entry.is_file() for queue in QUEUES for entry in (spool / queue).rglob("*")))
        return took


@contextlib.contextmanager
def setups(nameserver: str, policy_service: str) -> Iterator[list[Setup]]:
    """Return all setups. `policy_service`: policyd-spf's line of master.cf, "" if it is not available."""
    with contextlib.ExitStack() as stack:

        def setup(name: str, peer: Peer | None, settings: Mapping[str, str], services: str = "") -> Setup:
            postfix = Postfix(milter_style(peer.path) if peer else None, services=services)
            postfix.settings |= {**COMMON, **settings}
            return Setup(name, stack.enter_context(postfix), peer)

        found = [setup(NO_FILTER, None, {})]
        for kind in (UNIX, INET):
            found.append(setup(f"{NO_OP}, {kind}", stack.enter_context(floor(kind)), {}))
            found.append(setup(f"{NO_OP} with fields, {kind}", stack.enter_context(floor(kind, with_fields=True)), {}))
            ours = milter(nameserver, 0, kind=kind, group="postfix" if kind == UNIX else "")
            found.append(setup(f"{OURS}, {kind}", stack.enter_context(ours), {}))
        found.append(setup(CHECK, None, CHECKED))
        if policy_service:
            found.append(setup(CHECK_AND_SPF, None, ASKED, policy_service))
        yield found


def message(directory: Path, header: int) -> Path:
    """Write a file with a message whose header has about this many bytes."""
    path = directory / f"message-{header}"
    fields = [f"From: user@{clients.sender(CLIENT)}\n", "To: user@rcpt.example\n", "Subject: test\n"]
    fields += [f"X-Filler-{number}: {'x' * FIELD}\n" for number in range(header // FIELD)]
    path.write_text("".join([*fields, "\n", "text\n"]))
    return path


def run(rounds: int, seconds: float, policy_service: str) -> list[Setup]:
    """Measure all setups under all loads, in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="rdns-end-to-end-") as directory,
        StubProcess(53) as stub,
        setups(stub.hostport, policy_service) as found,
    ):
        for load, (header, sessions) in LOADS.items():
            file = message(Path(directory), header)
            for _ in range(rounds):
                for setup in found:
                    setup.measure(load, file, sessions, seconds)
    return found


def medians(found: Sequence[Setup]) -> dict[str, dict[str, float]]:
    """Return the medians of messages per second, by setup and load."""
    return {setup.name: {load: statistics.median(rates) for load, rates in setup.rates.items()} for setup in found}


def report(found: Sequence[Setup]) -> str:
    """Return a table: messages per second, the ratio to Postfix without a filter, and the milters' CPU time per message."""
    rates = medians(found)
    rows: list[Sequence[str]] = [("messages/s (of no filter)", "", *LOADS)]
    for name, each in rates.items():
        shares = [f"{each[load]:.0f} ({each[load] / rates[NO_FILTER][load]:.2f})" for load in LOADS]
        rows.append((name, "", *shares))
    floor_with_fields = f"{NO_OP} with fields, {INET}"
    for above, below in (
        (f"{OURS}, {INET}", f"{OURS}, {UNIX}"),
        (f"{OURS}, {INET}", floor_with_fields),
        (f"{OURS}, {INET}", CHECK_AND_SPF),
        (floor_with_fields, CHECK_AND_SPF),
    ):
        if below in rates:
            rows.append((above, f"/ {below}", *(f"{rates[above][load] / rates[below][load]:.2f}" for load in LOADS)))
    for setup in found:
        if setup.cpu:
            rows.append((setup.name, "CPU us", *(f"{statistics.median(setup.cpu[load]):.0f}" for load in LOADS)))
    return table(rows)


def enter(arguments: Sequence[str]) -> int:
    """Run this module in its own namespaces."""
    if os.geteuid() != 0 or not installed():
        print("end-to-end: needs root and Postfix", file=sys.stderr)
        return 2
    try:
        with policyd_spf() as service:
            return _enter(arguments, service)
    except NoPolicyd as error:
        print(f"without policyd-spf: {error}", file=sys.stderr)
        return _enter(arguments, "")


def _enter(arguments: Sequence[str], service: str) -> int:
    command = ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, "-m", __name__]
    return subprocess.run([*command, "--policy-service", service, *arguments], check=False).returncode


def _furnish(directory: Path) -> None:
    """Set up the namespace: a network in which connections to loopback come from the load's client, and resolv.conf."""
    address = clients.address(CLIENT)
    resolv_conf = directory / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    resolv_conf.chmod(0o644)
    directory.chmod(0o755)
    for command in (
        "ip link set lo up",
        f"ip address add {address}/32 dev lo",
        f"ip route change local 127.0.0.1 dev lo table local src {address}",
        f"mount --bind {resolv_conf} /etc/resolv.conf",
    ):
        subprocess.run(command.split(), check=True, timeout=20)


def main() -> int:
    """Measure and print, inside the namespaces. Return the exit status, 0."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--policy-service", required=True)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rdns-resolv-") as directory:
        _furnish(Path(directory))
        found = run(chosen.rounds, chosen.seconds, chosen.policy_service)
    print(report(found))
    if chosen.json:
        chosen.json.write_text(json.dumps({"end-to-end": medians(found)}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
