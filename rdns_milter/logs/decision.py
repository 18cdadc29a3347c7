"""One line a decision, and how to read it back: the line holds every fact that the verdict rests on, so that an old log can
be judged by a new policy.

Pure text: opens no file, no socket, knows no clock. Must never let anything from the network end a line or pass for a key:
a line is printable ASCII, whatever the client sent, and only a line that begins as ours do is read as one. Must never raise.

packaging/doc/log.md; RFC 8259 8.1 and RFC 7493 2.1 (what text in JSON may hold).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..checks.evidence import FACTS, UNKNOWN, Cost, Evidence, Generic, Helo, Iprev, Spf
from ..net.mailboxes import parse_mailbox
from ..net.names import parse_address
from ..policy.rules import ACTIONS, Verdict
from ..text.escape import ELLIPSIS
from .escapes import BARE_CHARACTER, as_unicode, from_unicode, quoted, unquoted
from .line_prefix import before

KEYS = (
    "action", "rule", "qid", "client", "helo_name", "mailfrom", "rcpt", "nrcpt",
    "iprev", "iprev_reason", "ptr", "ptrs", "generic", "helo_kind", "helo", "helo_match", "helo_own",
    "spf_helo", "spf_mailfrom", "mailfrom_match", "forged", "score", "mode", "would", "shadow_rule",
    "queries", "cached", "dns_ms", "waited_ms", "policy", "reply",
)  # fmt: skip
LATER = frozenset(("forged",))  # keys that lines of older versions lack

NONE = "none"  # what stands for an absent fact; a value that happens to read so is quoted
NO_QUEUE = "NOQUEUE"
NULL_PATH = "<>"
EXEMPT = "exempt:"

# With its newline a line is what a pipe takes in one piece (PIPE_BUF).
MAX_LINE = 4095
MAX_ADDRESS = 320  # characters of an address (RFC 5321 4.5.3.1: 64 and 255 octets, and the "@")
# Characters of each text, before escaping.
LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "rule": 128,
        "qid": 64,
        "helo_name": 255,
        "mailfrom": MAX_ADDRESS,
        "rcpt": 1000,
        "ptr": 255,
        "would": 255,
        "shadow_rule": 255,
        "policy": 64,
        "reply": 512,
    }
)
# Where the line gets too long (nothing but escapes, say), all texts are cut to these parts of their limits in turn. Even
# with 24 octets for each character the last one fits.
_SHARES = (1, 2, 4, 8, 16, 32)

_ACTIONS = frozenset(ACTIONS)
# The keys whose value may be absent; read back they are "" then.
_TEXTS = ("client", "helo_name", "mailfrom", "rcpt", "ptr")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one group of recipients: all those of a message with the same verdict. `evidence` is that of the
    first of them; `qid`: the queue id, "" without one; `policy`: the digest of the rules; `reply`: what the client was told,
    "" if nothing; `count`: how many recipients there are, 0 if all of them are named."""

    verdict: Verdict
    evidence: Evidence
    rcpts: tuple[str, ...]
    qid: str = ""
    mode: str = "enforce"
    policy: str = ""
    cost: Cost = field(default_factory=Cost)
    reply: str = ""
    count: int = 0


Value = str | int | float | None


def line(decision: Decision, format: str = "logfmt") -> str:  # noqa: A002 (the name that the configuration has for it)
    """The decision in one line without its newline, at most MAX_LINE octets of printable ASCII; format "logfmt" or "json"."""
    text = ""
    for share in _SHARES:
        text = _FORMATS[format](_values(decision, share))
        if len(text) <= MAX_LINE:
            break
    return text


