"""Read past mail from the MTA's own log: client, HELO name, sender, recipients and outcome, as far as Postfix or Sendmail log them.

A stream of lines, with bounded memory for the messages whose end has not been seen. Pure: looks nothing up, judges nothing. Must
never raise, and never guess: a value that is not in the log is None.

Decides what `forecast` leaves out. This is mail from loopback, which is this host's own or comes back from a content filter; and
mail whose client or sender is not in the log. With a content filter Postfix logs a message twice; it counts once, with its original
client. logs/mta_log_lines.py reads the single lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ..net.names import parse_address
from .line_prefix import PrefixForms, find_prefix
from .mta_log_lines import (
    QUEUED,
    Arrival,
    Program,
    Stage,
    arrival,
    content,
    delivered_to,
    is_loopback,
    program,
    queued_sender,
    sendmail_path,
    sendmail_recipients,
    sendmail_refusal,
    sendmail_sender,
    stage,
)

MAX_OPEN = 50_000  # messages whose end has not been seen
MAX_WAITING = 1_000  # messages that have passed a filter and of which smtpd has not logged so yet
MAX_RCPTS = 100  # recipients that are kept of one message
MAX_PARSED = 4096  # characters of a line that are read
ACCEPTED, DEFERRED, REFUSED = OUTCOMES = ("accepted", "deferred", "refused")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, or an attempt to send one.

    `client`: an address; `helo`: "" if the client sent none, None if it is not in the log; `sender`: "" for the null sender;
    `outcome`: what the MTA did, one of OUTCOMES."""

    client: str
    helo: str | None
    sender: str
    rcpts: tuple[str, ...]
    authenticated: bool
    outcome: str


