"""Parse single lines of Postfix's and Sendmail's logs.

Pure. Must never raise, and never take text of a client (envelope, HELO name, Subject) for text of the MTA. Therefore the client's
address is read only where the MTA alone writes: before that text, or at the end of the line. A line of header_checks(5) can have
text of the client on both sides of the address: there the address must be that of the message.

Postfix: smtpd, cleanup (with header_checks(5) and body_checks), postscreen, qmgr and the delivery agents. Sendmail: from=, to=,
ruleset=, Milter: and "User unknown". RFC 3848 (values of proto=).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..net.names import parse_address

_POSTFIX = re.compile(r"([^\s]*)/(\w+)")
_PROGRAMS = frozenset(
    ("smtpd", "postscreen", "cleanup", "qmgr", "nqmgr", "oqmgr", "smtp", "lmtp", "local", "virtual", "pipe", "discard", "error",
     "retry", "relay", "pickup", "bounce", "anvil", "master", "trivial-rewrite", "scache", "tlsproxy", "verify")
)  # fmt: skip
_SENDMAIL = re.compile(r"sendmail(?:[-_.@][\w.@-]*)?|sm-[\w.@-]+")
# Postfix without its program: journalctl's with-unit writes the unit, rsyslog by RFC 5424 only the part before the slash.
_INSTANCE = re.compile(r"[\w.-]*postfix[\w@.\\-]*")

QUEUED = re.compile(r"([0-9A-Za-z]{5,30}|NOQUEUE): ")
_NAME = r"[^\[\]\s]*\[([0-9A-Fa-f:.]+)\](?::\d+)?"
_CLIENT = re.compile(r"client=[^\[\]\s,]*\[([0-9A-Fa-f:.]+)\](?::\d+)?(?=,|\s*\Z)")
_ORIGINAL = re.compile(r", orig_client=[^\[\]\s,]*\[([^\[\]]*)\]")
_ENVELOPE = r" from=<(.*?)>,?(?: to=<(.*?)>,?)? proto=\w+(?:,? helo=<(.*)>)?"
_STAGE = re.compile(rf"([a-z_-]+): ([A-Z-]+)(?: command)?(?: from {_NAME})?: (.*?);{_ENVELOPE}\s*\Z", re.DOTALL)
_REPLY = re.compile(r"(?:<[^;]*?>: )?([45])[.\d]")
_PASSED_ON = re.compile(r"\bqueued as ([0-9A-Za-z]{5,30})\b")
_CONTENT = re.compile(r"([a-z]{2,16}): (?:mime-|nested )?(?:header|body) ")
_CONTENT_END = re.compile(
    rf" from {_NAME}; from=<((?:(?!> to=<|> proto=).)*)>(?: to=<((?:(?!> proto=|> helo=).)*)>)?(?: proto=\w+)?"
    r"(?: helo=<((?:(?!>: |>\s*\Z).)*)>)?(?:: (.*))?\s*\Z",
    re.DOTALL,
)
_CONTENT_FROM = re.compile(r" from [^\[\]\s]*\[[0-9A-Fa-f:.]+\](?::\d+)?; from=<")
_MAX_CANDIDATES = 20  # places in a line that are tried as the start of _CONTENT_END
_FROM = re.compile(r"from=<(.*?)>, size=")
_TO = re.compile(r"to=<(.*?)>,(?: orig_to=<(.*?)>,)? relay=")
_NO_MAIL = frozenset(("VRFY", "ETRN", "EXPN", "CONNECT", "HELO", "EHLO"))

_SENDMAIL_FROM = re.compile(
    r"from=(<.*?>|[^,]*), .*?\brelay=.*?\[(?:IPv6:)?([0-9A-Fa-f:.]+)\](?: \(may be forged\))?\s*\Z", re.DOTALL
)
_PROTO = re.compile(r"\bproto=(?:([A-Z]+), daemon=[^,]*, relay=)?")
_WITH_LOGIN = frozenset(("ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA"))  # RFC 3848
_SENDMAIL_TO = re.compile(r"to=(.*?), (?:ctladdr=|delay=|xdelay=|mailer=)")
_SENDMAIL_REJECT = re.compile(r"(?:Milter: to=|ruleset=check_rcpt, arg1=)(<.*?>|[^,]*), .*?\breject=([45])")
# "<nobody@rcpt.example>... User unknown": refused by Sendmail itself.
_SENDMAIL_UNKNOWN = re.compile(
    r"(<[^\s>]+>)\.\.\. (?!aliased|forward|Sent|sent|Deferred|Connecting|Recipient ok|queued|deliverable)(?:(4)\d\d[ -])?\S"
)


@dataclass(frozen=True, slots=True)
class Program:
    """The program that logged a line. `instance`: the instance of Postfix, "" for Sendmail; `name`: the program of Postfix, "" if
    it is not logged."""

    instance: str
    name: str


@functools.lru_cache(maxsize=1024)
def program(tag: str) -> Program | None:
    """Return the program with that tag; None if it is neither Postfix's nor Sendmail's.

    Tags of Postfix are for example `postfix-out/smtpd` and `postfix/submission/smtpd`; those of Sendmail `sm-mta` and
    `sm-acceptingconnections`."""
    if _SENDMAIL.fullmatch(tag):
        return Program("", "")
    if _INSTANCE.fullmatch(tag):
        return Program(tag, "")
    match = _POSTFIX.fullmatch(tag)
    if match is not None and match[1] and ("postfix" in match[1] or match[2] in _PROGRAMS):
        return Program(match[1], match[2])
    return None


@dataclass(frozen=True, slots=True)
class Arrival:
    """The start of a message (`client=`). `original`: the client that sent the message before it went through a content filter
    (XFORWARD), None without one; `again`: True if the message was queued before and comes back from the filter."""

    client: str
    authenticated: bool
    original: str | None
    again: bool


def arrival(said: str) -> Arrival | None:
    """Parse a `client=` line; None for any other line."""
    client = _CLIENT.match(said)
    if client is None:
        return None
    original = _ORIGINAL.search(said)
    return Arrival(
        client[1],
        ", sasl_username=" in said or ", sasl_method=" in said,
        None if original is None else original[1],
        ", orig_queue_id=" in said,
    )


@dataclass(frozen=True, slots=True)
class Stage:
    """What smtpd, postscreen, cleanup or a content filter did with a recipient or a message.

    `client`: "" if it is not in the line; `rcpt`: None if it is not in the line; `is_deferral`: True if the recipient or the
    message was refused temporarily; `passed_on`: the queue id that the filter reported."""

    verb: str
    name: str
    client: str
    sender: str
    rcpt: str | None
    helo: str
    is_deferral: bool = False
    passed_on: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the recipient or the message was refused, temporarily or permanently."""
        return self.verb in ("reject", "milter-reject", "proxy-reject")


