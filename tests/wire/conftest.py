"""What most tests here share: the name server with the world of tests.kit.data.scenario. A file with a world of its own has a
`server`
of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.data.scenario import ZONE
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    with NameServer(Zone(ZONE)) as running:
        yield running
