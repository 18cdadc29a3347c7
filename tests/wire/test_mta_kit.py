"""The kit's MTA side of the milter protocol, against pymilter's probe and against milters that misbehave."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.kit.milter.endpoint import Endpoint, milter_style, parse_endpoint, postfix_style
from tests.kit.milter.packets import ALL_STEPS, Steps, packet, parse_change, parse_negotiation, parse_reply
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


@pytest.fixture(scope="module", params=["inet", "unix"])
def probe(request: pytest.FixtureRequest) -> Iterator[Probe]:
    with Probe(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def asking_probe() -> Iterator[Probe]:
    """A milter that asks for everything an MTA may do otherwise."""
    with Probe("inet", "noreply", "nodata", "leading-space", "symlist") as running:
        yield running


def wishing(*wishes: str) -> list[tuple[str, str]]:
    """Headers that ask the probe for changes; two X-A are there to be changed."""
    return [("Subject", "s"), ("X-A", "1"), ("X-A", "2"), *(("X-Do", wish) for wish in wishes)]


def left(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [field for field in headers if field[0] != "X-Do"]


def test_a_recipient_is_refused_and_the_others_go_on(probe: Probe) -> None:
    outcome = deliver(probe.socket, rcpts=["reject@r.example", "reply@r.example", "tempfail@r.example", "b@r.example"])
    assert [reply.line for reply in outcome.rcpts] == [
        "reject",
        "550 5.7.25 first line\nsecond line",
        "tempfail",
        "continue",
    ]
    assert [reply.rejects for reply in outcome.rcpts] == [True, True, False, False]
    assert [reply.defers for reply in outcome.rcpts] == [False, False, True, False]
    assert outcome.accepted
    assert outcome.verdict == Reply("accept")
    assert [step.stage for step in outcome.steps if step.stage != "header"] == [
        *("connect", "helo", "mail", "rcpt", "rcpt", "rcpt", "rcpt", "data", "eoh", "body", "end")
    ]
    assert all(step.seconds >= 0 for step in outcome.steps)
    assert outcome.seconds() >= outcome.seconds("rcpt") > 0


def test_without_a_recipient_left_there_is_no_message(probe: Probe) -> None:
    outcome = deliver(probe.socket, rcpts=["reply@r.example"])
    assert outcome.verdict == Reply("reply", 550, "5.7.25", "first line\nsecond line")
    assert not outcome.accepted
    assert outcome.headers == ()
    assert outcome.reply("data") == Reply("unsent")


@pytest.mark.parametrize(("local", "accepted"), [("accept", True), ("discard", False)])
def test_a_final_word_at_rcpt_ends_the_questions(probe: Probe, local: str, accepted: bool) -> None:
    outcome = deliver(probe.socket, rcpts=[f"{local}@r.example", "b@r.example"])
    assert (outcome.verdict.action, outcome.accepted, len(outcome.rcpts)) == (local, accepted, 1)


def test_the_end_of_the_message_can_refuse(probe: Probe) -> None:
    outcome = deliver(probe.socket, headers=wishing("add X-B 1", "reject"))
    assert outcome.verdict.rejects
    assert outcome.changes == (Change("add", 0, "X-B", "1"),)
    assert outcome.message is None


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        (["add X-B b"], [RECEIVED, ("Subject", "s"), ("X-A", "1"), ("X-A", "2"), ("X-B", "b")]),
        (["insert 0 X-B b"], [("X-B", "b"), RECEIVED, ("Subject", "s"), ("X-A", "1"), ("X-A", "2")]),
        (["insert 1 X-B b"], [RECEIVED, ("X-B", "b"), ("Subject", "s"), ("X-A", "1"), ("X-A", "2")]),
        (["change 2 X-A new"], [RECEIVED, ("Subject", "s"), ("X-A", "1"), ("X-A", "new")]),
        (["change 1 subject"], [RECEIVED, ("X-A", "1"), ("X-A", "2")]),
        (["change 3 X-A more"], [RECEIVED, ("Subject", "s"), ("X-A", "1"), ("X-A", "2"), ("X-A", "more")]),
    ],
)
def test_changes_of_headers(probe: Probe, wishes: list[str], expected: list[tuple[str, str]]) -> None:
    outcome = deliver(probe.socket, headers=wishing(*wishes))
    assert left(outcome.headers) == expected
    assert outcome.header("x-a") == [value for name, value in expected if name == "X-A"]


@pytest.mark.parametrize(
    ("mta", "wishes", "values"),
    [
        ("postfix", ["change 1 X-A", "change 2 X-A"], ["2"]),
        ("sendmail", ["change 1 X-A", "change 2 X-A"], []),
        ("postfix", ["change 2 X-A", "change 1 X-A"], []),
        ("sendmail", ["change 2 X-A", "change 1 X-A"], []),
    ],
)
def test_postfix_renumbers_after_a_deletion_and_sendmail_does_not(
    probe: Probe, mta: str, wishes: list[str], values: list[str]
) -> None:
    assert deliver(probe.socket, headers=wishing(*wishes), mta=mta).header("X-A") == values


def test_quarantine_and_a_new_body(probe: Probe) -> None:
    outcome = deliver(probe.socket, headers=wishing("quarantine not sure", "body other"))
    assert outcome.quarantined == "not sure"
    assert outcome.accepted
    assert outcome.message
    assert outcome.message.body == b"other"
    assert deliver(probe.socket).quarantined is None


def test_what_the_milter_is_told(probe: Probe) -> None:
    before = len(probe.events())
    client = Client("2001:db8::7", name="mx.s.example", port=2525, login="joe")
    deliver(
        probe.socket,
        client=client,
        helo="mx.s.example",
        mailfrom="<>",
        mail_args=["SIZE=9"],
        headers=[("Subject", "x")],
        macros={"i": "QID7"},
    )
    told = {event["event"]: event for event in probe.events()[before:]}
    assert told["connect"]["hostname"] == "mx.s.example"
    assert told["connect"]["hostaddr"][:2] == ["2001:db8::7", 2525]
    assert told["connect"]["macros"]["_"] == "mx.s.example [2001:db8::7]"
    assert "{client_addr}" not in told["connect"]["macros"], "not in Postfix's default list"
    assert told["helo"]["name"] == "mx.s.example"
    assert (told["mail"]["sender"], told["mail"]["arguments"]) == ("<>", ["SIZE=9"])
    assert told["mail"]["macros"]["{auth_authen}"] == "joe"
    assert told["rcpt"]["macros"]["{rcpt_addr}"] == "b@rcpt.example"
    assert [name for name, event in told.items() if "i" in event.get("macros", ())] == ["data", "eoh", "end"]


def test_sendmail_knows_the_queue_id_at_mail(probe: Probe) -> None:
    before = len(probe.events())
    deliver(probe.socket, mta="sendmail", macros={"i": "QID8"})
    assert [e["macros"].get("i") for e in probe.events("mail") if e in probe.events()[before:]] == ["QID8"]


def test_raw_bytes_and_odd_families(probe: Probe) -> None:
    before = len(probe.events())
    with Conversation(probe.socket) as talk:
        assert talk.connect("[unix]", "/run/x", macros={"{daemon_port}": "2525"}).goes_on
        assert talk.helo("x").goes_on
        assert talk.mail(b"<\xe4@s.example>").goes_on
        talk.abort()
        assert talk.mail(b"").goes_on
    with Conversation(probe.socket) as talk:
        assert talk.connect("unknown", None).goes_on
    connects = [event for event in probe.events()[before:] if event["event"] == "connect"]
    mails = [event for event in probe.events()[before:] if event["event"] == "mail"]
    assert [event["family"] for event in connects] == [socket.AF_UNIX, socket.AF_UNSPEC]
    assert [event["hostaddr"] for event in connects] == ["/run/x", None]
    assert connects[0]["macros"]["{daemon_port}"] == "2525"
    assert [event["sender"] for event in mails] == ["<\udce4@s.example>", ""]


def test_two_sessions_on_one_connection(probe: Probe) -> None:
    before = len(probe.events())
    with Conversation(probe.socket) as talk:
        for address in ("192.0.2.1", "192.0.2.2"):
            assert talk.connect(f"[{address}]", address).goes_on
            assert talk.helo("x").goes_on
            assert talk.mail("a@s.example").goes_on
            assert talk.rcpt("b@r.example").goes_on
            assert talk.data(macros={"i": address}).goes_on
            talk.abort()
            assert "i" not in talk.known
            talk.quit_nc()
    told = probe.events()[before:]
    assert [event["hostaddr"][0] for event in told if event["event"] == "connect"] == ["192.0.2.1", "192.0.2.2"]
    assert [event["macros"]["i"] for event in told if event["event"] == "data"] == ["192.0.2.1", "192.0.2.2"]


def test_two_messages_in_one_session(probe: Probe) -> None:
    before = len(probe.events())
    with Conversation(probe.socket) as talk:
        assert talk.connect("[192.0.2.1]", "192.0.2.1").goes_on
        for queue_id in ("Q1", "Q2"):
            assert talk.mail("a@s.example").goes_on
            assert talk.rcpt("b@r.example").goes_on
            end = talk.end(macros={"i": queue_id})
            assert (end.reply.action, end.changes) == ("accept", ())
    told = probe.events()[before:]
    assert [event["macros"].get("i") for event in told if event["event"] == "end"] == ["Q1", "Q2"]
    assert [event["macros"].get("i") for event in told if event["event"] == "mail"] == [None, None]


def test_the_body_goes_in_chunks_until_the_milter_has_enough(probe: Probe) -> None:
    for headers, sizes in (([], [65535, 65535, 10]), ([("X-Skip", "yes")], [65535])):
        before = len(probe.events())
        assert deliver(probe.socket, headers=headers, body=b"x" * (2 * 65535 + 10)).accepted
        assert [event["size"] for event in probe.events()[before:] if event["event"] == "body"] == sizes


def test_what_the_milter_asks_for_is_honoured(asking_probe: Probe) -> None:
    client = Client("192.0.2.7", reverse_name="ptr.s.example")
    outcome = deliver(asking_probe.socket, client=client, headers=[("Subject", "s"), ("X-Do", "add X-B b")])
    assert outcome.reply("header") == Reply("noreply")
    assert outcome.reply("data") == Reply("unsent")
    assert outcome.headers[-1] == ("X-B", "b")
    told = {event["event"]: event for event in asking_probe.events()}
    assert told["connect"]["macros"] == {"{client_addr}": "192.0.2.7", "{client_ptr}": "ptr.s.example"}
    assert asking_probe.events("header")[0] == {"event": "header", "name": "Subject", "value": " s"}
    assert "data" not in told


def test_an_old_mta_offers_less(asking_probe: Probe) -> None:
    with Conversation(asking_probe.socket, version=2, actions=0x3F, steps=0x7F) as talk:
        assert talk.negotiated.version == 2
        assert not talk.negotiated.steps & Steps.NOREPLY_HEADERS
        assert talk.connect("[192.0.2.1]", "192.0.2.1").goes_on
        assert talk.mail("a@s.example").goes_on
        assert talk.rcpt("b@r.example").goes_on
        assert talk.header("Subject", "x") == Reply("continue")


def test_many_at_once(probe: Probe) -> None:
    outcomes = burst([lambda n=n: deliver(probe.socket, mailfrom=f"a{n}@s.example") for n in range(20)])  # type: ignore[misc]
    assert [outcome.steps[2].argument for outcome in outcomes] == [f"a{n}@s.example" for n in range(20)]
    assert all(outcome.accepted for outcome in outcomes)


def test_a_job_that_fails_is_heard_of() -> None:
    with pytest.raises(ZeroDivisionError):
        burst([lambda: 1, lambda: 1 // 0])


@pytest.mark.parametrize("raw", [packet(b"\xff"), packet(b"O", b"\0")])
def test_a_milter_that_hangs_up(probe: Probe, raw: bytes) -> None:
    with Conversation(probe.socket, negotiate=False) as talk:
        talk.send_raw(raw)
        with pytest.raises(ConnectionError):
            talk.read_packet()


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, int]]:
    """A milter that says the same bytes to everybody, and then nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as open_ones:

        def serve() -> None:
            connection = open_ones.enter_context(listener.accept()[0])
            connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join(20)


