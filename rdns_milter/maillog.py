"""The MTA's own log of past mail: who sent what to whom, as far as Postfix or Sendmail say.

A stream of lines, with bounded memory of the messages that are still open. Pure: looks nothing up, judges nothing. What the log
does not tell is None, and never guessed. Must never raise, whatever is in a line.

Postfix: the lines of smtpd, cleanup, postscreen, qmgr and the delivery agents. Sendmail: its from=, to=, ruleset= and
Milter: lines. RFC 3848 (the words behind proto=).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .names import parse_address

MAX_OPEN = 50_000  # messages whose end has not been seen
MAX_RCPTS = 100  # that are kept of one message
MAX_LINE = 4096  # characters that are looked at
ACCEPTED, DEFERRED, REFUSED = OUTCOMES = ("accepted", "deferred", "refused")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one recipient or more, or an attempt at it. `client`: an address; `helo`: "" if the client gave none, None if
    the log does not tell; `sender`: "" for the null sender; `outcome`: what the MTA did then, one of OUTCOMES."""

    client: str
    helo: str | None
    sender: str
    rcpts: tuple[str, ...]
    authenticated: bool
    outcome: str


@dataclass(slots=True)
class _Open:
    """What is known so far of a message."""

    client: str = ""
    helo: str | None = None
    sender: str | None = None
    authenticated: bool = False
    rcpts: dict[str, None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # recipients, and what became of them

    def add(self, rcpt: str) -> None:
        if len(self.rcpts) < MAX_RCPTS:
            self.rcpts[rcpt] = None


# What a log daemon puts before the line; the program must stand right behind it, or anybody could forge lines by his words.
_DATE = (
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\S+"
    r"|(?:[A-Z][a-z]{2} )?\d{4}-\d\d-\d\d [\d:.,]+ \S+)"
)
_LINE = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:{_DATE} \S+ )?"
    r"(?:([^\s\[\]:/]*postfix[^\s\[\]:]*)/(\w+)|(sendmail|sm-mta|sm-msp-queue))\[(\d+)\]: (?:\[ID \d+ \S+\] )?(.*)",
    re.DOTALL,
)
_QUEUED = re.compile(r"([0-9A-Za-z]{5,30}|NOQUEUE): ")
_CLIENT = re.compile(r"client=[^\[\]\s,]*\[([0-9A-Fa-f:.]+)\](?::\d+)?(?=,|\Z)")
_STAGE = re.compile(
    r"([a-z_-]+): ([A-Z-]+)(?: command)? from [^\[\]\s]*\[([0-9A-Fa-f:.]+)\](?::\d+)?: .*?;"
    r" from=<(.*?)>,? to=<(.*?)>,? proto=\w+(?:,? helo=<(.*)>)?\s*\Z",
    re.DOTALL,
)
_REPLY = re.compile(r" from [^\[\]\s]*\[[0-9A-Fa-f:.]+\](?::\d+)?: (?:<[^;]*?>: )?([45])[.\d]")
_FROM = re.compile(r"from=<(.*?)>, size=")
_TO = re.compile(r"to=<(.*?)>,(?: orig_to=<(.*?)>,)? relay=")
_AGENTS = frozenset(("smtp", "lmtp", "local", "virtual", "pipe", "discard", "error", "retry", "relay"))
_QUEUE_MANAGERS = frozenset(("qmgr", "nqmgr", "oqmgr"))
_REFUSING = frozenset(("reject", "milter-reject"))

_SENDMAIL_FROM = re.compile(
    r"from=(<.*?>|[^,]*), .*?\brelay=.*?\[(?:IPv6:)?([0-9A-Fa-f:.]+)\](?: \(may be forged\))?\s*\Z", re.DOTALL
)
_LOGGED_IN = re.compile(r"\bproto=(?:ESMTP|LMTP)S?A\b")  # RFC 3848
_SENDMAIL_TO = re.compile(r"to=(.*?), (?:ctladdr=|delay=|xdelay=|mailer=)")
_SENDMAIL_REJECT = re.compile(r"(?:Milter: to=|ruleset=check_rcpt, arg1=)(<.*?>|[^,]*), .*?\breject=([45])")