def _values(decision: Decision, share: int) -> dict[str, Value]:
    """The value of each key, in the order of KEYS, texts bounded by their part of LIMITS; None for an absent one."""
    evidence, verdict, cost = decision.evidence, decision.verdict, decision.cost
    each = MAX_ADDRESS // share
    values: dict[str, Value] = {
        "action": verdict.action,
        "rule": verdict.rule,
        "qid": decision.qid or NO_QUEUE,
        "client": None if evidence.client is None else str(evidence.client),
        "helo_name": evidence.helo_name or None,
        "mailfrom": _cut_address(evidence.mailfrom, each) or NULL_PATH,
        "rcpt": _joined(decision.rcpts, LIMITS["rcpt"] // share, each),
        "nrcpt": decision.count or len(decision.rcpts),
        "ptr": evidence.iprev.ptr or None,
        "ptrs": evidence.iprev.count,
        "forged": evidence.forged,
        "score": _number(verdict.score, 6),
        "mode": decision.mode,
        "would": ",".join(verdict.would),
        "shadow_rule": ",".join(verdict.shadow_rules),
        "queries": cost.queries,
        "cached": cost.cached,
        "dns_ms": _number(cost.dns_ms),
        "waited_ms": _number(cost.waited_ms),
        "policy": decision.policy,
        "reply": decision.reply,
    }
    for key, limit in LIMITS.items():
        value = values[key]
        if key not in ("mailfrom", "rcpt") and isinstance(value, str):
            values[key] = _cut(value, limit // share)
    for name, fact in FACTS.items():
        word = fact.get(evidence)
        values[name] = NONE if word == UNKNOWN else word
    return {key: values[key] for key in KEYS}


def _number(value: float, digits: int = 0) -> int | float:
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(ELLIPSIS)] + ELLIPSIS


def _cut_address(path: str, limit: int) -> str:
    """The address, cut within its local part: rules ask about domains more than about anything else."""
    if len(path) <= limit:
        return path
    domain = parse_mailbox(path).domain
    room = limit - len(ELLIPSIS) - 1 - len(domain)
    if not domain or room < 1:
        return _cut(path, limit)
    return _DIVIDING.sub("?", path[:room]) + ELLIPSIS + "@" + domain


# What would let the rest of an address be taken apart elsewhere, once its local part has been cut.
_DIVIDING = re.compile(r'["\\@<\s]')


def _joined(rcpts: tuple[str, ...], limit: int, each: int) -> str | None:
    """As many addresses as there is room for, commas between them; those of an address itself, and its
    backslashes, stand behind a backslash."""
    taken: list[str] = []
    left = limit
    for rcpt in rcpts:
        text = _cut_address(rcpt, each).replace("\\", "\\\\").replace(",", "\\,")
        left -= len(text) + 1
        if left < 0:
            break
        taken.append(text)
    return ",".join(taken) or None


def _logfmt(values: Mapping[str, Value]) -> str:
    return " ".join(f"{key}={_token(key, value)}" for key, value in values.items())


def _token(key: str, value: Value) -> str:
    if value is None:
        return NONE
    text = str(value)
    return text if text == NONE and key in FACTS else quoted(text, NONE)


def _json(values: Mapping[str, Value]) -> str:
    """Absent values are null, numbers are numbers, and all text is valid Unicode."""
    return json.dumps({key: as_unicode(value) for key, value in values.items()}, separators=(",", ":"))


_FORMATS: Mapping[str, Callable[[Mapping[str, Value]], str]] = MappingProxyType({"logfmt": _logfmt, "json": _json})


# Reading back. Another program's name before the line means: not ours. journalctl's with-unit has the unit's name instead.
_PREFIX = before(r"rdns-milter(?:\.service)?")
# Possessive: a hostile line costs no more than its length.
_VALUE = rf'"[ !#-\[\]-~]*+(?:\\[ -~][ !#-\[\]-~]*+)*+"|{BARE_CHARACTER}*+'
_PAIRS = (f"(?: {key}=({_VALUE}))?" if key in LATER else f" {key}=({_VALUE})" for key in KEYS)
_WHOLE = re.compile(_PREFIX + "".join(_PAIRS).removeprefix(" "))
_START = re.compile(_PREFIX + r'(?=action=|(\{"action":))')
_PAIR = re.compile(rf"([a-z][a-z0-9_]*+)=({_VALUE})( |\Z)")
# What is left of a pair where a log daemon has cut the line.
_STUMP = re.compile(r'(?:[a-z][a-z0-9_]*+(?:="[ !#-\[\]-~]*+(?:\\[ -~][ !#-\[\]-~]*+)*+\\?)?)?\Z')


def parse(text: str) -> dict[str, str] | None:
    """The keys and values of one line of a log, with or without what a log daemon puts before it; None if it is no decision.

    Values are as they were before escaping; absent texts (`client`, `helo_name`, `rcpt`, `ptr`) are "", absent facts "none".
    Of a line that somebody has cut the keys that came through whole; keys that are not ours (newer ones) as they are. For
    `rcpt` see rcpts_of."""
    if "action" not in text:
        return None
    text = text.rstrip("\r\n")
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        pairs = zip(KEYS, whole.groups(), strict=True)
        fields: dict[str, str] | None = _plain({key: value for key, value in pairs if value is not None}, text)
    elif (start := _START.match(text)) is not None:
        fields = _from_json(text[start.end() :]) if start[1] else _piecemeal(text, start.end())
    else:
        return None
    # However it was read: who reads on may rely on these two.
    return fields if fields and fields.get("action") in _ACTIONS and "rule" in fields else None


def _plain(fields: dict[str, str], text: str) -> dict[str, str]:
    """The fields without quotes, escapes, and `none` for what is absent."""
    for key in _TEXTS:
        if fields.get(key) == NONE:
            fields[key] = ""
    quotes = text.count('"')
    if not quotes:
        return fields
    # Most often the reply alone stands in quotes.
    alone = quotes == 2 and fields.get("reply", "")[:1] == '"'
    for key in ("reply",) if alone else tuple(fields):
        value = fields[key]
        if value[:1] == '"':
            fields[key] = unquoted(value) if "\\" in value else value[1:-1]
    return fields


def _piecemeal(text: str, at: int) -> dict[str, str] | None:
    """The pairs of a line that has not just our keys in our order; None if it is not made of pairs, or has a key twice."""
    fields: dict[str, str] = {}
    key, value, ended = "", "", " "
    while (pair := _PAIR.match(text, at)) is not None:
        key, value, ended = pair.groups()
        if key in fields:
            return None
        fields[key] = value
        at = pair.end()
    if not _STUMP.match(text, at):
        return None
    if not ended and "reply" not in fields and value[:1] != '"':
        del fields[key]  # the last one may have been longer
    return _plain(fields, text)


def _from_json(text: str) -> dict[str, str] | None:
    try:
        loaded = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    return {
        key: "" if value is None else from_unicode(str(value))
        for key, value in loaded.items()
        if value is None or isinstance(value, str | int | float)
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that has each key once. Raises ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


_RCPT = re.compile(r"(?:\A|,)((?:[^,\\]|\\.)*+)", re.DOTALL)
_RCPT_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def rcpts_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """The recipients that the line names; `nrcpt` says how many there were."""
    text = fields.get("rcpt", "")
    if "\\" not in text:
        return tuple(text.split(",")) if text else ()
    return tuple(_RCPT_ESCAPE.sub(r"\1", rcpt) for rcpt in _RCPT.findall(text))


def evidence_of(fields: Mapping[str, str], recipient: str | None = None) -> Evidence:
    """The evidence that a parsed line holds: all that rules can ask about but `authenticated` and `tls`, which no line tells.
    `recipient`: whose evidence it is; None: that of the first one whom the line names.
    A fact that the line lacks is `unknown` (evidence.missing_facts names them), and so matches nothing."""
    get = fields.get
    rule, mailfrom, rcpt = get("rule", ""), get("mailfrom", ""), get("rcpt", "")
    if recipient is not None:
        rcpt = recipient
    elif "," in rcpt or "\\" in rcpt:
        rcpt = rcpts_of(fields)[0]
    exempt = rule[len(EXEMPT) :] if rule.startswith(EXEMPT) else ""
    return Evidence(
        _address(get("client", "")),
        get("helo_name", ""),
        "" if mailfrom == NULL_PATH else mailfrom,
        rcpt,
        exempt == "authenticated",
        False,
        exempt,
        _iprev(get("iprev", UNKNOWN), get("iprev_reason", UNKNOWN), get("ptr", ""), get("ptrs", "")),
        _generic(get("generic", UNKNOWN)),
        _helo(get("helo_kind", UNKNOWN), get("helo_own", UNKNOWN), get("helo", UNKNOWN), get("helo_match", UNKNOWN)),
        _spf(get("spf_helo", UNKNOWN)),
        _spf(get("spf_mailfrom", UNKNOWN)),
        get("mailfrom_match", UNKNOWN),
        _count(get("forged", "0")),
    )


# Millions of lines share a few thousand of these; they are frozen, so they may be shared.
_address = functools.lru_cache(maxsize=16384)(parse_address)
_generic = functools.lru_cache(maxsize=64)(Generic)
_helo = functools.lru_cache(maxsize=1024)(Helo)
_spf = functools.lru_cache(maxsize=64)(Spf)


@functools.lru_cache(maxsize=16384)
def _iprev(result: str, reason: str, ptr: str, count: str) -> Iprev:
    claimed = (ptr,) if ptr else ()
    return Iprev(result, reason, claimed if result == "pass" else (), claimed, _count(count))


def _count(text: str) -> int:
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else 0