def test_a_milter_that_hangs() -> None:
    with answering(b"\0") as where, pytest.raises(TimeoutError):
        Conversation(where, timeout=0.2)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0\0\0\0",
        b"\x7f\xff\xff\xff",
        packet(b"c"),
        packet(b"O", b"\0" * 11),
        packet(b"O", b"\0" * 12 + b"\0\0\0"),
        packet(b"O", b"\0" * 12 + b"\0\0\0\0j"),
    ],
)
def test_a_milter_that_cannot_negotiate(answer: bytes) -> None:
    with answering(answer) as where, pytest.raises(ProtocolError):
        Conversation(where)


@pytest.mark.parametrize(
    "answer",
    [
        *(packet(b"?"), packet(b"y", b"550 no end"), packet(b"y", b"nonsense\0"), packet(b"y")),
        *(packet(b"y", b"550-a\r\n451 b\0"), packet(b"h", b"only-a-name\0"), packet(b"m", b"\0"), packet(b"q")),
        packet(b"h", b"X\0y\0") + packet(b"c"),
    ],
)
def test_a_milter_that_talks_nonsense(answer: bytes) -> None:
    with answering(answer) as where, Conversation(where, negotiate=False) as talk, pytest.raises(ProtocolError):
        talk.helo("x")


def test_progress_is_no_answer() -> None:
    with answering(packet(b"p") * 3 + packet(b"c")) as where, Conversation(where, negotiate=False) as talk:
        assert talk.helo("x") == Reply("continue")


