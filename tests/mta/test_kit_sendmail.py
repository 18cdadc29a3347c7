"""The tests' own MTA side of the milter protocol beside a real Sendmail: it edits messages the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.probe import Probe
from tests.kit.milter.process_group import ends_with_its_parent
from tests.kit.milter.transaction import RECEIVED, deliver
from tests.kit.mta.network_namespace import NetworkNamespace
from tests.kit.mta.sendmail import Sendmail
from tests.kit.smtp.smtp_client import send
from tests.mta.attached import GOOD, HOST
from tests.mta.test_kit_postfix import FIELDS

CLONE = Path(__file__).resolve().parents[2]
WISHES = [
    *(["insert 0 Top t"], ["insert 1 Top t"], ["insert 99 Top t"], ["add Low l"]),
    *(["change 1 X-A", "change 2 X-A"], ["change 2 X-A", "change 1 X-A"], ["change 0 X-A new"], ["change 9 X-A"]),
    *(["change 1 Received"], ["change 1 Received other"], ["insert 1 Top t", "insert 0 Top u"]),
    *(["change 3 X-A", "change 2 X-A", "change 1 X-A"], ["change 1 X-A", "insert 0 X-A 0"], ["insert 0 Received 0"]),
]


@pytest.fixture(scope="module")
def probe(network: NetworkNamespace) -> Iterator[Probe]:
    with Probe() as running:
        yield running


@pytest.fixture(scope="module")
def probed(names: NameServer, probe: Probe) -> Iterator[Sendmail]:
    with Sendmail(probe.socket, host=HOST) as running:
        yield running


@pytest.mark.parametrize("wishes", WISHES, ids="; ".join)
def test_the_kit_applies_changes_as_sendmail_does(probed: Sendmail, probe: Probe, wishes: list[str]) -> None:
    headers = [*FIELDS, *(("X-Do", wish) for wish in wishes)]
    real = probed.headers(send(probed.address, GOOD, connect_as=probed.connect_as, headers=headers).queue_id)
    own = next(at for at, (name, value) in enumerate(real) if f"by {HOST} (8." in value)
    real[own] = RECEIVED
    assert list(deliver(probe.socket, headers=headers, mta="sendmail").headers) == real


def test_it_ends_with_the_process_that_started_it(network: NetworkNamespace) -> None:
    assert ends_with_its_parent(
        "from tests.kit.mta.sendmail import Sendmail\nwith Sendmail() as s:", "s.leader.pid, s.base"
    )
