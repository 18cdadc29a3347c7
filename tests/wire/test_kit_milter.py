"""Smoke test of the tests' MTA side of the milter protocol: with a milter on libmilter, and with replies that are malformed.

What a real Postfix and a real Sendmail do in its place: tests/mta/test_kit_postfix.py, tests/mta/test_kit_sendmail.py.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.kit.milter.endpoint import Endpoint, milter_style, parse_endpoint, postfix_style
from tests.kit.milter.packets import packet, parse_change, parse_negotiation, parse_reply
from tests.kit.milter.probe import Probe
from tests.kit.milter.transaction import (
    RECEIVED,
    Change,
    Conversation,
    MilterClosed,
    ProtocolError,
    Reply,
    burst,
    deliver,
)
from tests.kit.smtp.client_identity import Client


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with Probe("unix") as running:
        yield running


def test_a_recipient_is_refused_and_the_others_go_on(probe: Probe) -> None:
    outcome = deliver(probe.socket, rcpts=["reject@r.example", "reply@r.example", "tempfail@r.example", "b@r.example"])
    assert [reply.line for reply in outcome.rcpts] == [
        *("reject", "550 5.7.25 first line\nsecond line", "tempfail", "continue")
    ]
    assert [reply.rejects for reply in outcome.rcpts] == [True, True, False, False]
    assert [reply.defers for reply in outcome.rcpts] == [False, False, True, False]
    assert (outcome.accepted, outcome.verdict) == (True, Reply("accept"))
    assert outcome.seconds() >= outcome.seconds("rcpt") > 0
    refused = deliver(probe.socket, rcpts=["reply@r.example"])
    assert (refused.accepted, refused.verdict.code, refused.reply("data")) == (False, 550, Reply("unsent"))


def test_changes_of_the_message(probe: Probe) -> None:
    wishes = ("insert 0 X-B b", "change 2 X-A new", "quarantine not sure", "body other")
    headers = [("Subject", "s"), ("X-A", "1"), ("X-A", "2"), *(("X-Do", wish) for wish in wishes)]
    outcome = deliver(probe.socket, headers=headers)
    left = [field for field in outcome.headers if field[0] != "X-Do"]
    assert left == [("X-B", "b"), RECEIVED, ("Subject", "s"), ("X-A", "1"), ("X-A", "new")]
    assert outcome.quarantined == "not sure"
    assert outcome.message is not None
    assert outcome.message.body == b"other"


def test_what_the_milter_receives(probe: Probe) -> None:
    before = len(probe.events())
    client = Client("2001:db8::7", name="mx.s.example", port=2525, login="joe")
    deliver(probe.socket, client=client, helo="mx.s.example", mailfrom="<>", mail_args=["SIZE=9"], macros={"i": "QID7"})
    events = {event["event"]: event for event in probe.events()[before:]}
    assert events["connect"]["hostname"] == "mx.s.example"
    assert events["connect"]["hostaddr"][:2] == ["2001:db8::7", 2525]
    assert events["helo"]["name"] == "mx.s.example"
    assert (events["mail"]["sender"], events["mail"]["arguments"]) == ("<>", ["SIZE=9"])
    assert events["mail"]["macros"]["{auth_authen}"] == "joe"
    assert [name for name, event in events.items() if "i" in event.get("macros", ())] == ["data", "eoh", "end"]


def test_negotiated_steps_and_macros() -> None:
    with Probe("inet", "noreply", "nodata", "leading-space", "symlist") as probe:
        client = Client("192.0.2.7", reverse_name="ptr.s.example")
        outcome = deliver(probe.socket, client=client, headers=[("Subject", "s"), ("X-Do", "add X-B b")])
        assert (outcome.reply("header"), outcome.reply("data")) == (Reply("noreply"), Reply("unsent"))
        assert outcome.headers[-1] == ("X-B", "b")
        (connect,) = probe.events("connect")
        assert connect["macros"] == {"{client_addr}": "192.0.2.7", "{client_ptr}": "ptr.s.example"}
        assert probe.events("header")[0] == {"event": "header", "name": "Subject", "value": " s"}


def test_two_sessions_on_one_connection(probe: Probe) -> None:
    before = len(probe.events())
    with Conversation(probe.socket) as talk:
        for address in ("192.0.2.1", "192.0.2.2"):
            assert talk.connect(f"[{address}]", address).goes_on
            assert talk.mail("a@s.example").goes_on
            assert talk.rcpt("b@r.example").goes_on
            assert talk.data(macros={"i": address}).goes_on
            talk.abort()
            talk.quit_nc()
    events = probe.events()[before:]
    assert [event["hostaddr"][0] for event in events if event["event"] == "connect"] == ["192.0.2.1", "192.0.2.2"]
    assert [event["macros"]["i"] for event in events if event["event"] == "data"] == ["192.0.2.1", "192.0.2.2"]


def test_the_body_is_sent_in_chunks_until_the_milter_skips_it(probe: Probe) -> None:
    for headers, sizes in (([], [65535, 65535, 10]), ([("X-Skip", "yes")], [65535])):
        before = len(probe.events())
        assert deliver(probe.socket, headers=headers, body=b"x" * (2 * 65535 + 10)).accepted
        assert [event["size"] for event in probe.events()[before:] if event["event"] == "body"] == sizes


def test_a_burst_keeps_order_and_raises_errors(probe: Probe) -> None:
    outcomes = burst([lambda n=n: deliver(probe.socket, mailfrom=f"a{n}@s.example") for n in range(20)])  # type: ignore[misc]
    assert [outcome.steps[2].argument for outcome in outcomes] == [f"a{n}@s.example" for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        burst([lambda: 1, lambda: 1 // 0])


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, int]]:
    """A milter that sends the same bytes to one client and then waits."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as connections:

        def serve() -> None:
            connections.enter_context(listener.accept()[0]).sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join(20)


