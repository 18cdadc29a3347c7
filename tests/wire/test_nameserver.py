"""tests.kit.dns.nameserver on its sockets: what it answers, how it truncates, what it counts, how it stops."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.update
import pytest
from dns.message import Message

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone

SECONDS = 10.0
ROOT = Path(__file__).parents[2]
TEXT = """
mail.example.com A 192.0.2.1
192.0.2.1        PTR mail.example.com
alias.example.com CNAME mail.example.com
slow.example.com A 192.0.2.2
slow.example.com DELAY 1
dead.example.com SILENT
big.example.com  TXT!BIG-TXT 2000
"""


@pytest.fixture(scope="module")
def running() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def server(running: NameServer) -> NameServer:
    running.zone = Zone(TEXT)
    running.queries.reset()
    return running


def query(name: str, rdtype: str = "A", payload: int | None = None) -> Message:
    return dns.message.make_query(name, rdtype, use_edns=payload is not None, payload=payload or 0)


def udp(server: NameServer, message: Message) -> Message:
    host, port = server.address
    return dns.query.udp(message, host, SECONDS, port)


def tcp(server: NameServer, message: Message) -> Message:
    host, port = server.address
    return dns.query.tcp(message, host, SECONDS, port)


def ask(server: NameServer, name: str, rdtype: str = "A") -> list[str]:
    return texts(udp(server, query(name, rdtype)))


def texts(response: Message) -> list[str]:
    return [each.to_text() for one in response.answer for each in one]


def test_it_is_bound_before_it_is_announced() -> None:
    with NameServer(Zone(TEXT)) as server:
        assert server.port > 0
        assert server.hostport == f"127.0.0.1:{server.port}"
        assert ask(server, "mail.example.com") == ["192.0.2.1"]
        assert texts(tcp(server, query("mail.example.com"))) == ["192.0.2.1"]


def test_the_flags_are_those_of_a_recursive_resolver(server: NameServer) -> None:
    response = udp(server, query("mail.example.com"))
    assert dns.flags.to_text(response.flags) == "QR RD RA"


def test_aliases_and_negative_answers(server: NameServer) -> None:
    assert ask(server, "alias.example.com") == ["mail.example.com.", "192.0.2.1"]
    for name, rcode in (("no.example.com", dns.rcode.NXDOMAIN), ("example.com", dns.rcode.NOERROR)):
        response = udp(server, query(name))
        assert (response.rcode(), response.answer, len(response.authority)) == (rcode, [], 1)


def test_each_query_gets_its_own_id_and_letter_case(server: NameServer) -> None:
    chance = random.Random(1)
    for _ in range(50):
        name = "".join(chance.choice((each.lower(), each.upper())) for each in "mail.example.com.")
        question = query(name)
        response = udp(server, question)
        assert response.id == question.id
        assert response.question[0].name.to_text() == name
        assert response.answer[0].name.to_text() == name
    assert server.queries.counter == {("mail.example.com", "A"): 50}


def test_answers_follow_the_flags_and_the_edns_of_each_query(server: NameServer) -> None:
    plain, edns = query("mail.example.com"), query("mail.example.com", payload=1400)
    quiet = query("mail.example.com")
    quiet.flags &= ~dns.flags.RD
    for _ in range(2):
        assert udp(server, plain).edns == -1
        assert udp(server, edns).edns == 0
        assert not udp(server, quiet).flags & dns.flags.RD


@pytest.mark.parametrize(("payload", "whole"), [(None, False), (512, False), (1232, False), (4096, True)])
def test_what_is_too_big_for_udp_is_truncated(server: NameServer, payload: int | None, whole: bool) -> None:
    question = query("big.example.com", "TXT", payload)
    response = udp(server, question)
    assert (not response.flags & dns.flags.TC, bool(response.answer)) == (whole, whole)
    full = tcp(server, question)
    assert not full.flags & dns.flags.TC
    assert len(b"".join(full.answer[0][0].strings)) == 2000


def test_what_is_too_big_for_any_message_is_truncated_over_tcp_too(server: NameServer) -> None:
    server.zone = Zone("many.example.com A!HUGE 5000")
    response = tcp(server, query("many.example.com"))
    assert response.flags & dns.flags.TC
    assert not response.answer


def test_one_tcp_connection_takes_many_queries_pipelined(server: NameServer) -> None:
    questions = [query("mail.example.com"), query("192.0.2.1.", "A"), query("alias.example.com")]
    with socket.create_connection(server.address, SECONDS) as connection:
        wires = [each.to_wire() for each in questions]
        connection.sendall(b"".join(len(wire).to_bytes(2, "big") + wire for wire in wires))
        with connection.makefile("rb") as stream:
            read = [dns.message.from_wire(stream.read(int.from_bytes(stream.read(2), "big"))) for _ in wires]
    assert [each.id for each in read] == [each.id for each in questions]


def test_what_is_asked_is_counted(server: NameServer) -> None:
    ask(server, "mail.example.com")
    ask(server, "MAIL.example.com")
    ask(server, "1.2.0.192.in-addr.arpa", "PTR")
    tcp(server, query("mail.example.com", "MX"))
    queries = server.queries
    mail = "mail.example.com"
    assert list(queries) == [(mail, "A"), (mail, "A"), ("1.2.0.192.in-addr.arpa", "PTR"), (mail, "MX")]
    assert (len(queries), queries.count(mail), queries.count(mail, "A"), queries.count(None, "PTR")) == (4, 3, 2, 1)
    assert (queries.count("192.0.2.1", "PTR"), queries.count("192.0.2.1", "A")) == (1, 0)
    assert queries.transports == {"udp": 3, "tcp": 1}
    queries.reset()
    assert (len(queries), list(queries), queries.count()) == (0, [], 0)


def test_late_and_missing_answers_are_counted(server: NameServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        for _ in range(5):
            client.sendto(query("slow.example.com").to_wire(), server.address)
        client.sendto(query("dead.example.com").to_wire(), server.address)
        assert server.queries.wait(1, "dead.example.com")
        for _ in range(5):
            client.recv(512)
    assert (server.queries.outstanding_max, server.queries.unanswered) == (5, 1)
    assert not server.queries.wait(2, "dead.example.com", within=0.01)


def malformed() -> list[bytes]:
    good = query("mail.example.com").to_wire()
    two = bytearray(good)
    two[5] = 2
    chaos = dns.message.make_query("mail.example.com", "A", rdclass=dns.rdataclass.CH).to_wire()
    update = dns.update.UpdateMessage("example.com").to_wire()
    response = dns.message.make_response(query("mail.example.com")).to_wire()
    loop = good[:12] + b"\xc0\x0c" + good[-4:]
    return [
        b"", b"\0", good[:12], good[:-1], good[:-4], good + b"x", bytes(two), chaos, update, response, loop,
        b"\xff" * 100, bytes(100), good[:12] + b"\x80a\0" + good[-4:], good + bytes(5000),
    ]  # fmt: skip


def test_what_is_no_query_is_dropped(server: NameServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        for wire in malformed():
            client.sendto(wire, server.address)
        last = query("mail.example.com")
        client.sendto(last.to_wire(), server.address)
        assert dns.message.from_wire(client.recv(512)).id == last.id
    assert (server.queries.malformed, len(server.queries)) == (len(malformed()), 1)
    assert list(server.queries.faults) == []


def test_random_octets_do_it_no_harm(server: NameServer) -> None:
    chance = random.Random(2)
    good = query("mail.example.com", payload=1232).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(500):
            client.sendto(chance.randbytes(chance.randrange(200)), server.address)
            mutated = bytearray(good)
            for _ in range(3):
                mutated[chance.randrange(2, len(good))] = chance.randrange(256)
            client.sendto(mutated, server.address)
    for _ in range(20):
        with socket.create_connection(server.address, SECONDS) as connection:
            connection.sendall(chance.randbytes(chance.randrange(1, 200)))
    assert ask(server, "mail.example.com") == ["192.0.2.1"]
    assert list(server.queries.faults) == []


def test_a_tcp_message_that_is_too_long_for_a_query_ends_the_connection(server: NameServer) -> None:
    with socket.create_connection(server.address, SECONDS) as connection:
        connection.sendall(b"\xff\xff")
        assert connection.recv(1) == b""


def test_the_zone_can_be_replaced_while_it_runs(server: NameServer) -> None:
    assert ask(server, "mail.example.com") == ["192.0.2.1"]
    server.zone = Zone("mail.example.com A 192.0.2.7")
    assert ask(server, "mail.example.com") == ["192.0.2.7"]
    server.zone = server.zone.plus("mail.example.com A 192.0.2.8")
    assert ask(server, "mail.example.com") == ["192.0.2.7", "192.0.2.8"]


def test_paused_it_hears_and_counts_but_says_nothing(server: NameServer) -> None:
    server.zone = Zone(TEXT, "late.example.com DELAY 0.5")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        unheard, heard = query("mail.example.com"), query("mail.example.com")
        client.sendto(query("late.example.com").to_wire(), server.address)
        assert server.queries.wait(1)
        server.pause()
        client.sendto(unheard.to_wire(), server.address)
        assert server.queries.wait(2)
        with contextlib.suppress(TimeoutError):
            client.settimeout(1)
            pytest.fail(f"heard {client.recv(512)!r}")
        with socket.create_connection(server.address, 0.3) as connection:
            connection.sendall(len(unheard.to_wire()).to_bytes(2, "big") + unheard.to_wire())
            with pytest.raises(TimeoutError):
                connection.recv(1)
        server.resume()
        client.settimeout(SECONDS)
        client.sendto(heard.to_wire(), server.address)
        assert dns.message.from_wire(client.recv(512)).id == heard.id
    assert server.queries.count("mail.example.com") == 3


def test_stopped_its_port_is_closed_and_started_it_is_the_same() -> None:
    server = NameServer(Zone(TEXT)).start()
    address = server.address
    with socket.create_connection(address, SECONDS) as idle:
        server.stop()
        server.stop()
        with contextlib.suppress(ConnectionResetError):
            assert idle.recv(1) == b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(SECONDS)
        client.connect(address)
        client.send(query("mail.example.com").to_wire())
        with pytest.raises(ConnectionRefusedError):
            client.recv(512)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, SECONDS)
    with server:
        assert server.address == address
        assert ask(server, "mail.example.com") == ["192.0.2.1"]


def test_without_tcp_connections_are_refused() -> None:
    with NameServer(Zone(TEXT), tcp=False) as server:
        assert udp(server, query("big.example.com", "TXT")).flags & dns.flags.TC
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, SECONDS)


def test_a_taken_port_is_an_error(server: NameServer) -> None:
    with pytest.raises(OSError, match="in use"):
        NameServer(port=server.port).start()


def test_ipv6_where_there_is_any() -> None:
    try:
        server = NameServer(Zone(TEXT), host="::1").start()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    with contextlib.ExitStack() as undo:
        undo.callback(server.stop)
        assert server.hostport == f"[::1]:{server.port}"
        assert ask(server, "mail.example.com") == ["192.0.2.1"]


def test_a_burst_is_answered_to_the_last_query(server: NameServer) -> None:
    clients, each = 8, 500
    lost: list[int] = []

    def client() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.settimeout(SECONDS)
            own.connect(server.address)
            missing = set(range(each))
            for i in range(each):
                own.send(i.to_bytes(2, "big") + query("mail.example.com").to_wire()[2:])
                if i >= 20:
                    missing.discard(int.from_bytes(own.recv(512)[:2], "big"))
            for _ in range(20):
                missing.discard(int.from_bytes(own.recv(512)[:2], "big"))
            lost.append(len(missing))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == [0] * clients
    assert server.queries.count("mail.example.com", "A") == clients * each


def program(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.kit.dns.nameserver", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_as_a_program_it_says_where_it_listens_and_ends_on_term(tmp_path: Path) -> None:
    one, two = tmp_path / "one.zone", tmp_path / "two.zone"
    one.write_text(TEXT)
    two.write_text("more.example.com A 192.0.2.3")
    with program("--zone", str(one), "--zone", str(two), "--listen", "127.0.0.1:0") as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line.startswith("listening on 127.0.0.1:")
            port = int(line.rpartition(":")[2])
            for name, address in (("mail.example.com", "192.0.2.1"), ("more.example.com", "192.0.2.3")):
                assert texts(dns.query.udp(query(name), "127.0.0.1", SECONDS, port)) == [address]
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(SECONDS) == 0
            assert process.stdout.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize(("text", "told"), [("x SLIENT", "line 1"), (None, "No such file")])
def test_as_a_program_it_says_what_it_cannot_read(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "bad.zone"
    if text is not None:
        path.write_text(text)
    with program("--zone", str(path)) as process:
        output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (2, "")
    assert told in errors