def stage(said: str) -> Stage | None:
    """Parse a line of smtpd, postscreen, cleanup or a filter; None for others, and for commands that carry no mail."""
    match = _STAGE.match(said)
    if match is None or match[2] in _NO_MAIL:
        return None
    verb, name, client, text, sender, rcpt, helo = match.groups()
    reply = _REPLY.match(text)
    queued = _PASSED_ON.search(text) if verb == "proxy-accept" else None
    return Stage(
        verb,
        name,
        client or "",
        sender,
        rcpt,
        helo or "",
        reply is not None and reply[1] == "4",
        queued[1] if queued is not None else "",
    )


def content(said: str, client: str) -> Stage | None:
    """Parse a line of header_checks or body_checks about a message of that client; None for others.

    The end of the line is written by cleanup. What is before it comes from the sender, and can be a Subject that looks like such an
    end."""
    match = _CONTENT.match(said)
    if match is None:
        return None
    found = None
    for number, start in enumerate(_CONTENT_FROM.finditer(said, match.end())):
        end = _CONTENT_END.match(said, start.start())
        if end is not None and end[1] == client:
            found = end
        if number >= _MAX_CANDIDATES:
            return None
    if found is None:
        return None
    _, sender, rcpt, helo, text = found.groups()
    return Stage(match[1], "CONTENT", client, sender, rcpt, helo or "", (text or "").startswith("4."))


def queued_sender(said: str) -> str | None:
    """Return the sender in a line of Postfix's queue manager."""
    match = _FROM.match(said)
    return None if match is None else match[1]


def delivered_to(said: str) -> str | None:
    """Return the recipient in a line of Postfix's delivery agents, as it was in RCPT."""
    match = _TO.match(said)
    return None if match is None else match[2] or match[1]


def sendmail_sender(said: str) -> Arrival | None:
    """Return the client in Sendmail's `from=` line; for the sender see sendmail_path.

    Sender, message id and IDENT answer are text of the client. If one of them contains `proto=` too, no login is certain."""
    match = _SENDMAIL_FROM.match(said)
    if match is None:
        return None
    protocols = _PROTO.findall(said)
    return Arrival(match[2], len(protocols) == 1 and protocols[0] in _WITH_LOGIN, None, False)


def sendmail_path(said: str) -> str:
    """Return the sender in Sendmail's `from=` line."""
    match = _SENDMAIL_FROM.match(said)
    return "" if match is None else _bare(match[1])


def sendmail_recipients(said: str) -> tuple[str, ...]:
    """Return the recipients in Sendmail's `to=` line."""
    match = _SENDMAIL_TO.match(said)
    return () if match is None else tuple(_bare(rcpt) for rcpt in match[1].split(","))


def sendmail_refusal(said: str) -> tuple[str, bool] | None:
    """Return a recipient that Sendmail or one of its milters refused, and True if temporarily; None for any other line."""
    match = _SENDMAIL_REJECT.match(said)
    if match is not None:
        return _bare(match[1]), match[2] == "4"
    match = _SENDMAIL_UNKNOWN.match(said)
    return None if match is None else (_bare(match[1]), match[2] == "4")


def is_loopback(client: str) -> bool:
    """Return whether the address is a loopback address."""
    address = parse_address(client)
    return address is not None and address.is_loopback


def _bare(path: str) -> str:
    """Return an address as Sendmail logs it, without brackets. Sendmail logs a backslash as two."""
    path = path.strip().replace("\\\\", "\\")
    return path[1:-1] if path.startswith("<") and path.endswith(">") else path
