"""What single lines of Postfix's and Sendmail's logs say.

Pure text; knows no line but the one it is given. Must never raise, and never take a client's words (an envelope, a greeting, a
Subject) for the MTA's own: what a client may write stands last, or is held against what else is known of the message.

Postfix: smtpd, cleanup (also header_checks(5) and body_checks), postscreen, qmgr and the delivery agents. Sendmail: from=, to=,
ruleset=, Milter: and "User unknown". RFC 3848 (the words behind proto=).
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
# Some name Postfix, but not its program: journalctl's with-unit has the unit there, rsyslog in RFC 5424 what stands before a slash.
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
_MAX_CANDIDATES = 20  # of the end of such a line that are tried
_FROM = re.compile(r"from=<(.*?)>, size=")
_TO = re.compile(r"to=<(.*?)>,(?: orig_to=<(.*?)>,)? relay=")
_NO_MAIL = frozenset(("VRFY", "ETRN", "EXPN", "CONNECT", "HELO", "EHLO"))

_SENDMAIL_FROM = re.compile(
    r"from=(<.*?>|[^,]*), .*?\brelay=.*?\[(?:IPv6:)?([0-9A-Fa-f:.]+)\](?: \(may be forged\))?\s*\Z", re.DOTALL
)
_LOGGED_IN = re.compile(r"\bproto=(?:ESMTP|LMTP)S?A\b")  # RFC 3848
_SENDMAIL_TO = re.compile(r"to=(.*?), (?:ctladdr=|delay=|xdelay=|mailer=)")
_SENDMAIL_REJECT = re.compile(r"(?:Milter: to=|ruleset=check_rcpt, arg1=)(<.*?>|[^,]*), .*?\breject=([45])")
# "<nobody@rcpt.example>... User unknown": what Sendmail itself has against a recipient.
_SENDMAIL_UNKNOWN = re.compile(
    r"(<[^\s>]+>)\.\.\. (?!aliased|forward|Sent|sent|Deferred|Connecting|Recipient ok|queued|deliverable)(?:(4)\d\d[ -])?\S"
)


@dataclass(frozen=True, slots=True)
class Program:
    """Whose line it is. `instance`: of Postfix, "" for Sendmail; `name`: of Postfix's program, "" if the log does not tell."""

    instance: str
    name: str


@functools.lru_cache(maxsize=1024)
def program(tag: str) -> Program | None:
    """The program of that tag; None if it is neither Postfix's nor Sendmail's. `postfix-out/smtpd`, `postfix/submission/smtpd`:
    instances of Postfix; `sm-mta`, `sm-acceptingconnections`: Sendmail's own titles."""
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
    """`client=`: a message begins. `original`: the client that a content filter names (XFORWARD), None if it names none;
    `again`: the message has been queued before, and comes back from the filter."""

    client: str
    authenticated: bool
    original: str | None
    again: bool


def arrival(said: str) -> Arrival | None:
    """What a `client=` line says."""
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
    """What smtpd, postscreen, cleanup or a content filter has done to one recipient or to a message. `client`: "" if the line does
    not tell; `rcpt`: None if it does not; `is_deferral`: refused for now; `passed_on`: the queue id that the filter told."""

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
        return self.verb in ("reject", "milter-reject", "proxy-reject")


def stage(said: str) -> Stage | None:
    """What such a line says; None for others, and for those that are about no mail."""
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
    """What header_checks or body_checks have done to a message of that client: here, too, stands the HELO name. The end of the
    line is the cleanup server's; whatever stands before it, a Subject that looks like such an end included, is the sender's."""
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
    """The sender, as Postfix's queue manager has it."""
    match = _FROM.match(said)
    return None if match is None else match[1]


def delivered_to(said: str) -> str | None:
    """The recipient, as RCPT had it, of a delivery agent of Postfix."""
    match = _TO.match(said)
    return None if match is None else match[2] or match[1]


def sendmail_sender(said: str) -> Arrival | None:
    """The client of Sendmail's `from=` line; for the sender see sendmail_path."""
    match = _SENDMAIL_FROM.match(said)
    return None if match is None else Arrival(match[2], _LOGGED_IN.search(said) is not None, None, False)


def sendmail_path(said: str) -> str:
    """The sender of Sendmail's `from=` line."""
    match = _SENDMAIL_FROM.match(said)
    return "" if match is None else _bare(match[1])


def sendmail_recipients(said: str) -> tuple[str, ...]:
    """The recipients of Sendmail's `to=` line."""
    match = _SENDMAIL_TO.match(said)
    return () if match is None else tuple(_bare(rcpt) for rcpt in match[1].split(","))


def sendmail_refusal(said: str) -> tuple[str, bool] | None:
    """A recipient that Sendmail or its milter has refused, and whether only for now."""
    match = _SENDMAIL_REJECT.match(said)
    if match is not None:
        return _bare(match[1]), match[2] == "4"
    match = _SENDMAIL_UNKNOWN.match(said)
    return None if match is None else (_bare(match[1]), match[2] == "4")


def is_loopback(client: str) -> bool:
    """Whether the address is one of this host's own loopback."""
    address = parse_address(client)
    return address is not None and address.is_loopback


def _bare(path: str) -> str:
    """An address as Sendmail logs it, without its brackets; a backslash is logged as two."""
    path = path.strip().replace("\\\\", "\\")
    return path[1:-1] if path.startswith("<") and path.endswith(">") else path
