"""Delivery of an answer: silence, delay, loss, wrong sources, and everything that can go wrong with TCP (RFC 7766).

Behaviours of tests.kit.dns.hostile.behaviours. Each takes the question and the sends so far, and returns the sends to do instead;
it never uses a socket or a clock.

packaging/doc/platform.md 5.1; RFC 7766.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import dns.rcode

from tests.kit.dns.message import FORGED, Ask, End, Send, Sends, Source, edited

GAP = 0.05
"""Seconds between a false answer and the right one."""
ENDLESS = 3000
ENDLESS_GAP = 0.01


def other_id(wire: bytes) -> bytes:
    """The same message with another ID."""
    return bytes([wire[0] ^ 0x55]) + wire[1:] if wire else wire


def silent(ask: Ask, sends: Sends) -> Sends:
    """No answer at all, UDP or TCP."""
    return []


def udp_drop(ask: Ask, sends: Sends) -> Sends:
    """The UDP datagram is lost; TCP works."""
    return sends if ask.tcp else []


def delay(ask: Ask, sends: Sends, seconds: float) -> Sends:
    """The answer, `seconds` late."""
    return [replace(send, after=send.after + seconds) for send in sends]


def duplicate(ask: Ask, sends: Sends, times: int) -> Sends:
    """The answer, sent `times` times."""
    return sends * times


def lost(ask: Ask, sends: Sends, times: int) -> Sends:
    """No answer to the first `times` queries for this question; later ones are answered."""
    return [] if ask.nth < times else sends


def flap(ask: Ask, sends: Sends, times: int) -> Sends:
    """SERVFAIL for the first `times` queries of this question, then the answer."""
    return ask.sends(ask.reply(rcode=dns.rcode.SERVFAIL)) if ask.nth < times else sends


def edns_drop(ask: Ask, sends: Sends) -> Sends:
    """No answer to queries with EDNS (RFC 6891 7, old middleboxes)."""
    return [] if ask.edns else sends


def wrong_port(ask: Ask, sends: Sends) -> Sends:
    """The answer by UDP from another port of the same address."""
    return [replace(send, source=Source.PORT) for send in sends]


def wrong_address(ask: Ask, sends: Sends) -> Sends:
    """The answer by UDP from another address."""
    return [replace(send, source=Source.ADDRESS) for send in sends]


def _then_right(ask: Ask, sends: Sends, false: Callable[[Send], Send]) -> Sends:
    forged = ask.sends(ask.reply(ask.answered(ask.name, ask.rdatas(FORGED))))
    return [false(send) for send in forged] + delay(ask, sends, GAP)


def spoof_then_right(ask: Ask, sends: Sends) -> Sends:
    """A forged answer from another port (right ID), then the right one (RFC 5452 9.1)."""
    return _then_right(ask, sends, lambda send: replace(send, source=Source.PORT))


def guess_then_right(ask: Ask, sends: Sends) -> Sends:
    """A forged answer with a wrong ID from the right port, then the right one (RFC 5452 9.2)."""
    return _then_right(ask, sends, lambda send: replace(send, data=other_id(send.data)))


def _over_tcp(then: Callable[..., Sends]) -> Callable[..., Sends]:
    """An empty answer with TC by UDP; by TCP what `then` returns."""

    def behaviour(ask: Ask, sends: Sends, *argument: object) -> Sends:
        return then(ask, sends, *argument) if ask.tcp else ask.truncated()

    behaviour.__doc__ = then.__doc__
    return behaviour


def _only(end: End) -> Sends:
    return [Send(b"", framed=False, end=end)]


@_over_tcp
def truncate(ask: Ask, sends: Sends) -> Sends:
    """TC by UDP, the complete answer by TCP."""
    return sends


@_over_tcp
def truncate_reset(ask: Ask, sends: Sends) -> Sends:
    """TC; the TCP connection is reset when the query has arrived."""
    return _only(End.RESET)


@_over_tcp
def truncate_close(ask: Ask, sends: Sends) -> Sends:
    """TC; the TCP connection is closed without an answer."""
    return _only(End.CLOSE)


@_over_tcp
def truncate_hang(ask: Ask, sends: Sends) -> Sends:
    """TC; the TCP connection stays open, without an answer."""
    return _only(End.HANG)


@_over_tcp
def truncate_again(ask: Ask, sends: Sends) -> Sends:
    """TC by UDP, and by TCP too."""
    return ask.truncated()


@_over_tcp
def truncate_trickle(ask: Ask, sends: Sends, milliseconds: int) -> Sends:
    """TC; by TCP one byte each `milliseconds`."""
    return [replace(send, pause=milliseconds / 1000) for send in sends]


@_over_tcp
def truncate_half(ask: Ask, sends: Sends) -> Sends:
    """TC; by TCP the right length, half of the answer, and the end of the connection."""
    return [_claiming(send.data, len(send.data), len(send.data) // 2, End.CLOSE) for send in sends]


@_over_tcp
def truncate_too_long(ask: Ask, sends: Sends) -> Sends:
    """TC; by TCP a length of 65535, the answer, and nothing more."""
    return [_claiming(send.data, 65535, len(send.data), End.HANG) for send in sends]


@_over_tcp
def truncate_zero(ask: Ask, sends: Sends) -> Sends:
    """TC; by TCP a length of 0, and the end of the connection."""
    return [_claiming(b"", 0, 0, End.CLOSE)]


@_over_tcp
def truncate_endless(ask: Ask, sends: Sends) -> Sends:
    """TC; by TCP answers with a wrong ID for half a minute."""
    return [replace(send, after=i * ENDLESS_GAP) for i in range(ENDLESS) for send in edited(sends, other_id)]


def _claiming(data: bytes, claimed: int, sent: int, end: End) -> Send:
    return Send(claimed.to_bytes(2, "big") + data[:sent], framed=False, end=end)
