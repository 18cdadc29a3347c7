"""Parse the paths of MAIL and RCPT into mailboxes, and normalize how a path is written.

Accepts what MTAs accept, which is more than RFC 5321 allows: comments, blanks, display names, groups, needless quotes, bang paths
and the percent hack. So a mailbox is written in one way in rules, log and headers, however the client writes it. Pure, and linear
in time. Must never raise on text from the network, never take another path for the null path, and never guess: an ambiguous path is
reported as unreadable.

RFC 5321 4.1.2 and 4.1.3 (paths), RFC 5322 3.2 and 4.4 (comments, obsolete forms), RFC 6531 3.3 (UTF-8).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple

from .names import canonical

MAX_PATH = 1000  # characters of a path that are parsed; RFC 5321 4.5.3.1.3 limits paths to 256 octets

# One token: a quoted string, an address literal, a quoted pair, blanks, a special, or a run of other characters. A quoted string
# that is not closed ends with the path, as in Postfix and Sendmail.
_TOKEN = re.compile(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?\Z)|(?P<literal>\[[^\[\]"()<>\\]*\])|\\(?P<pair>.)|(?P<blank>[ \t\r\n]+)'
    r'|(?P<special>[<>@,;:()])|(?P<text>[^"\\\[<>@,;:() \t\r\n]+|.)',
    re.DOTALL,
)
# The usual path, local part and domain made of letters, digits and a few signs, which needs no tokens. Bang paths and the percent
# hack are not among them.
_PLAIN_PATH = re.compile(
    r"(<)?(?P<local>[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*)"
    r"@(?P<domain>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(?(1)>)\Z"
)
_IN_COMMENT = re.compile(r"[()]|\\.", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
# Dot-string (RFC 5321 4.1.2, RFC 6531 3.3): a local part that needs no quotes.
_DOT_STRING = re.compile(r"[^\x00-\x20\x7f\"(),.:;<>@\[\\\]]+(?:\.[^\x00-\x20\x7f\"(),.:;<>@\[\\\]]+)*\Z")
# A domain that is parsed in the same way when the normalized path is parsed again. It need not be a valid name.
_DOMAIN = re.compile(r'(?:\[[^\[\]"()<>\\@ \t\r\n]*\]|[^ \t\r\n"\\()<>@,:\[])*\Z')
_PLAIN_NAME = re.compile(r"(?!\.|.*\.\.)[^\x00-,/:-@\[-^`{-\x7f]+\Z")  # letters, digits, hyphens, underscores, dots
_SIGN = re.compile("[@!%]")
_TO_ESCAPE = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address of the envelope. `local`: the local part without quotes and escapes; `domain`: in canonical form, "" if there is
    none or if DNS cannot have such a name. If the path is not `readable`, `local` is the whole path."""

    local: str
    domain: str
    readable: bool = True

    @property
    def is_null(self) -> bool:
        """Return whether it is the null reverse-path, <> (RFC 5321 4.5.5)."""
        return not self.local and not self.domain


NULL_SENDER = Mailbox("", "")


class _Token(NamedTuple):
    kind: str
    text: str


class _Address(NamedTuple):
    """Local part and domain of a path. `domain`: as written, None without "@"."""

    local: str
    domain: str | None


# Brackets without a partner: comments and address literals have been consumed as a whole.
_UNPAIRED = frozenset((_Token("special", "("), _Token("special", ")"), _Token("text", "[")))


def normalized_path(path: str) -> str:
    """Normalize a path: without angle brackets, with quotes only if the local part needs them, the domain as written. "" for the
    null path; an unreadable path stays, without outer blanks. The result normalizes to itself."""
    address, text = _read(path[:MAX_PATH])
    return text if address is None else _written(address)


def parse_mailbox(path: str) -> Mailbox:
    """Parse a path, with or without angle brackets. A text without a domain is a local part. Never raises; a domain that has no
    canonical form becomes ""."""
    return _parsed(path[:MAX_PATH])  # cut first: the cache holds the argument


@functools.lru_cache(maxsize=4096)
def _parsed(path: str) -> Mailbox:
    address, text = _read(path)
    if address is None:
        return Mailbox(text, "", readable=False)
    domain = canonical(address.domain or "")
    if address.local or domain:
        return Mailbox(address.local, domain)
    # Only the empty path is the null path: a message from "@" must not be taken for a bounce.
    return NULL_SENDER if address.domain is None else Mailbox(f"@{address.domain}", "")


