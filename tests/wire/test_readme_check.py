"""The output that the documentation shows of `rdns-milter check` is real: it comes from the demo's name server."""

from __future__ import annotations

import re
import shlex

from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import command

ZONE = documents.ROOT / "packaging" / "demo" / "zone.txt"


def settled(output: str) -> list[str]:
    """Return the lines without what differs from run to run: times, which check asked first, and the order of the answers."""
    return sorted(" ".join(re.sub(r"\b(\d+ ms|cached)\b", "T", line).split()) for line in output.split("\n"))


def test_check_self() -> None:
    first, _, shown = documents.blocks("self")[0].partition("\n")
    with NameServer(Zone.from_file(ZONE)) as server:
        done = command(*shlex.split(first)[2:], "--dns", server.hostport)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.decode() == shown


def test_check() -> None:
    first, _, shown = documents.blocks("check")[0].partition("\n")
    with NameServer(Zone.from_file(ZONE)) as server:
        done = command(*shlex.split(first)[2:], "--dns", server.hostport)
    assert (done.returncode, done.stderr) == (1, b"")
    assert settled(done.stdout.decode()) == settled(shown)