class MailLog:
    """Give it the lines, one by one; `add` returns the deliveries that are complete with it, `rest` those left at the end.
    `postfix`, `sendmail`: how many lines were theirs."""

    def __init__(self) -> None:
        self.postfix = self.sendmail = 0
        self._open: dict[str, _Open] = {}  # by queue id
        self._sessions: dict[
            tuple[str, str], _Open
        ] = {}  # of smtpd, by instance and process id: what has no queue id yet
        self._logged_in: dict[str, None] = {}  # process ids of Sendmail

    def add(self, line: str) -> list[Delivery]:
        """One more line, whatever it is."""
        match = _LINE.match(line[:MAX_LINE])
        if match is None:
            return []
        instance, program, _, pid, text = match.groups()
        if instance is None:
            self.sendmail += 1
            return list(self._sendmail(pid, text))
        self.postfix += 1
        return list(self._postfix((instance, pid), program, text))

    def rest(self) -> list[Delivery]:
        """The deliveries whose end the log does not show."""
        found = [delivery for message in self._open.values() for delivery in _deliveries(message)]
        self._open.clear()
        return found

    def _postfix(self, process: tuple[str, str], program: str, text: str) -> Iterator[Delivery]:
        queued = _QUEUED.match(text)
        if queued is None:
            if program == "smtpd" and text.startswith(("connect from ", "disconnect from ")):
                self._sessions.pop(process, None)
            return
        queue_id, said = queued[1], text[queued.end() :]
        if program in _AGENTS:
            to = _TO.match(said)
            if to is not None and queue_id in self._open:
                self._open[queue_id].add(to[2] or to[1])
        elif program in _QUEUE_MANAGERS:
            yield from self._queue(queue_id, said)
        elif said.startswith("client="):
            yield from self._client(process, queue_id, said)
        else:
            yield from self._stage(process if program == "smtpd" else None, queue_id, said)

    def _client(self, process: tuple[str, str], queue_id: str, said: str) -> Iterator[Delivery]:
        client = _CLIENT.match(said)
        if client is None:
            return
        yield from self._close(queue_id)  # short queue ids come again
        session = self._sessions.get(process)
        message = self._message(queue_id)
        message.client = client[1]
        message.authenticated = ", sasl_username=" in said or ", sasl_method=" in said
        if session is not None and session.client == client[1]:
            # The first recipient comes before there is a queue id.
            message.helo, message.sender, message.rcpts = session.helo, session.sender, session.rcpts
            session.sender, session.rcpts = None, {}
        yield from self._make_room()

    def _queue(self, queue_id: str, said: str) -> Iterator[Delivery]:
        if said.startswith("removed"):
            yield from self._close(queue_id)
        elif queue_id in self._open and (sender := _FROM.match(said)):
            self._open[queue_id].sender = sender[1]

    def _stage(self, process: tuple[str, str] | None, queue_id: str, said: str) -> Iterator[Delivery]:
        """What smtpd, cleanup or postscreen say of a recipient: here stands the HELO name."""
        stage = _STAGE.match(said)
        if stage is None:
            return
        verb, name, client, sender, rcpt, helo = stage.groups()
        message = self._open.get(queue_id)
        if process is not None:
            session = self._session(process, client, sender)
            session.helo = helo or ""
            if message is None and verb not in _REFUSING:
                session.add(rcpt)
            session_rcpts = session.rcpts
        else:
            session_rcpts = {}
        if message is not None:
            message.helo, message.sender = helo or "", sender
            if verb not in _REFUSING:
                message.add(rcpt)
        if verb in _REFUSING:
            reply = _REPLY.search(said)
            outcome = DEFERRED if reply is not None and reply[1] == "4" else REFUSED
            rcpts: tuple[str, ...] = (rcpt,)
            if message is not None and name == "END-OF-MESSAGE":
                rcpts = tuple(message.rcpts) or rcpts
                del self._open[queue_id]
            elif message is not None:
                message.rcpts.pop(rcpt, None)
            session_rcpts.pop(rcpt, None)
            yield Delivery(client, helo or "", sender, rcpts, message is not None and message.authenticated, outcome)

    def _session(self, process: tuple[str, str], client: str, sender: str) -> _Open:
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
        queued = _QUEUED.match(text)
        if queued is None:
            return
        queue_id, said = queued[1], text[queued.end() :]
        if reject := _SENDMAIL_REJECT.match(said):
            outcome = DEFERRED if reject[2] == "4" else REFUSED
            self._message(queue_id).refused[_bare(reject[1])] = outcome
        elif sender := _SENDMAIL_FROM.match(said):
            message = self._message(queue_id)
            message.client, message.sender = sender[2], _bare(sender[1])
            message.authenticated = pid in self._logged_in or _LOGGED_IN.search(said) is not None
        elif (to := _SENDMAIL_TO.match(said)) and queue_id in self._open:
            for rcpt in to[1].split(","):
                self._open[queue_id].add(_bare(rcpt))
        yield from self._make_room()

    def _message(self, queue_id: str) -> _Open:
        return self._open.setdefault(queue_id, _Open())

    def _close(self, queue_id: str) -> Iterator[Delivery]:
        message = self._open.pop(queue_id, None)
        if message is not None:
            yield from _deliveries(message)

    def _make_room(self) -> Iterator[Delivery]:
        while len(self._open) > MAX_OPEN:
            yield from self._close(next(iter(self._open)))


def _bare(path: str) -> str:
    """An address as Sendmail logs it, without its brackets; a backslash is logged as two."""
    path = path.strip().replace("\\\\", "\\")
    return path[1:-1] if path.startswith("<") and path.endswith(">") else path


def _deliveries(message: _Open) -> Iterator[Delivery]:
    """What is known of a message, if that is enough: who, from whom, to whom."""
    if parse_address(message.client) is None or message.sender is None:
        return
    taken = tuple(rcpt for rcpt in message.rcpts if rcpt not in message.refused)
    if taken:
        yield Delivery(message.client, message.helo, message.sender, taken, message.authenticated, ACCEPTED)
    for rcpt, outcome in message.refused.items():
        yield Delivery(message.client, message.helo, message.sender, (rcpt,), message.authenticated, outcome)


def deliveries(lines: Iterable[str]) -> Iterator[Delivery]:
    """All that the lines of a log tell of."""
    log = MailLog()
    for line in lines:
        yield from log.add(line)
    yield from log.rest()
