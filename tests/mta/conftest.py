"""Fixtures of the tests with a real MTA; they are skipped on a machine without one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.mta import sendmail
from tests.kit.mta.network_namespace import NetworkNamespace
from tests.kit.mta.postfix import installed
from tests.mta.attached import ZONE, Attached, AttachedSendmail, attached, attached_sendmail


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    """The name server."""
    if not installed():
        pytest.skip("Postfix is not installed (no /usr/sbin/postconf)")
    with NameServer(ZONE) as running:
        yield running


@pytest.fixture(scope="module")
def default(server: NameServer) -> Iterator[Attached]:
    """Postfix and a milter with the default rules, at a unix socket."""
    with attached(server) as running:
        yield running


@pytest.fixture(scope="module")
def network() -> Iterator[NetworkNamespace]:
    """Sendmail's network namespace, to which all sockets of the test module belong."""
    if not sendmail.installed():
        pytest.skip("no Sendmail is unpacked (sh tests/run.sh --all does it)")
    with NetworkNamespace() as inside:
        yield inside


@pytest.fixture(scope="module")
def names(network: NetworkNamespace) -> Iterator[NameServer]:
    """The name server in that network, for the milter and for Sendmail itself."""
    with NameServer(ZONE, port=53) as running:
        yield running


@pytest.fixture(scope="module")
def default_sendmail(names: NameServer) -> Iterator[AttachedSendmail]:
    """Sendmail and a milter with the default rules, at a unix socket."""
    with attached_sendmail(names) as running:
        yield running