def test_a_closed_door() -> None:
    with answering(b"") as where:
        Conversation(where, negotiate=False).close()
    with pytest.raises(OSError, match="refused"):
        Conversation(where)
    with socket.socketpair()[0] as near, Conversation.__new__(Conversation) as talk:
        talk.socket, talk._unread = near, b""
        near.settimeout(5)
        with pytest.raises(MilterClosed):
            talk.read_packet()


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"550 5.7.25 No reverse DNS\0", Reply("reply", 550, "5.7.25", "No reverse DNS")),
        (b"451 later\0", Reply("reply", 451, "", "later")),
        (b"421\0", Reply("reply", 421)),
        (b"550 5.7.1\0", Reply("reply", 550, "5.7.1")),
        (b"550-5.7.1 a\r\n550 5.7.1 b\0", Reply("reply", 550, "5.7.1", "a\nb")),
        (b"550 5.7.1 \xff\0", Reply("reply", 550, "5.7.1", "\udcff")),
    ],
)
def test_replies(data: bytes, reply: Reply) -> None:
    assert parse_reply(b"y", data) == reply


@pytest.mark.parametrize(
    ("command", "data", "change"),
    [
        (b"h", b"X\0y\0", Change("add", 0, "X", "y")),
        (b"i", b"\0\0\0\2X\0y\0", Change("insert", 2, "X", "y")),
        (b"m", b"\0\0\0\1X\0\0", Change("change", 1, "X", "")),
        (b"q", b"why\0", Change("quarantine", value="why")),
        (b"b", b"a\0b", Change("replace_body", chunk=b"a\0b")),
        (b"+", b"<b@r>\0", Change("add_rcpt", value="<b@r>")),
        (b"2", b"<b@r>\0NOTIFY=NEVER\0", Change("add_rcpt", value="<b@r>", name="NOTIFY=NEVER")),
        (b"-", b"<b@r>\0", Change("delete_rcpt", value="<b@r>")),
        (b"e", b"<a@s>\0", Change("change_from", value="<a@s>")),
        (b"c", b"", None),
    ],
)
def test_changes(command: bytes, data: bytes, change: Change | None) -> None:
    assert parse_change(command, data) == change


