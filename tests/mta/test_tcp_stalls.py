"""Over TCP no message waits for a delayed ACK: with Postfix, with HAProxy in between, and with Sendmail.

The stalls are counted in a trace of the packets, not by the clock. Each session has messages with small and large headers, with and
without changes, and between them RSET, another HELO, and refused recipients.

RFC 896.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.endpoint import free_port, parse_endpoint, taken
from tests.kit.mta import sendmail
from tests.kit.mta.child import Child
from tests.kit.mta.fleet import HERE, program
from tests.kit.mta.network_namespace import NetworkNamespace
from tests.kit.mta.packet_trace import PacketTrace
from tests.kit.mta.postfix import Postfix, installed
from tests.kit.smtp.smtp_client import Headers, Smtp
from tests.mta.attached import (
    BAD_FROM,
    GOOD,
    GOOD_FROM,
    GOOD_HELO,
    HOST,
    POSTMASTER,
    USER,
    ZONE,
    attached,
    attached_sendmail,
)

ETHERNET, LOOPBACK = 1500, 65536
ROUNDS = 3
FORGED = ("Authentication-Results", f"{HOST}; spf=pass smtp.mailfrom=x")
HAPROXY = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
listen milter
    bind {here}:{port}
    server milter {here}:{behind}
"""


def headers(*lengths: int) -> Headers:
    """Return header fields with values of these lengths."""
    return [("From", GOOD_FROM), ("Subject", "test"), *((f"X-{at}", "x" * length) for at, length in enumerate(lengths))]


# In all about 0.1, 3, 5 (more than Postfix's buffer), 20, 20 and 30 KB.
HEADERS = (
    headers(), headers(*[300] * 10), headers(*[450] * 11), headers(*[200] * 100), headers(*[900] * 22), headers(*[300] * 100),
    [*headers(100), FORGED, FORGED, FORGED],
)  # fmt: skip
A_ROUND = len(HEADERS) + 1  # messages


def converse(smtp: Smtp, rounds: int) -> None:
    """Send all messages, this number of times."""
    for _ in range(rounds):
        for fields in HEADERS:
            assert smtp.message(GOOD_FROM, [USER, USER], fields).ok
            smtp.mail(GOOD_FROM)
            smtp.command("RSET")
            assert smtp.mail(GOOD_FROM).ok
            assert smtp.rcpt(USER).ok
            smtp.command("RSET")
        smtp.helo(GOOD_HELO)
        smtp.mail(BAD_FROM)
        smtp.helo(GOOD_HELO)
        assert smtp.message(GOOD_FROM, [USER, POSTMASTER], headers(10), b"a long text\r\n" * 10_000).ok
    smtp.command("QUIT")


def converse_with_postfix(address: tuple[str, int]) -> None:
    """Send all messages to Postfix."""
    with Smtp(address) as smtp:
        smtp.xclient(GOOD)
        smtp.helo(GOOD_HELO)
        converse(smtp, ROUNDS)


@contextlib.contextmanager
def haproxy(behind: int) -> Iterator[int]:
    """Run HAProxy in front of this port; yield its own port."""
    port = free_port()
    with Child("haproxy") as child:
        path = child.write("haproxy.cfg", HAPROXY.format(here=HERE, port=port, behind=behind))
        child.start([program("haproxy") or "haproxy", "-db", "-f", path], lambda: taken(HERE, port))
        yield port


def port_of(spec: str) -> int:
    """Return the port on which the milter listens."""
    port = parse_endpoint(spec)[1]
    assert isinstance(port, int)
    return port


def needs_postfix() -> None:
    """Skip the test if there is no Postfix."""
    if not installed():
        pytest.skip("Postfix is not installed (no /usr/sbin/postconf)")


def test_a_stall_is_seen() -> None:
    """The peer writes twice, and the first write gets no reply, as DATA if it were negotiated away."""
    with socket.create_server((HERE, 0)) as listener, PacketTrace(listener.getsockname()[1]) as trace:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(20):
                    assert connection.recv(2, socket.MSG_WAITALL)
                    connection.send(b"c")

        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(listener.getsockname()) as peer:
            for _ in range(20):
                peer.send(b"a")
                peer.send(b"b")
                assert peer.recv(1)
            thread.join()
    assert len(trace.stalls()) > 10


@pytest.mark.parametrize("mtu", [LOOPBACK, ETHERNET])
def test_postfix_never_waits(mtu: int) -> None:
    needs_postfix()
    with (
        NetworkNamespace(mtu),
        NameServer(ZONE) as server,
        attached(server, socket="inet") as running,
        PacketTrace(port_of(running.daemon.spec)) as trace,
    ):
        converse_with_postfix(running.postfix.address)
    assert len(trace.packets) > 10 * ROUNDS * A_ROUND
    assert trace.stalls() == []


def test_postfix_never_waits_with_haproxy_in_between() -> None:
    needs_postfix()
    if not program("haproxy"):
        pytest.skip("HAProxy is not installed")
    with (
        NetworkNamespace(ETHERNET),
        NameServer(ZONE) as server,
        attached(server, socket="inet") as running,
        haproxy(behind := port_of(running.daemon.spec)) as port,
        Postfix(f"inet:{HERE}:{port}", myhostname=HOST) as postfix,
        PacketTrace(port) as front,
        PacketTrace(behind) as back,
    ):
        converse_with_postfix(postfix.address)
    assert min(len(front.packets), len(back.packets)) > 10 * ROUNDS * A_ROUND
    assert front.stalls() == back.stalls() == []


def test_sendmail_waits_for_the_first_message_only() -> None:
    """Without quick ACKs each message has five stalls. On a busy machine the thread can be too late for one of them."""
    if not sendmail.installed():
        pytest.skip("no Sendmail is unpacked (sh tests/run.sh --all does it)")
    with (
        NetworkNamespace(ETHERNET),
        NameServer(ZONE, port=53) as server,
        attached_sendmail(server, socket="inet") as running,
    ):
        assert running.send(GOOD, GOOD_HELO, GOOD_FROM).accepted
        with PacketTrace(port_of(running.daemon.spec)) as trace, running.sendmail.connect_as(GOOD, 60) as smtp:
            smtp.helo(GOOD_HELO)
            converse(smtp, 1)
    assert len(trace.packets) > 10 * A_ROUND
    assert len(trace.stalls()) < A_ROUND / 2
