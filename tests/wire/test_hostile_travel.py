"""Behaviours of tests.kit.dns.hostile.behaviours in how answers travel, shown on the wire with plain sockets; and that all are
shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import dns.flags
import dns.message
import pytest

from tests.kit.dns.hostile import behaviours
from tests.kit.dns.hostile.questioner import RIGHT, Make, hostile_maker, read_all, read_frame, texts
from tests.kit.dns.nameserver import NameServer
from tests.wire.test_hostile_answers import SHOWN as SHOWN_BY_ANSWERS

SHOWN: set[str] = set()

Test = TypeVar("Test", bound=Callable[..., None])


def shows(*words: str) -> Callable[[Test], Test]:
    """Marks a test as the one that shows these words."""
    SHOWN.update(words)
    return lambda test: test


@pytest.fixture(scope="module")
def running() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def hostile_with(running: NameServer) -> Iterator[Make]:
    with hostile_maker(running) as make:
        yield make


# TCP


@shows("truncate")
def test_truncate(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE")
    x.truncated()
    assert texts(x.tcp()) == RIGHT


@shows("truncate-reset")
def test_truncate_reset(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-RESET")
    x.truncated()
    with x.connection() as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


@shows("truncate-close")
def test_truncate_close(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-CLOSE")
    x.truncated()
    with x.connection() as connection:
        assert read_all(connection) == b""


@shows("truncate-hang")
def test_truncate_hang(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-HANG")
    x.truncated()
    with x.connection() as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@shows("truncate-again")
def test_truncate_again(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-AGAIN")
    x.truncated()
    response = x.tcp()
    assert (bool(response.flags & dns.flags.TC), response.answer) == (True, [])


@shows("truncate-trickle")
def test_truncate_trickle(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-TRICKLE 100")
    x.truncated()
    with x.connection() as connection:
        assert len(connection.recv(65535)) < 40
    assert texts(hostile_with("TRUNCATE-TRICKLE 2").tcp()) == RIGHT


@shows("truncate-half", "truncate-too-long", "truncate-zero")
def test_lengths_that_are_wrong(hostile_with: Make) -> None:
    right = hostile_with("TTL 300").wire()
    x = hostile_with("TRUNCATE-HALF")
    x.truncated()
    with x.connection() as connection:
        data = read_all(connection)
    assert data[:2] == len(right).to_bytes(2, "big")
    assert data[4:] == right[2 : len(right) // 2]
    x = hostile_with("TRUNCATE-TOO-LONG")
    x.truncated()
    with x.connection() as connection, connection.makefile("rb") as stream:
        data = stream.read(2 + len(right))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert (data[:2], data[4:]) == (b"\xff\xff", right[2:])
    x = hostile_with("TRUNCATE-ZERO")
    x.truncated()
    with x.connection() as connection:
        assert read_all(connection) == b"\0\0"


@shows("truncate-endless")
def test_truncate_endless(hostile_with: Make) -> None:
    x = hostile_with("TRUNCATE-ENDLESS")
    x.truncated()
    with x.connection() as connection:
        for _ in range(20):
            frame = read_frame(connection)
            assert frame[:2] != x.query.to_wire()[:2]
            assert texts(dns.message.from_wire(frame)) == RIGHT


# travel


@shows("wrong-port", "wrong-address")
def test_datagrams_from_elsewhere(hostile_with: Make) -> None:
    x = hostile_with("WRONG-PORT")
    [(wire, port)] = x.now()
    assert (port != x.server.port, texts(dns.message.from_wire(wire))) == (True, RIGHT)
    assert texts(x.tcp()) == RIGHT
    x = hostile_with("WRONG-ADDRESS")
    x.send()
    wire, peer = x.client.recvfrom(512)
    assert (peer[0], texts(dns.message.from_wire(wire))) == ("127.0.0.2", RIGHT)


@shows("spoof-then-right", "guess-then-right")
@pytest.mark.parametrize("behaviour", ["SPOOF-THEN-RIGHT", "GUESS-THEN-RIGHT"])
def test_a_forged_answer_before_the_right_one(hostile_with: Make, behaviour: str) -> None:
    x = hostile_with(behaviour)
    query = x.send()
    (first, peer), (second, right_peer) = (x.client.recvfrom(512) for _ in range(2))
    assert texts(dns.message.from_wire(first)) == ["203.0.113.66"]
    assert texts(dns.message.from_wire(second)) == RIGHT
    assert (right_peer[1], second[:2]) == (x.server.port, query.to_wire()[:2])
    same_id, same_port = first[:2] == second[:2], peer == right_peer
    assert (same_id, same_port) == ((True, False) if behaviour == "SPOOF-THEN-RIGHT" else (False, True))


@shows("duplicate")
def test_duplicate(hostile_with: Make) -> None:
    x = hostile_with("DUPLICATE 4")
    wires = [wire for wire, _ in x.now()]
    assert (len(wires), len(set(wires))) == (4, 1)


@shows("flap", "lost")
def test_the_first_queries_fail(hostile_with: Make) -> None:
    x = hostile_with("FLAP 2")
    assert [x.udp().rcode() for _ in range(4)] == [2, 2, 0, 0]
    assert x.udp(rdtype="MX").rcode() == 2
    x = hostile_with("LOST 2")
    assert [len(x.now()) for _ in range(4)] == [0, 0, 1, 1]


@shows("silent", "udp-drop")
def test_silence(hostile_with: Make) -> None:
    x = hostile_with("SILENT")
    assert x.now() == x.now(rdtype="MX") == []
    with x.connection() as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert x.server.queries.unanswered == 3
    x = hostile_with("UDP-DROP")
    assert x.now() == []
    assert texts(x.tcp()) == RIGHT


@shows("delay")
def test_delay(hostile_with: Make) -> None:
    x = hostile_with("DELAY 0.5")
    assert x.now() == []
    assert texts(dns.message.from_wire(x.client.recv(512))) == RIGHT
    assert texts(x.tcp()) == RIGHT


def test_a_behaviour_of_one_type_leaves_the_others(hostile_with: Make) -> None:
    x = hostile_with("PTR!SILENT")
    assert x.now(rdtype="PTR") == []
    assert texts(x.udp(rdtype="TXT")) == ['"text"']


def test_several_behaviours_hold_together(hostile_with: Make) -> None:
    x = hostile_with("DELAY 0.1\nx.example WRONG-ID\nx.example DUPLICATE 2\nx.example SERVFAIL")
    query = x.send()
    wires = [x.client.recv(512) for _ in range(2)]
    assert [dns.message.from_wire(wire).rcode() for wire in wires] == [2, 2]
    assert query.id not in [dns.message.from_wire(wire).id for wire in wires]


@pytest.mark.parametrize("word", behaviours.BEHAVIOURS)
@pytest.mark.parametrize("rdtype", ["A", "AAAA", "PTR", "MX", "TXT", "CAA", "ANY"])
def test_no_behaviour_fails_for_any_type(hostile_with: Make, word: str, rdtype: str) -> None:
    row = behaviours.BEHAVIOURS[word]
    needed = {"delay": " 0.01", "rcode": " 11", "target": " t.example", "target-bytes": " ff"}.get(word, "")
    assert bool(needed) == (row.read is not None and row.default is None)
    x = hostile_with(word + needed)
    x.now(rdtype=rdtype)
    assert x.server.queries.count("x.example", rdtype) == 1
    assert list(x.server.queries.faults) == []


def test_every_behaviour_is_shown() -> None:
    assert set(behaviours.BEHAVIOURS) == SHOWN | SHOWN_BY_ANSWERS
