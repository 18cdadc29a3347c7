"""Mailboxes of the envelope: which one does a path of MAIL or RCPT mean, and how is it spelled?

Reads a path as MTAs do, which is more than RFC 5321 allows: comments, blanks, display names, groups, needless quotes, bang paths
and the percent sign. So one mailbox has one spelling in rules, log and headers, however a client writes it. Pure and linear.
Must never raise on what came from the network, never take for the null path what is none, and never guess: what cannot be read
is said to be unreadable.

RFC 5321 4.1.2 and 4.1.3 (paths), RFC 5322 3.2 and 4.4 (comments, obsolete forms), RFC 6531 3.3 (UTF-8).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from .names import canonical

MAX_PATH = 1000  # octets of a path that are looked at; RFC 5321 4.5.3.1.3 asks for 256

# One token: a quoted string, an address literal, a quoted pair, blanks, a special, or a run of anything else. A quoted string or
# a literal that is not closed ends with the path, as in both MTAs.
_TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|(?P<literal>\[[^\[\]"()<>\\]*\])|\\(?P<pair>.)|(?P<blank>[ \t\r\n]+)'
    r'|(?P<special>[<>@,;:()])|(?P<text>[^"\\\[<>@,;:() \t\r\n]+|.)',
    re.DOTALL,
)
_IN_COMMENT = re.compile(r"[()]|\\.", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
# Dot-string (RFC 5321 4.1.2, RFC 6531 3.3): what may stand without quotes.
_DOT_STRING = re.compile(r"[^\x00-\x20\x7f\"(),.:;<>@\[\\\]]+(?:\.[^\x00-\x20\x7f\"(),.:;<>@\[\\\]]+)*\Z")
# What a domain may be made of, so that it means the same when it is read again; whether it is a name, others say.
_DOMAIN = re.compile(r'(?:\[[^\[\]"()<>\\@ \t\r\n]*\]|[^ \t\r\n"\\()<>@,:\[])*\Z')
_PLAIN_NAME = re.compile(r"(?!\.|.*\.\.)[^\x00-,/:-@\[-^`{-\x7f]+\Z")  # letters, digits, hyphens, underscores, dots
_SIGN = re.compile("[@!%]")
_TO_ESCAPE = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address of the envelope, taken apart. `local`: what the local part means, without quotes and escapes; `domain`: canonical,
    "" if there is none, or none that DNS could hold. Of a path that is not `readable` all is `local`."""

    local: str
    domain: str
    readable: bool = True

    @property
    def is_null(self) -> bool:
        """Whether it is the null reverse-path, <> (RFC 5321 4.5.5)."""
        return not self.local and not self.domain


NULL_SENDER = Mailbox("", "")


class _Token(NamedTuple):
    kind: str
    text: str


class _Address(NamedTuple):
    """`domain`: as written, None if there is no "@"."""

    local: str
    domain: str | None


# Brackets that have no partner.
_LONELY = frozenset((_Token("special", "("), _Token("special", ")"), _Token("text", "[")))


def spelling(path: str) -> str:
    """The one spelling of a path's mailbox, without angle brackets: quotes only where the local part needs them, the domain as it
    is written. "" for the null path; a path that cannot be read stays as it is, without outer blanks. Spelled again it stays the
    same: what is kept of a path must not mean something else later."""
    address, text = _read(path[:MAX_PATH])
    return text if address is None else _spelled(address)


def parse_mailbox(path: str) -> Mailbox:
    """The mailbox of a path, with or without brackets. A text without a domain is a local part alone. Never raises; a domain that
    cannot be written in A-labels is ""."""
    return _parsed(path[:MAX_PATH])  # cut before it is remembered


@functools.lru_cache(maxsize=4096)
def _parsed(path: str) -> Mailbox:
    address, text = _read(path)
    if address is None:
        return Mailbox(text, "", readable=False)
    domain = canonical(address.domain or "")
    if address.local or domain:
        return Mailbox(address.local, domain)
    # Only the empty path is the null one: "@" and its kin must not pass for a bounce.
    return NULL_SENDER if address.domain is None else Mailbox(f"@{address.domain}", "")


def as_taken(path: str, macro: str, earlier: tuple[str, str] = ("", "")) -> str:
    """The path that stands for the mailbox as the MTA takes it. `macro`: {mail_addr} or {rcpt_addr}; `earlier`: path and macro of
    the command before of that kind.

    The macro decides where it holds a mailbox with a domain: the MTA delivers that one. Postfix writes it in lower case, so
    where both mean the same the path keeps its case. Without a domain it is a user of the MTA's own (Sendmail's local mailers),
    and the path says of which domain. libmilter keeps a macro that an MTA does not send again: it counts only if the path can
    mean it."""
    mine, theirs = parse_mailbox(path), parse_mailbox(macro)
    if not theirs.readable or not theirs.domain or not _has_at(macro):
        return path
    if mine.readable and mine.domain == theirs.domain and mine.local.lower() == theirs.local.lower():
        return path
    qualified = not mine.domain and mine.local.lower() == theirs.local.lower()
    again = macro == earlier[1] and path != earlier[0] and mine.readable and not qualified
    return path if again and not _contains(path, theirs) else macro


def _has_at(macro: str) -> bool:
    """Whether a macro's value says a domain: Sendmail's "a%b" is a user of its own, "a@b" is not."""
    return any(token == _Token("special", "@") for token in _tokens(macro[:MAX_PATH]))