def path_used_by_mta(path: str, macro: str, earlier: tuple[str, str] = ("", "")) -> str:
    """Return the path of the mailbox that the MTA uses. It is either `path`, from the command, or the value of the macro
    {mail_addr} or {rcpt_addr}. `earlier`: path and macro of the previous command of the same kind.

    A macro with a domain is used, because the MTA delivers to this mailbox. If path and macro are the same mailbox, the path is
    returned, because Postfix writes the macro in lower case. A macro without a domain is a local user (Sendmail's local mailers):
    the path is returned, because only the path has the domain. libmilter keeps the value of a macro that the MTA does not send
    again. So if the path has changed and the macro has not, the macro is used only if the path contains its mailbox."""
    if path == f"<{macro}>" and _PLAIN_PATH.match(path):
        return path
    client, mta = parse_mailbox(path), parse_mailbox(macro)
    if not mta.readable or not mta.domain or not _has_at(macro):
        return path
    if client.readable and client.domain == mta.domain and client.local.lower() == mta.local.lower():
        return path
    is_completed = not client.domain and client.local.lower() == mta.local.lower()
    may_be_stale = macro == earlier[1] and path != earlier[0] and client.readable and not is_completed
    return path if may_be_stale and not _contains(path, mta) else macro


def _has_at(macro: str) -> bool:
    """Return whether the macro's value has a domain: "a%b" is a local user of Sendmail, "a@b" is not."""
    return any(token == _Token("special", "@") for token in _tokens(macro[:MAX_PATH]))


def _contains(path: str, mailbox: Mailbox) -> bool:
    text = path.lower()
    return mailbox.local.lower() in text and mailbox.domain in text


@functools.lru_cache(maxsize=512)
def _read(path: str) -> tuple[_Address | None, str]:
    """Return two values: the address of a path, None if the path is unreadable or has MAX_PATH characters or more; and the path
    without outer blanks."""
    if len(path) >= MAX_PATH:
        return None, path
    plain = _PLAIN_PATH.match(path)
    return (_Address(plain["local"], plain["domain"]), path) if plain else _read_tokens(path)


def _read_tokens(path: str) -> tuple[_Address | None, str]:
    """Return what _read returns, for any path shorter than MAX_PATH."""
    text = path.strip(" \t\r\n")
    tokens = _tokens(text)
    inner = None if any(token in _UNPAIRED for token in tokens) else _without_brackets(tokens)
    address = None if inner is None else _address(_without_route(inner))
    if address is not None and not (_DOMAIN.match(address.domain or "") and len(_written(address)) < MAX_PATH):
        address = None
    return address, text


def _tokens(text: str) -> list[_Token]:
    """Return the tokens outside comments, with consecutive blanks as one. A comment that is not closed becomes a "(" token."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:  # impossible: the pattern matches any character
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
    """Return the end of the comment that begins before `at`, 0 if it is not closed. Comments nest, and quotes have no meaning in
    them (RFC 5322 3.2.2)."""
    depth = 1
    for match in _IN_COMMENT.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return 0


def _without_brackets(tokens: list[_Token]) -> list[_Token] | None:
    """Return the tokens inside the innermost angle brackets, without a display name before them. Return all tokens if there are no
    brackets. Return None if the path is ambiguous: other text stands around the brackets, or one of them is missing."""
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
    """Remove source routes ("@a,@b:", RFC 5321 4.1.2), and the name and the end of a group ("name: ... ;")."""
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
    """Divide into local part and domain at the last "@" outside quotes. None if the path is ambiguous."""
    if ("special", ",") in tokens:
        return None
    at = [index for index, token in enumerate(tokens) if token == ("special", "@")]
    if not at:
        return _unqualified(_unquoted(tokens))
    local, domain = _unquoted(tokens[: at[-1]]), _unquoted(tokens[at[-1] + 1 :])
    is_ambiguous = (
        ("special", ";") in tokens[: at[-1]] or (at[0] == 0 and len(at) > 1) or (not domain and _SIGN.search(local))
    )
    return None if is_ambiguous else _Address(local, domain)


def _unqualified(text: str) -> _Address | None:
    """Parse a path without "@" outside quotes. Its forms are tried in the order of Postfix and Sendmail: "a@b" in quotes, b!a, a%b.
    Postfix takes b!a and a%b for local parts unless both sides are simple names. If they are not, the path is ambiguous: None."""
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


def _unquoted(tokens: list[_Token]) -> str:
    """Return a local part or a domain without quotes, and without blanks at its edges and beside dots and specials."""
    pieces: list[str] = []
    for index, token in enumerate(tokens):
        if token.kind != "blank":
            pieces.append(_PAIR.sub(r"\1", token.text) if token.kind == "quoted" else token.text)
        elif _is_word(tokens[index - 1] if index else None) and _is_word(
            tokens[index + 1] if index + 1 < len(tokens) else None
        ):
            pieces.append(" ")
    return "".join(pieces)


def _is_word(token: _Token | None) -> bool:
    """Return whether a blank beside this token separates words."""
    return token is not None and token.kind != "special" and not (token.kind == "text" and token.text == ".")


def _written(address: _Address) -> str:
    local, domain = address
    if local and not _DOT_STRING.match(local):
        local = f'"{_TO_ESCAPE.sub(_escaped, local)}"'
    return local if domain is None else f"{local}@{domain}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"
