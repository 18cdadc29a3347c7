"""A fleet as in packaging/examples/fleet: unbound, milters, HAProxy and Postfix, all real, on ports of loopback.

The configuration files are the examples', unchanged but for addresses, ports and paths. Nothing is checked here: tests do that.
"""

from __future__ import annotations

import contextlib
import csv
import shutil
import socket
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, Rules, until
from tests.kit.milter.endpoint import free_port, parse_endpoint, taken
from tests.kit.mta import examples
from tests.kit.mta.child import Child
from tests.kit.mta.postfix import Postfix

NAMES = ("a", "b", "c")
HERE = "127.0.0.1"
_PATIENCE = 10.0
# unbound would answer for these zones itself; in a test it asks the test's name server for everything.
_UNBOUND_IN_A_TEST = """
    username: ""
    chroot: ""
    pidfile: ""
    directory: "."
    use-syslog: no
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "100.51.198.in-addr.arpa." nodefault
    local-zone: "113.0.203.in-addr.arpa." nodefault
forward-zone:
    name: "."
    forward-addr: {upstream}
"""


def missing() -> str:
    """Return the names of the programs of a fleet that this machine lacks; "" if it has all."""
    wanted = ("haproxy", "unbound", "postconf")
    return ", ".join(name for name in wanted if not program(name))


def program(name: str) -> str | None:
    """Return the path of a daemon, which may be outside the PATH of the test run."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


@contextlib.contextmanager
def unbound(upstream: NameServer) -> Iterator[str]:
    """Run unbound with the example's configuration in front of the test's name server; yield its HOST:PORT."""
    port = free_port()
    content = examples.changed("unbound.conf", {"port: 53\n": f"port: {port}\n", "    interface: ::1\n": ""})
    content += _UNBOUND_IN_A_TEST.format(upstream=upstream.hostport.replace(":", "@"))
    with Child("unbound") as child:
        path = child.write("unbound.conf", content)
        child.start([program("unbound") or "unbound", "-d", "-c", path], lambda: taken(HERE, port))
        yield f"{HERE}:{port}"


@dataclass
class Instance:
    """One milter of the fleet."""

    daemon: Daemon
    metrics: int


@contextlib.contextmanager
def instance(resolver: str, rules: Rules) -> Iterator[Instance]:
    """Run a milter with the fleet's settings."""
    sections: dict[str, dict[str, Any]] = tomllib.loads(examples.text("fleet/settings.toml"))
    for name in ("socket", "nameservers", "listen"):
        assert sum(section.pop(name, None) is not None for section in sections.values()) == 1, name
    port = free_port()
    sections["metrics"]["listen"] = f"{HERE}:{port}"
    with Daemon(sections, rules, resolver) as daemon:
        yield Instance(daemon, port)


class Balancer:
    """HAProxy with the example's configuration."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.port = port

    def say(self, command: str) -> str:
        """Send a command to its admin socket; return the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
            admin.settimeout(_PATIENCE)
            admin.connect(str(self._child.directory / "admin.sock"))
            admin.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()

    def table(self, command: str) -> list[list[str]]:
        """Return the rows of the answer to a command, the head first."""
        return [row for row in csv.reader(self.say(command).removeprefix("# ").splitlines()) if row]

    def servers(self) -> dict[str, dict[str, str]]:
        """Return the state of each server, by the names of `show stat`."""
        head, *rows = self.table("show stat")
        named = (dict(zip(head, row, strict=True)) for row in rows)
        return {row["svname"]: row for row in named if row["svname"] in NAMES}

    def status(self, name: str) -> str:
        """Return UP, DOWN, DRAIN, or a transition ("UP 1/2")."""
        return self.servers()[name]["status"]

    def wait_for(self, name: str, status: str) -> None:
        """Wait until a server has that status."""
        until(lambda: self.status(name) == status)


@contextlib.contextmanager
def balancer(instances: dict[str, Instance]) -> Iterator[Balancer]:
    """Run HAProxy in front of these milters."""
    port = free_port()
    with Child("haproxy") as child:
        changes = {"/run/haproxy/admin.sock mode": f"{child.directory}/admin.sock mode"}
        changes[f"bind {HERE}:8895"] = f"bind {HERE}:{port}"
        for number, name in enumerate(NAMES):
            address = parse_endpoint(instances[name].daemon.spec)
            changes[f"server {name} 10.0.0.1{number + 1}:8895"] = f"server {name} {HERE}:{address[1]}"
        path = child.write("haproxy.cfg", examples.changed("fleet/haproxy.cfg", changes))
        Path(path).chmod(0o600)
        admin = child.directory / "admin.sock"
        child.start([program("haproxy") or "haproxy", "-db", "-f", path], lambda: admin.exists() and taken(HERE, port))
        running = Balancer(child, port)
        for name in NAMES:
            running.wait_for(name, "UP")
        yield running


@dataclass
class Fleet:
    """Postfix, HAProxy and the milters."""

    postfix: Postfix
    balancer: Balancer
    instances: dict[str, Instance]

    def judged(self) -> dict[str, set[str]]:
        """Return the queue ids of the messages that each instance has decided on."""
        return {
            name: {line["qid"] for line in one.daemon.decisions()} - {"NOQUEUE"} for name, one in self.instances.items()
        }


@contextlib.contextmanager
def fleet(server: NameServer, rules: Rules, **postfix: str) -> Iterator[Fleet]:
    """Run a fleet as long as the context lasts. `postfix`: further settings of main.cf."""
    with contextlib.ExitStack() as stack:
        instances = {name: stack.enter_context(instance(stack.enter_context(unbound(server)), rules)) for name in NAMES}
        front = stack.enter_context(balancer(instances))
        main_cf = examples.settings("fleet/main.cf")
        main_cf["smtpd_milters"] = main_cf["smtpd_milters"].replace("8895", str(front.port))
        yield Fleet(stack.enter_context(Postfix(None, **(main_cf | postfix))), front, instances)
