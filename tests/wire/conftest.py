"""The fixture that most tests of this folder share: a name server with the zone of tests.kit.data.scenario. A file with a zone of
its own defines its own `server`."""

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