@dataclass(slots=True)
class _Open:
    """A message whose end has not been seen.

    `refused`: recipients with their outcome; `is_own`: True if the message comes from loopback, and no original client is logged;
    `is_passed_on`: True if it came through a filter before the queue, so that the smtpd in front of the filter will log the HELO
    name; `named`: a recipient from a log line, which may differ from that of RCPT."""

    client: str = ""
    helo: str | None = None
    sender: str | None = None
    authenticated: bool = False
    rcpts: dict[str, None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    is_own: bool = False
    is_passed_on: bool = False
    named: str | None = None

    @property
    def is_from_outside(self) -> bool:
        """Whether the message comes from another host whose address is known."""
        return not self.is_own and parse_address(self.client) is not None

    def add(self, rcpt: str) -> None:
        if len(self.rcpts) < MAX_RCPTS:
            self.rcpts[rcpt] = None


_AGENTS = frozenset(("smtp", "lmtp", "local", "virtual", "pipe", "discard", "error", "retry", "relay"))
_QUEUE_MANAGERS = frozenset(("qmgr", "nqmgr", "oqmgr"))
_Process = tuple[str, str]  # of smtpd: instance and process id


class MailLog:
    """Reads a log line by line, and keeps the state between lines. `prefixes`: the forms of the lines' prefixes."""

    def __init__(self) -> None:
        self.prefixes = PrefixForms()
        self._open: dict[str, _Open] = {}  # by queue id
        self._waiting: dict[str, _Open] = {}  # messages that have left the queue
        self._sessions: dict[_Process, _Open] = {}  # messages without a queue id
        self._refused_behind: dict[tuple[str, str], None] = {}  # by the smtpd behind a filter: client and sender
        self._logged_in: dict[str, None] = {}  # process ids of Sendmail

    def add(self, line: str) -> list[Delivery]:
        """Read one line, whatever it is; return the deliveries that it completes."""
        if "message repeated " in line:
            again, times = self.prefixes.repeated(line)
            if times:
                return [delivery for _ in range(times) for delivery in self._add(again)]
        return self._add(line)

    def _add(self, line: str) -> list[Delivery]:
        self.prefixes.last = line
        line = line[:MAX_PARSED]
        prefix = find_prefix(line)
        whose = None if prefix is None else program(prefix.tag)
        if prefix is None or whose is None:
            self.prefixes.note(line)
            return []
        self.prefixes.known = True
        if not whose.instance:
            return list(self._sendmail(prefix.pid, line[prefix.end :]))
        return list(self._postfix(whose, prefix.pid, line[prefix.end :]))

    def rest(self) -> list[Delivery]:
        """Return the deliveries whose end is not in the log."""
        left = (*self._waiting.values(), *self._open.values())
        found = [delivery for message in left for delivery in _deliveries(message)]
        self._waiting.clear()
        self._open.clear()
        return found

    def _postfix(self, whose: Program, pid: str, text: str) -> Iterator[Delivery]:
        # Without a process id sessions cannot be distinguished.
        process = (whose.instance, pid) if pid and whose.name in ("smtpd", "") else None
        if process is not None and text.startswith(("connect from ", "disconnect from ")):
            self._sessions.pop(process, None)
        queued = QUEUED.match(text)
        queue_id, said = (queued[1], text[queued.end() :]) if queued is not None else ("", text)
        if not queue_id:
            if said.startswith("proxy-"):
                yield from self._stage(process, "", said)
        elif said.startswith("client="):
            yield from self._client(process, queue_id, said)
        elif whose.name in _AGENTS or (not whose.name and said.startswith("to=<")):
            to = delivered_to(said)
            if to is not None and queue_id in self._open:
                self._open[queue_id].add(to)
        elif whose.name in _QUEUE_MANAGERS or (not whose.name and said.startswith(("removed", "from=<"))):
            yield from self._queue(queue_id, said)
        else:
            yield from self._stage(process, queue_id, said)

    def _client(self, process: _Process | None, queue_id: str, said: str) -> Iterator[Delivery]:
        found = arrival(said)
        if found is None:
            return
        if queue_id == "NOQUEUE":  # smtpd_proxy_filter
            if process is not None:
                self._session(process, found.client, None).authenticated = found.authenticated
            return
        yield from self._close(queue_id)  # short queue ids are used again
        message = self._message(queue_id)
        message.client = found.client if found.original is None else found.original
        message.authenticated = found.authenticated
        # A message that comes back from a filter after the queue has been counted already.
        message.is_own = found.again or (found.original is None and is_loopback(found.client))
        message.is_passed_on = found.original is not None and not found.again
        session = None if process is None else self._sessions.get(process)
        if session is not None and session.client == message.client:
            # RCPT of the first recipient is logged before there is a queue id.
            message.helo, message.sender, message.rcpts = session.helo, session.sender, session.rcpts
            session.sender, session.rcpts = None, {}
        yield from self._make_room()

    def _queue(self, queue_id: str, said: str) -> Iterator[Delivery]:
        if said.startswith("removed"):
            yield from self._close(queue_id)
        elif queue_id in self._open and (sender := queued_sender(said)) is not None:
            self._open[queue_id].sender = sender

    def _stage(self, process: _Process | None, queue_id: str, said: str) -> Iterator[Delivery]:
        """Read a line in which smtpd, cleanup, postscreen or a filter tells what it did with a recipient or a message, and the HELO
        name."""
        message = self._open.get(queue_id)
        found = stage(said)
        if found is not None:
            yield from (
                self._proxied(process, found) if not found.client else self._session_stage(process, queue_id, found)
            )
        elif message is not None and (checked := content(said, message.client)) is not None:
            yield from self._checked(queue_id, message, checked)

    def _session_stage(self, process: _Process | None, queue_id: str, found: Stage) -> Iterator[Delivery]:
        if found.verb.startswith("proxy-"):
            if process is not None:
                self._session(process, found.client, found.sender)
            yield from self._proxied(process, found)
            return
        message = self._open.get(queue_id)
        rcpt = found.rcpt
        session_rcpts: dict[str, None] = {}
        if process is not None:
            session = self._session(process, found.client, found.sender)
            session.helo = found.helo
            session_rcpts = session.rcpts
            if message is None and rcpt is not None and not found.refuses:
                session.add(rcpt)
        if message is not None:
            message.helo, message.sender = found.helo, found.sender
            if rcpt is not None and not found.refuses:
                message.add(rcpt)
        if not found.refuses or rcpt is None or is_loopback(found.client):
            return
        rcpts: tuple[str, ...] = (rcpt,)
        if message is not None and found.name == "END-OF-MESSAGE":
            rcpts = tuple(message.rcpts) or rcpts
            del self._open[queue_id]
        elif message is not None:
            message.rcpts.pop(rcpt, None)
        session_rcpts.pop(rcpt, None)
        login = message is not None and message.authenticated
        yield Delivery(found.client, found.helo, found.sender, rcpts, login, _outcome(found))

    def _proxied(self, process: _Process | None, found: Stage) -> Iterator[Delivery]:
        """Read what a filter before the queue did with a message. The log of the filter, or of the smtpd behind it, may say
        more."""
        session = None if process is None else self._sessions.get(process)
        client = found.client or (session.client if session is not None else "")
        login = session is not None and session.authenticated
        if found.refuses:
            if (client, found.sender) in self._refused_behind:
                del self._refused_behind[client, found.sender]
            elif found.rcpt is not None and parse_address(client) is not None and not is_loopback(client):
                yield Delivery(client, found.helo, found.sender, (found.rcpt,), login, _outcome(found))
            return
        queue_id = found.passed_on or self._passed_on_for(client, found.sender)
        message = self._open.get(queue_id) or self._waiting.get(queue_id)
        if message is None:
            message = _Open(client)
        elif not message.is_passed_on:
            message.client = client or message.client
        message.helo, message.sender, message.named = found.helo, found.sender, found.rcpt
        message.authenticated = message.authenticated or login
        message.is_own, message.is_passed_on = is_loopback(message.client), False
        if queue_id not in self._open:
            self._waiting.pop(queue_id, None)
            yield from _deliveries(message)

    def _passed_on_for(self, client: str, sender: str) -> str:
        """Return the queue id of the newest message from that client and sender that came through a filter; "" if there is none."""
        for messages in (self._open, self._waiting):
            for queue_id, message in islice(reversed(messages.items()), MAX_WAITING):
                if message.is_passed_on and message.client == client and message.sender in (None, sender):
                    return queue_id
        return ""

    def _checked(self, queue_id: str, message: _Open, found: Stage) -> Iterator[Delivery]:
        """Read what header_checks or body_checks did with a message."""
        message.helo, message.sender = found.helo, found.sender
        if found.rcpt is not None:
            message.named = found.rcpt
        if found.refuses or found.verb == "discard":
            del self._open[queue_id]
            rcpts = tuple(message.rcpts) or (() if found.rcpt is None else (found.rcpt,))
            outcome = _outcome(found) if found.refuses else ACCEPTED
            if message.is_passed_on and found.refuses:  # the smtpd in front of the filter logs it again
                if len(self._refused_behind) >= MAX_WAITING:
                    self._refused_behind.clear()
                self._refused_behind[message.client, found.sender] = None
            if rcpts and message.is_from_outside:
                yield Delivery(message.client, found.helo, found.sender, rcpts, message.authenticated, outcome)

    def _session(self, process: _Process, client: str, sender: str | None) -> _Open:
        session = self._sessions.get(process)
        if session is None or session.client != client:
            while len(self._sessions) >= MAX_OPEN:
                del self._sessions[next(iter(self._sessions))]
            session = self._sessions[process] = _Open(client)
        if session.sender != sender:
            session.sender, session.rcpts = sender, {}
        return session

    def _sendmail(self, pid: str, text: str) -> Iterator[Delivery]:
        if text.startswith("AUTH=server") or ": AUTH=server" in text[:40]:
            if len(self._logged_in) >= MAX_OPEN:
                self._logged_in.clear()
            self._logged_in[pid] = None
            return
        queued = QUEUED.match(text)
        if queued is None:
            return
        queue_id, said = queued[1], text[queued.end() :]
        if refusal := sendmail_refusal(said):
            self._message(queue_id).refused[refusal[0]] = DEFERRED if refusal[1] else REFUSED
        elif found := sendmail_sender(said):
            self._came_to_sendmail(self._message(queue_id), found, sendmail_path(said), pid)
        elif queue_id in self._open:
            for rcpt in sendmail_recipients(said):
                self._open[queue_id].add(rcpt)
        yield from self._make_room()

    def _came_to_sendmail(self, message: _Open, found: Arrival, sender: str, pid: str) -> None:
        message.client, message.sender = found.client, sender
        message.authenticated = bool(pid and pid in self._logged_in) or found.authenticated
        message.is_own = is_loopback(found.client)

    def _message(self, queue_id: str) -> _Open:
        return self._open.setdefault(queue_id, _Open())

    def _close(self, queue_id: str) -> Iterator[Delivery]:
        message = self._open.pop(queue_id, None)
        if message is None:
            return
        if message.helo is None and (message.is_passed_on or message.is_own):
            self._waiting.pop(queue_id, None)
            self._waiting[queue_id] = message
            if len(self._waiting) > MAX_WAITING:
                yield from _deliveries(self._waiting.pop(next(iter(self._waiting))))
            return
        yield from _deliveries(message)

    def _make_room(self) -> Iterator[Delivery]:
        while len(self._open) > MAX_OPEN:
            yield from self._close(next(iter(self._open)))


def _outcome(found: Stage) -> str:
    return DEFERRED if found.is_deferral else REFUSED


def _deliveries(message: _Open) -> Iterator[Delivery]:
    """Yield the deliveries of a message whose client, sender and recipients are known."""
    if not message.is_from_outside or message.sender is None:
        return
    named = message.rcpts or ({} if message.named is None else {message.named: None})
    taken = tuple(rcpt for rcpt in named if rcpt not in message.refused)
    if taken:
        yield Delivery(message.client, message.helo, message.sender, taken, message.authenticated, ACCEPTED)
    for rcpt, outcome in message.refused.items():
        yield Delivery(message.client, message.helo, message.sender, (rcpt,), message.authenticated, outcome)


def deliveries(lines: Iterable[str], log: MailLog | None = None) -> Iterator[Delivery]:
    """Yield the deliveries in a log. `log`: the state to use, for callers that need its counts afterwards."""
    log = MailLog() if log is None else log
    for line in lines:
        yield from log.add(line)
    yield from log.rest()