def _contains(path: str, mailbox: Mailbox) -> bool:
    text = path.lower()
    return mailbox.local.lower() in text and mailbox.domain in text


@functools.lru_cache(maxsize=512)
def _read(path: str) -> tuple[_Address | None, str]:
    """The address of a path that has been cut, None if it cannot be read; and the path without outer blanks."""
    if len(path) >= MAX_PATH:
        return None, path
    text = path.strip(" \t\r\n")
    tokens = _tokens(text)
    inner = None if any(token in _LONELY for token in tokens) else _without_brackets(tokens)
    address = None if inner is None else _address(_without_route(inner))
    if address is not None and not (_DOMAIN.match(address.domain or "") and len(_spelled(address)) < MAX_PATH):
        address = None
    return address, text


def _tokens(text: str) -> list[_Token]:
    """The tokens outside comments, one blank for several. A comment that is not closed stays as its bracket."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # never: every letter is a token
            break
        token = _Token(match.lastgroup or "", match[match.lastgroup or 0])
        at = match.end()
        end = _end_of_comment(text, at) if token == ("special", "(") else 0
        if end:
            at = end
        elif token.kind != "blank" or not tokens or tokens[-1].kind != "blank":
            tokens.append(token)
    return tokens


def _end_of_comment(text: str, at: int) -> int:
    """Where a comment ends whose bracket stands before `at` (RFC 5322 3.2.2: they nest, and quotes mean nothing); 0: nowhere."""
    depth = 1
    for match in _IN_COMMENT.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return 0


def _without_brackets(tokens: list[_Token]) -> list[_Token] | None:
    """What stands in the innermost angle brackets; what stands before them is a display name. None if something else stands
    around: then nobody knows which of the two is meant."""
    opening = [index for index, token in enumerate(tokens) if token == ("special", "<")]
    if not opening:
        return None if ("special", ">") in tokens else tokens
    inner = tokens[opening[-1] + 1 :]
    closing = inner.index(_Token("special", ">")) if ("special", ">") in inner else len(inner)
    inside, after, before = inner[:closing], inner[closing:], tokens[: opening[-1]]
    if any(token.kind != "blank" and token != ("special", ">") for token in after) or len(
        [token for token in after if token.kind != "blank"]
    ) > len(opening):
        return None
    named = any(token.kind not in ("blank", "special") for token in before)
    empty = not any(token.kind != "blank" for token in inside)
    return None if named and empty else inside


def _without_route(tokens: list[_Token]) -> list[_Token]:
    """Without source routes ("@a,@b:", RFC 5321 4.1.2), and without the name and the end of a group ("name: ... ;")."""
    begin, end = 0, len(tokens)
    while end and tokens[end - 1].kind == "blank":
        end -= 1
    in_group = end > 0 and tokens[end - 1] == ("special", ";")
    end -= in_group
    for index, token in enumerate(tokens):
        if token == ("special", ":"):
            if not (in_group or _begins_route(tokens, begin)):
                break
            begin, in_group = index + 1, False
    return tokens[begin:end]


def _begins_route(tokens: list[_Token], begin: int) -> bool:
    return next((token for token in tokens[begin : begin + 2] if token.kind != "blank"), None) == ("special", "@")


def _address(tokens: list[_Token]) -> _Address | None:
    """Local part and domain, divided by the last "@" outside quotes."""
    if ("special", ",") in tokens:
        return None
    at = [index for index, token in enumerate(tokens) if token == ("special", "@")]
    if not at:
        return _unqualified(_meant(tokens))
    local, domain = _meant(tokens[: at[-1]]), _meant(tokens[at[-1] + 1 :])
    doubtful = (
        ("special", ";") in tokens[: at[-1]] or (at[0] == 0 and len(at) > 1) or (not domain and _SIGN.search(local))
    )
    return None if doubtful else _Address(local, domain)


def _unqualified(text: str) -> _Address | None:
    """A text without "@" outside quotes, as both MTAs take it: "a@b" in quotes, then b!a, then a%b. Postfix takes the last two for
    a local part of its own unless both sides are plain; then the path alone does not say."""
    if not _SIGN.search(text):
        return _Address(text, None)
    local, sign, domain = text.rpartition("@")
    if sign:
        return _Address(local, domain) if domain else None
    domain, sign, local = text.partition("!")
    if not sign:
        local, sign, domain = text.rpartition("%")
    return (
        _Address(local, domain) if _DOT_STRING.match(local) and local[0] != "!" and _PLAIN_NAME.match(domain) else None
    )


def _meant(tokens: list[_Token]) -> str:
    """A local part or a domain without quotes; blanks are left out at its edges and beside dots and "@"."""
    pieces: list[str] = []
    for index, token in enumerate(tokens):
        if token.kind != "blank":
            pieces.append(_plain(token))
        elif _joins(tokens[index - 1] if index else None, ".") and _joins(
            tokens[index + 1] if index + 1 < len(tokens) else None, "."
        ):
            pieces.append(" ")
    return "".join(pieces)


def _joins(token: _Token | None, dot: str) -> bool:
    """Whether a blank beside this token divides words."""
    return token is not None and token.kind != "special" and not (token.kind == "text" and token.text == dot)


def _plain(token: _Token) -> str:
    return _PAIR.sub(r"\1", token.text) if token.kind == "quoted" else token.text


def _spelled(address: _Address) -> str:
    local, domain = address
    if local and not _DOT_STRING.match(local):
        local = f'"{_TO_ESCAPE.sub(_escaped, local)}"'
    return local if domain is None else f"{local}@{domain}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"
