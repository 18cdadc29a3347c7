"""Name servers as the parent sees them: what is logged when workers report on them, each change once."""

from __future__ import annotations

import pytest

from rdns_milter.daemon.nameserver_reports import NameServers
from rdns_milter.net.endpoints import Endpoint

ONE, TWO = Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 53)


class Log:
    """The lines that were logged, with their levels."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, line: str, level: str) -> None:
        self.lines.append((line, level))


@pytest.fixture
def log() -> Log:
    return Log()


def test_one_of_two_is_down(log: Log) -> None:
    """Two workers find out; the log says it once, and that it is back when no worker misses it any more."""
    names = NameServers((ONE, TWO), log)
    assert names.report(7, "timeout", str(ONE))
    assert not names.report(8, "timeout", str(ONE))
    assert names.down() == {str(ONE)}
    assert not names.report(7, "ok", str(ONE))
    assert names.report(8, "ok", str(ONE))
    assert names.down() == set()
    assert log.lines == [
        (f"name server {ONE} does not answer: until it does, the others are asked instead", "err"),
        (f"name server {ONE} answers again", "notice"),
    ]


@pytest.mark.parametrize(
    ("status", "fault"),
    [("timeout", "does not answer"), ("referral", "answers with referrals"), ("lame", "answers with empty messages")],
)
def test_none_is_left(log: Log, status: str, fault: str) -> None:
    names = NameServers((ONE,), log)
    names.report(7, status, str(ONE))
    ((line, level),) = log.lines
    assert line.startswith(f"name server {ONE} {fault}: ")
    assert line.endswith(
        "clients are judged without DNS (temperror, resolver-down), and no client is refused because of that"
    )
    assert level == "err"


def test_a_server_that_is_not_in_use_does_not_count(log: Log) -> None:
    names = NameServers((ONE,), log)
    assert not names.report(7, "timeout", str(TWO))
    assert (names.down(), log.lines) == (set(), [])


def test_other_servers_are_up_until_reported(log: Log) -> None:
    names = NameServers((ONE, TWO), log)
    names.report(7, "timeout", str(ONE))
    names.use((TWO,))
    assert (names.down(), str(names)) == (set(), str(TWO))


def test_the_reports_of_a_worker_end_with_it(log: Log) -> None:
    names = NameServers((ONE, TWO), log)
    names.report(7, "timeout", str(ONE))
    names.forget(7)
    names.forget(8)
    assert names.down() == set()