def test_macro_lists_are_read() -> None:
    data = b"\0\0\0\6\0\0\0\0\0\x1f\xff\xff" + b"\0\0\0\0j {client_addr}\0" + b"\0\0\0\3\0"
    negotiated = parse_negotiation(data)
    assert negotiated.symlists == {0: ("j", "{client_addr}"), 3: ()}
    assert negotiated.steps == ALL_STEPS


@pytest.mark.parametrize(
    ("spec", "parsed", "milter", "postfix"),
    [
        ("inet:8895@127.0.0.1", ("127.0.0.1", 8895), "inet:8895@127.0.0.1", "inet:127.0.0.1:8895"),
        ("inet:127.0.0.1:8895", ("127.0.0.1", 8895), "inet:8895@127.0.0.1", "inet:127.0.0.1:8895"),
        ("inet6:8895@[::1]", ("::1", 8895), "inet6:8895@[::1]", "inet:[::1]:8895"),
        ("inet:[::1]:8895", ("::1", 8895), "inet6:8895@[::1]", "inet:[::1]:8895"),
        (("127.0.0.1", 25), ("127.0.0.1", 25), "inet:25@127.0.0.1", "inet:127.0.0.1:25"),
        ("unix:/run/m", "/run/m", "unix:/run/m", "unix:/run/m"),
        ("local:/run/m", "/run/m", "unix:/run/m", "unix:/run/m"),
        ("/run/m", "/run/m", "unix:/run/m", "unix:/run/m"),
    ],
)
def test_spellings_of_an_endpoint(spec: Endpoint, parsed: Endpoint, milter: str, postfix: str) -> None:
    assert (parse_endpoint(spec), milter_style(spec), postfix_style(spec)) == (parsed, milter, postfix)
