"""Read one Received field: the host from which an MTA took a message, the host's HELO name, and the MTA that wrote the field.

Pure. Reads the forms of the common MTAs, which differ from each other and from the RFCs. A field holds what a client has sent
(HELO name, certificate, login, recipient) beside what the MTA knows: an address is taken only from where MTAs write that of the
connection. Some MTAs leave blanks (tabs), parentheses and semicolons in a HELO name, so that it can look like the rest of a field.
What the MTA writes after the HELO name gives that away: a second address, or a second "by". Such a field is not read. Must never
raise, never guess an address, and take time linear in the length, which is limited. Does not decide whether a field can be believed
(net/relay_path.py does).

RFC 5321 4.4 (trace information), RFC 5322 3.2.2 (comments), RFC 3848 and RFC 6531 3.7.3 (protocols after "with").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .names import Address, parse_address, parse_literal

MAX_FIELD = 8192  # characters of a field that is read; a part of one could hide what follows it

_NAME = len("Received: ")
# Bytes of a line, by default, after which the SMTP client of Postfix 2 and 3 puts in a newline and a space, even into an address.
_LINE_LIMITS = (990, 998, 999)
# Blanks of RFC 5322. Others, such as a no-break space, are part of a word: MTAs leave them in the HELO name.
_BLANKS, _NOT_BLANK = re.compile(r"[ \t\r\n]+"), re.compile(r"[^ \t\r\n]")
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
# The "by" of an MTA: it comes after the address, or after a comment on TLS or the login.
_BY_AFTER_CLIENT = re.compile(r"[)\]](?::[0-9]{1,5})?[ \t\r\n]+by[ \t\r\n]", re.IGNORECASE)
_KEYWORDS = frozenset(("by", "via", "with", "id", "for", "envelope-from"))
# A client can put any comment into a quoted sender. Exim and qmail-ldap write the sender in a comment that begins so.
_ENVELOPE = re.compile('envelope[- ](?:from|sender) [<"]', re.IGNORECASE)
_ADDRESS = r"\[(?:IPv6:)?([0-9A-Fa-f:.]{2,51})(?:%[\w.-]{1,20})? ?\](?::[0-9]{1,5})?"
# "[192.0.2.1]", "[192.0.2.1]:25 helo=name ident=name", "[192.0.2.1] verified", "[192.0.2.1] RDNS failed". A reverse name can be a
# literal, too.
_AT_START = re.compile(rf"{_ADDRESS}(?= (?:helo=|ident=|verified\Z|RDNS failed\Z)|\Z)", re.IGNORECASE)
# "name [192.0.2.1]", "ident@name [192.0.2.1]", "ident@[192.0.2.1]".
_AT_END = re.compile(rf"(?: |\A[^ ]+@){_ADDRESS}\Z", re.IGNORECASE)
_WHOLE = re.compile(rf"{_ADDRESS}\Z", re.IGNORECASE)
_PORT = re.compile(r"(?<=[0-9]):[0-9]{1,5}\Z")
_HELO = re.compile(r"(?:account [^ ]+ )?(?:HELO|EHLO|LHLO)(?: (.+))?\Z", re.DOTALL)
_HELO_KEY = re.compile(r"(?:\A| )helo=([^ ]+)")
_EXIM = re.compile(r"(?:port|helo|ident)=")
_EXIM_WORD = re.compile(r" (?:helo|ident)=")
_IDENT = re.compile(r"(?:.* )?ident=|IDENT: ")
_COURIER_IDENT = re.compile("IDENT: ")
_AUTHENTICATED = re.compile(r"(?:authenticated\b|auth:|account )", re.IGNORECASE)
_TLS = re.compile(r"(?:using |version=)?(?:TLS|SSL)", re.IGNORECASE)
_NETWORK = re.compile(r"(?:UTF8)?[EA]?(?:SMTP|LMTP)(S?)(A?)(?=[/(,]|\Z)", re.IGNORECASE)
# Protocols by which a message comes from a user or a mailbox and not from an SMTP client.
_NOT_SMTP = re.compile(r"(?:local|mapi|http|nntp|uucp|bsmtp|pop3|imap|rmail)", re.IGNORECASE)
_QMAIL_NETWORK = re.compile(r"qmail [0-9]+ invoked from network\Z")


@dataclass(frozen=True, slots=True)
class ReceivedField:
    """What a field says. `client`: the address of the host that sent the message, None if the field names none; `helo`: the HELO
    name of that host, "" if it sent none; `authenticated`: True if that host had logged in; `tls`: True if it used TLS;
    `has_predecessor`: if `client` is None: True if the message came from another part of the same mail system, whose own field
    follows; `by`: the host that wrote the field, as it calls itself; `by_addresses`: the addresses that it gives itself."""

    client: Address | None = None
    helo: str = ""
    authenticated: bool = False
    tls: bool = False
    has_predecessor: bool = False
    by: str = ""
    by_addresses: tuple[Address, ...] = ()


class _Token(NamedTuple):
    """A word; or a comment, without its parentheses and without the comments in it, with one blank between words. `end`: the
    position after it; `has_nested`: whether a comment in it holds an address, which no MTA writes there."""

    text: str
    end: int
    is_comment: bool = False
    has_nested: bool = False


def parse_received(value: str) -> ReceivedField | None:
    """Return what a Received field says; None if it cannot be read, or if its client has no address that can be read."""
    if len(value) > MAX_FIELD:
        return None
    value = _without_cuts(value)
    tokens = _tokens(value)
    if not tokens:
        return None
    if tokens[0].is_comment:
        return _without_from(tokens[0].text, _clause(tokens, "by", 1))
    first = tokens[0].text.lower()
    if first == "by":
        return _without_from("", _By(tokens, 0))
    if first != "from" or len(tokens) < 2:
        return None
    name = "" if tokens[1].is_comment else tokens[1].text
    by = _clause(tokens, "by", 2 if name else 1)
    if by is None or any(match.end() - 1 != tokens[by.at].end for match in _BY_AFTER_CLIENT.finditer(value)):
        return None
    return _with_from(name, tokens[2 if name else 1 : by.at], by)


def _without_cuts(value: str) -> str:
    """Return the value as it was before Postfix cut its long lines. By the length of its HELO name a client decides where."""
    first, *others = value.replace("\r\n", "\n").split("\n")
    whole, length = [first], _bytes(first) + _NAME
    for line in others:
        is_cut = length in _LINE_LIMITS and line.startswith(" ")
        whole += [line[1:]] if is_cut else ["\n", line]
        length = _bytes(line)
    return "".join(whole)


def _bytes(line: str) -> int:
    return len(line.encode("utf-8", "replace"))


def _tokens(text: str) -> list[_Token]:
    """Return the words and comments up to the date, which follows a semicolon. A word ends at a blank; the word after "from" is
    whatever the client has sent. A comment without an end is left out with all that follows."""
    found: list[_Token] = []
    at = 0
    while start := _NOT_BLANK.search(text, at):
        after_from = len(found) == 1 and found[0].text.lower() == "from"
        at = start.start()
        if start[0] == "(" and not (after_from and _is_name(text, at)):
            comment = _comment(text, at)
            if comment is None:
                break
            found.append(comment)
            at = comment.end
            continue
        word = text[at : _end_of_word(text, at)]
        at += len(word)
        before, semicolon, _ = word.partition(";")
        if semicolon and not after_from:
            found += [_Token(before, at)] if before else []
            break
        found.append(_Token(word, at))
    return found


def _end_of_word(text: str, at: int) -> int:
    blank = _BLANKS.search(text, at)
    return blank.start() if blank else len(text)


def _is_name(text: str, at: int) -> bool:
    """Return whether a word that begins there with a parenthesis is the HELO name, because a comment with an address follows it.
    Otherwise the MTA has written nothing for a missing HELO name, and the word begins such a comment."""
    following = _NOT_BLANK.search(text, _end_of_word(text, at))
    if following is None or following[0] != "(":
        return False
    comment = _comment(text, following.start())
    return comment is not None and _address_in(comment.text) is not None


def _comment(text: str, at: int) -> _Token | None:
    """Return the comment that begins there; None if it has no end."""
    depth, start = 0, at
    kept: list[str] = []
    nested: list[str] = []
    for match in _IN_COMMENT.finditer(text, at):
        if match[0] not in ("(", ")"):
            continue
        if depth:
            (kept if depth == 1 else nested).append(text[start : match.start()])
        start = match.end()
        depth += 1 if match[0] == "(" else -1
        if not depth:
            return _Token(_normal(" ".join(kept)), start, True, any(_addresses(_normal(part)) for part in nested))
    return None


def _normal(text: str) -> str:
    return _BLANKS.sub(" ", text).strip(" ")


class _By:
    """The clauses from "by" on. `at`: the index of "by" among the tokens; `comments`: those of the clauses that the MTA fills, not
    those after "id", "for" and the sender, which can hold what the client has sent."""

    def __init__(self, tokens: Sequence[_Token], at: int) -> None:
        self.at = at
        self.host, self.protocol = "", ""
        self.addresses: tuple[Address, ...] = ()
        self.comments: list[str] = []
        clause = ""
        for token in tokens[at:]:
            word = "" if token.is_comment else token.text.lower()
            if word in _KEYWORDS:
                if word in ("id", "for", "envelope-from"):
                    break
                clause = word
            elif token.is_comment:
                if _ENVELOPE.match(token.text):
                    break
                self.comments.append(token.text)
                if clause == "by" and (address := _address_in(token.text)) is not None:
                    self.addresses += (address,)
            elif clause == "by" and not self.host:
                self.host = token.text
            elif clause == "with" and not self.protocol:
                self.protocol = token.text

    def is_by(self, mta: str) -> bool:
        """Return whether the MTA calls itself so."""
        return any(text.startswith(mta) for text in self.comments)


def _clause(tokens: Sequence[_Token], keyword: str, at: int) -> _By | None:
    for index in range(at, len(tokens)):
        if not tokens[index].is_comment and tokens[index].text.lower() == keyword:
            return _By(tokens, index)
    return None


def _without_from(comment: str, by: _By | None) -> ReceivedField | None:
    """Read a field that begins with a comment or with "by". `comment`: the one at its beginning."""
    if _QMAIL_NETWORK.match(comment):
        return ReceivedField(has_predecessor=True)
    if comment.startswith("qmail "):
        return ReceivedField()
    if by is None:
        return None
    if comment.startswith("from ") and (address := _address_in(comment.removeprefix("from "))) is not None:
        return _field(address, "", [], by)  # Sendmail: a client that has not sent HELO
    is_network = not comment and _NETWORK.match(by.protocol) is not None
    return ReceivedField(has_predecessor=is_network, by=by.host, by_addresses=by.addresses)


def _with_from(name: str, items: Sequence[_Token], by: _By) -> ReceivedField | None:
    """Read a field that begins with "from". `items`: the tokens between the name and "by"."""
    if _NOT_SMTP.match(by.protocol):
        return ReceivedField(by=by.host, by_addresses=by.addresses)
    if any(item.has_nested for item in items):
        return None
    comments = [item.text for item in items if item.is_comment]
    if items and not items[-1].is_comment:
        address = _literal(items[-1].text) if by.is_by("MDaemon") and not comments else None
        return None if address is None else _field(address, name, [], by)
    address = _literal(name)
    if address is None or not _stands_for_name(comments, by):
        return _with_comment(name, comments, by)
    helo = next(filter(None, map(_helo_in, comments[:1])), "") or f"[{name.partition(']')[0].strip('[')}]"
    if by.is_by("chasquid") and comments:
        helo = comments[0]
    return _field(address, helo, comments[:1] if by.is_by("CommuniGate ") else [], by)


def _stands_for_name(comments: Sequence[str], by: _By) -> bool:
    """Return whether an address in place of a name is that of the connection, not a HELO name: Exim and CommuniGate write it for a
    missing reverse name, chasquid always. `comments`: those before "by"."""
    first = comments[0] if comments else ""
    if by.is_by("chasquid"):
        return True
    if by.is_by("CommuniGate "):
        return _HELO.match(first) is not None and not any(map(_addresses_in, comments))
    if by.is_by("Exim "):
        return not comments or (_EXIM.match(first) is not None and not any(map(_addresses_in, comments[1:])))
    # Exim with another banner. A second address is the client's, as its HELO name or in its answer to an IDENT query.
    return len(comments) == 1 and _EXIM.match(first) is not None and not _addresses_in(first)


def _with_comment(name: str, comments: Sequence[str], by: _By) -> ReceivedField | None:
    """Read a field whose address is in a comment. No MTA writes a second one, nor the HELO name behind it."""
    found = [(at, addresses) for at, text in enumerate(comments) if (addresses := _addresses_in(text))]
    if len(found) != 1 or _EXIM.match(comments[0]):
        return None
    ((at, addresses),) = found
    following = comments[at + 1 :]
    if len(addresses) != 1 or _any(_HELO, following) or _any(_ENVELOPE, comments[: at + 1]):
        return None
    if at > 0 and (_any(_COURIER_IDENT, comments[: at + 1]) or by.is_by("CommuniGate ")):
        return None
    said = next((said for text in comments[: at + 1] if (said := _helo_in(text)) is not None), None)
    if _EXIM_WORD.search(comments[at]) or _any(_IDENT, comments):
        following = []  # Exim writes no more, and an answer to an IDENT query can hold anything
    following = list(itertools.takewhile(lambda text: not _ENVELOPE.match(text), following))
    if said is None:
        # Mostly the name is the HELO name. Without one, Postfix and qmail write the reverse name, "unknown" if there is none.
        said = "" if name.lower() == "unknown" else name
    return _field(addresses.pop(), said, following, by)


def _field(client: Address, helo: str, comments: Sequence[str], by: _By) -> ReceivedField:
    """`comments`: those behind the address and the HELO name: a client can put a statement about its login before them."""
    stated = [*comments, *by.comments]
    protocol = _NETWORK.match(by.protocol)
    return ReceivedField(
        client,
        helo,
        authenticated=bool(protocol and protocol[2]) or by.protocol.lower() == "asmtp" or _any(_AUTHENTICATED, stated),
        tls=bool(protocol and protocol[1]) or "/tls" in by.protocol.lower() or _any(_TLS, stated),
        by=by.host,
        by_addresses=by.addresses,
    )


def _any(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return any(pattern.match(text) for text in texts)


def _address_in(comment: str) -> Address | None:
    """Return the address of the connection in a comment; None if it holds none, or two."""
    found = _addresses_in(comment)
    return found.pop() if len(found) == 1 else None


def _addresses_in(comment: str) -> set[Address]:
    """Return the addresses in a comment that can be that of the connection. One that states a HELO name holds none, but the HELO
    name can be an address."""
    return set() if _HELO.match(comment) else _addresses(comment)


def _addresses(comment: str) -> set[Address]:
    texts = [match[1] for match in (_AT_START.match(comment), _AT_END.search(comment)) if match]
    texts = texts or [comment.rpartition("@")[2]]  # qmail: "ident@192.0.2.1"
    return {address for text in texts if (address := _plain(text)) is not None}


def _plain(text: str) -> Address | None:
    """Return an address without brackets, which can have a zone, or a port after an IPv4 address."""
    text = text.partition("%")[0]
    if text[:5].lower() == "ipv6:":
        text = text[5:]
    return parse_address(text) or (parse_address(_PORT.sub("", text)) if text.count(":") == 1 else None)


def _literal(text: str) -> Address | None:
    match = _WHOLE.match(text)
    return parse_address(match[1]) if match else parse_literal(text)


def _helo_in(comment: str) -> str | None:
    """Return the HELO name that a comment states, "" for a missing one; None if it states none."""
    if match := _HELO.match(comment):
        return match[1] or ""
    if _AT_START.match(comment) or _EXIM.match(comment):
        match = _HELO_KEY.search(comment)
        return match[1] if match else None
    return None
