"""Smoke test of the tests' name server on its sockets: what it answers, how it truncates, what it counts, how it stops."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from dns.message import Message

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone

SECONDS = 10.0
ZONE = Zone("""
mail.example.com  A     192.0.2.1
192.0.2.1         PTR   mail.example.com
alias.example.com CNAME mail.example.com
slow.example.com  A     192.0.2.2
slow.example.com  DELAY 1
dead.example.com  SILENT
big.example.com   TXT!BIG-TXT 2000
port.example.com  A     192.0.2.3
port.example.com  WRONG-PORT
other.example.com A     192.0.2.3
other.example.com WRONG-ADDRESS
reset.example.com TRUNCATE-RESET
close.example.com TRUNCATE-CLOSE
hang.example.com  TRUNCATE-HANG
""")


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(ZONE) as running:
        yield running
        assert list(running.queries.faults) == []


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(SECONDS)
        yield udp


def query(name: str, rdtype: str = "A", payload: int | None = None) -> Message:
    return dns.message.make_query(name, rdtype, use_edns=payload is not None, payload=payload or 0)


def udp(server: NameServer, message: Message) -> Message:
    host, port = server.address
    return dns.query.udp(message, host, SECONDS, port)


def tcp(server: NameServer, message: Message) -> Message:
    host, port = server.address
    return dns.query.tcp(message, host, SECONDS, port)


def values(response: Message) -> list[str]:
    return [each.to_text() for one in response.answer for each in one]


def test_answers(server: NameServer) -> None:
    for ask in (udp, tcp):
        response = ask(server, query("Alias.EXAMPLE.com"))
        assert dns.flags.to_text(response.flags) == "QR RD RA"
        assert values(response) == ["mail.EXAMPLE.com.", "192.0.2.1"]
        assert response.question[0].name.to_text() == "Alias.EXAMPLE.com."
        assert values(ask(server, query("1.2.0.192.in-addr.arpa", "PTR"))) == ["mail.example.com."]
        for name, code in (("no.example.com", dns.rcode.NXDOMAIN), ("example.com", dns.rcode.NOERROR)):
            response = ask(server, query(name))
            assert (response.rcode(), response.answer, len(response.authority)) == (code, [], 1)


@pytest.mark.parametrize(("payload", "whole"), [(None, False), (1232, False), (4096, True)])
def test_what_is_too_large_for_udp_is_truncated(server: NameServer, payload: int | None, whole: bool) -> None:
    question = query("big.example.com", "TXT", payload)
    response = udp(server, question)
    assert (not response.flags & dns.flags.TC, bool(response.answer)) == (whole, whole)
    assert len(b"".join(tcp(server, question).answer[0][0].strings)) == 2000


def test_questions_are_counted(server: NameServer, client: socket.socket) -> None:
    udp(server, query("MAIL.example.com"))
    tcp(server, query("mail.example.com"))
    udp(server, query("1.2.0.192.in-addr.arpa", "PTR"))
    for _ in range(5):
        client.sendto(query("slow.example.com").to_wire(), server.address)
    client.sendto(query("dead.example.com").to_wire(), server.address)
    assert server.queries.wait(1, "dead.example.com")
    for _ in range(5):
        client.recv(512)
    queries = server.queries
    assert (queries.count("mail.example.com", "A"), queries.count("192.0.2.1", "PTR")) == (2, 1)
    assert queries.transports == {"udp": 8, "tcp": 1}
    assert (queries.outstanding_max, queries.unanswered) == (5, 1)
    queries.reset()
    assert (len(queries), queries.count()) == (0, 0)


def test_what_is_not_a_query_is_dropped(server: NameServer, client: socket.socket) -> None:
    good = query("mail.example.com").to_wire()
    malformed = (
        b"",
        good[:12],
        good[:-1],
        good + b"x",
        good[:12] + b"\xc0\x0c" + good[-4:],
        b"\xff" * 100,
        bytes(5000),
    )
    for wire in (*malformed, good):
        client.sendto(wire, server.address)
    assert client.recv(512)[:2] == good[:2]
    assert (server.queries.malformed, len(server.queries)) == (len(malformed), 1)


def test_answers_from_elsewhere(server: NameServer, client: socket.socket) -> None:
    host, port = server.address
    sources = {}
    for name in ("port", "other"):
        client.sendto(query(f"{name}.example.com").to_wire(), server.address)
        wire, sources[name] = client.recvfrom(512)
        assert values(dns.message.from_wire(wire)) == ["192.0.2.3"]
    assert sources["port"][0] == host
    assert sources["port"][1] != port
    assert sources["other"][0] != host


@pytest.mark.parametrize(("name", "error"), [("reset", ConnectionResetError), ("close", None), ("hang", TimeoutError)])
def test_tcp_connections_that_end_badly(server: NameServer, name: str, error: type[OSError] | None) -> None:
    wire = query(f"{name}.example.com").to_wire()
    with socket.create_connection(server.address, SECONDS) as connection:
        connection.sendall(len(wire).to_bytes(2, "big") + wire)
        if error is TimeoutError:
            connection.settimeout(0.3)
        with pytest.raises(error) if error else contextlib.nullcontext():
            assert connection.recv(1) == b""


def test_a_paused_server_counts_and_is_silent(server: NameServer, client: socket.socket) -> None:
    unanswered, answered = query("mail.example.com"), query("mail.example.com")
    server.pause()
    client.sendto(unanswered.to_wire(), server.address)
    assert server.queries.wait(1)
    server.resume()
    client.sendto(answered.to_wire(), server.address)
    assert dns.message.from_wire(client.recv(512)).id == answered.id
    assert server.queries.count("mail.example.com") == 2


def test_a_stopped_server_starts_again_at_the_same_port(client: socket.socket) -> None:
    server = NameServer(ZONE).start()
    address = server.address
    server.stop()
    client.connect(address)
    client.send(query("mail.example.com").to_wire())
    with pytest.raises(ConnectionRefusedError):
        client.recv(512)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, SECONDS)
    with server:
        assert server.address == address
        assert values(udp(server, query("mail.example.com"))) == ["192.0.2.1"]
        server.zone = server.zone.plus("mail.example.com A 192.0.2.8")
        assert values(udp(server, query("mail.example.com"))) == ["192.0.2.1", "192.0.2.8"]
