"""The system's name servers: a changed resolv.conf is noticed without HUP, and a scoped address works down to the socket."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.data.scenario import GOOD, ZONE, code
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon, until
from tests.kit.mta.network_namespace import Network

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount, and serve port 53"),
    pytest.mark.skipif(
        subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
        reason="no mounts of our own here: the root directory is no mount (chroot)",
    ),
]
SEEING = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"')
RULES = [{"name": "nameless", "when": {"iprev": "permerror"}, "action": "reject"}]


@contextmanager
def serving(zone: Zone, host: str) -> Iterator[NameServer]:
    with NameServer(zone, host, 53) as server:
        yield server


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    """At first the only server knows no names, then the file names another; a file without servers changes nothing."""
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"nameserver foo\n\xff\xfe\nsearch ..\nnameserver 127.83.0.1\n")
    system = {"dns": {"nameservers": [], "negative_ttl": 0, "cache_min_ttl": 0, "cache_max_ttl": 0}}
    with (
        serving(Zone(), "127.83.0.1"),
        serving(Zone(ZONE), "127.83.0.2") as second,
        Daemon(system, RULES, within=(*SEEING, str(path)), workers=2) as daemon,
    ):
        assert "name servers 127.83.0.1:53" in daemon.log()
        assert code(daemon) == 550
        path.write_text("nameserver 127.83.0.2\n")
        until(lambda: "resolv.conf has changed: name servers 127.83.0.2:53" in daemon.log())
        until(lambda: {code(daemon) for _ in range(20)} == {0})
        path.write_text("")
        until(
            lambda: (
                "the name servers remain 127.83.0.2:53: /etc/resolv.conf names no usable name server" in daemon.log()
            )
        )
        heard = second.queries.count()
        assert code(daemon) == 0
        assert second.queries.count() > heard
        assert daemon.log().count("the name servers remain") == 1


def test_a_scoped_address(tmp_path: Path) -> None:
    """By UDP, and by TCP for what does not fit."""
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver fe80::53%lo\n")
    many = "".join(f"mail.good.example A 198.51.100.{n}\n" for n in range(150))
    zone = Zone(ZONE + many)
    with Network():
        subprocess.run(("ip", "addr", "add", "fe80::53/64", "dev", "lo", "nodad"), check=True)
        with (
            serving(zone, "fe80::53%lo") as server,
            Daemon({"dns": {"nameservers": []}}, RULES, within=(*SEEING, str(path))) as daemon,
        ):
            assert "name servers [fe80::53%lo]:53" in daemon.log()
            _, (decision,) = daemon.judge(client=GOOD)
        assert server.queries.transports["tcp"] > 0
    assert (decision["iprev"], decision["action"]) == ("pass", "accept")