@pytest.mark.parametrize(
    "answer",
    [
        *(b"\0\0\0\0", b"\x7f\xff\xff\xff", packet(b"?"), packet(b"y", b"550 no end"), packet(b"y", b"nonsense\0")),
        *(packet(b"y", b"550-a\r\n451 b\0"), packet(b"m", b"\0"), packet(b"h", b"X\0y\0") + packet(b"c")),
    ],
)
def test_malformed_replies(answer: bytes) -> None:
    with answering(answer) as where, Conversation(where, negotiate=False) as talk, pytest.raises(ProtocolError):
        talk.helo("x")


def test_a_milter_that_hangs_or_hangs_up(probe: Probe) -> None:
    with answering(b"\0") as where, pytest.raises(TimeoutError):
        Conversation(where, timeout=0.2)
    with Conversation(probe.socket, negotiate=False) as talk:
        talk.send_packet(b"\xff")
        with pytest.raises((MilterClosed, ConnectionError)):
            talk.read_packet()


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"550 5.7.25 No reverse DNS\0", Reply("reply", 550, "5.7.25", "No reverse DNS")),
        (b"421\0", Reply("reply", 421)),
        (b"550-5.7.1 a\r\n550 5.7.1 \xff\0", Reply("reply", 550, "5.7.1", "a\n\udcff")),
    ],
)
def test_parsed_replies(data: bytes, reply: Reply) -> None:
    assert parse_reply(b"y", data) == reply


@pytest.mark.parametrize(
    ("command", "data", "change"),
    [
        (b"h", b"X\0y\0", Change("add", 0, "X", "y")),
        (b"i", b"\0\0\0\2X\0y\0", Change("insert", 2, "X", "y")),
        (b"m", b"\0\0\0\1X\0\0", Change("change", 1, "X", "")),
        (b"q", b"why\0", Change("quarantine", value="why")),
        (b"-", b"<b@r>\0", Change("delete_rcpt", value="<b@r>")),
        (b"c", b"", None),
    ],
)
def test_parsed_changes(command: bytes, data: bytes, change: Change | None) -> None:
    assert parse_change(command, data) == change


def test_parsed_macro_lists() -> None:
    data = b"\0\0\0\6\0\0\0\0\0\x1f\xff\xff" + b"\0\0\0\0j {client_addr}\0" + b"\0\0\0\3\0"
    assert parse_negotiation(data).symlists == {0: ("j", "{client_addr}"), 3: ()}


@pytest.mark.parametrize(
    ("spec", "parsed", "milter", "postfix"),
    [
        ("inet:8895@127.0.0.1", ("127.0.0.1", 8895), "inet:8895@127.0.0.1", "inet:127.0.0.1:8895"),
        ("inet:[::1]:8895", ("::1", 8895), "inet6:8895@[::1]", "inet:[::1]:8895"),
        ("/run/m", "/run/m", "unix:/run/m", "unix:/run/m"),
    ],
)
def test_spellings_of_an_endpoint(spec: Endpoint, parsed: Endpoint, milter: str, postfix: str) -> None:
    assert (parse_endpoint(spec), milter_style(spec), postfix_style(spec)) == (parsed, milter, postfix)
