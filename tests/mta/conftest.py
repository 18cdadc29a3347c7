"""Fixtures of the tests with a real MTA; without one on the machine they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.nameserver import NameServer
from tests.kit.postfix import installed
from tests.mta.attached import ZONE, Attached, attached


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    """DNS."""
    if not installed():
        pytest.skip("Postfix is not installed (no /usr/sbin/postconf)")
    with NameServer(ZONE) as running:
        yield running


@pytest.fixture(scope="module")
def default(server: NameServer) -> Iterator[Attached]:
    """The default rules, at a unix socket."""
    with attached(server) as running:
        yield running
