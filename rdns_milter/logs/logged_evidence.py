"""Interpret the keys and values of a parsed log line: its recipients, its reply, and the evidence that the verdict was based on.

Pure, except for caches, which are bounded. Must never raise, whatever the values are.

packaging/doc/log.md.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from ..checks.evidence import MORE_SOURCES, PASS, UNKNOWN, Evidence, Generic, Helo, Iprev, Sources, Spf
from ..net.names import parse_address
from ..policy.rules import REPLIED
from ..text.escape import ELLIPSIS
from .decision_keys import EXEMPT, NULL_PATH, THROUGH_RELAY

_RCPT = re.compile(r"(?:\A|,)((?:[^,\\]|\\.)*+)", re.DOTALL)
_RCPT_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def rcpts_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """Return the recipients that the line names. A line need not name all; the key `nrcpt` has their number."""
    text = fields.get("rcpt", "")
    if "\\" not in text:
        return tuple(text.split(",")) if text else ()
    return tuple(_RCPT_ESCAPE.sub(r"\1", rcpt) for rcpt in _RCPT.findall(text))


def reply_of(fields: Mapping[str, str]) -> str:
    """Return the reply to the client; "" if the message was not refused or deferred, because `reply` can be a note then."""
    return fields.get("reply", "") if fields.get("action") in REPLIED else ""


def withheld_by_relay(fields: Mapping[str, str]) -> str:
    """Return the action that was not taken because the message came through a relay, "" if there is none."""
    is_withheld = fields.get("via") and fields.get("reply", "").startswith(f"({THROUGH_RELAY}: ")
    return fields.get("would", "") if is_withheld else ""


def evidence_of(fields: Mapping[str, str], recipient: str | None = None) -> Evidence:
    """Return the evidence in a parsed line: all that rules can test except `authenticated` and `tls`, which are not logged.

    `recipient`: None for the first one in the line. A fact that is not in the line is `unknown` and matches nothing; see
    evidence.missing_facts."""
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
        _address(get("via", "")),
        _held(get("client_spf")),
        _held(get("dnslist")),
    )


# Frozen records, shared between lines: millions of lines have a few thousand different ones.
_address = functools.lru_cache(maxsize=16384)(parse_address)
_generic = functools.lru_cache(maxsize=64)(Generic)
_helo = functools.lru_cache(maxsize=1024)(Helo)
_spf = functools.lru_cache(maxsize=64)(Spf)


@functools.lru_cache(maxsize=4096)
def _held(text: str | None) -> Sources | None:
    """Return the sources in a value of the line: a domain, or a list and its answer. Sources that are not in the value do not hold,
    unless the value ends with an ellipsis. None without a value."""
    if text is None:
        return None
    items = [item.partition(":") for item in text.split(",") if item and item != ELLIPSIS]
    found = tuple((name, value or PASS) for name, _, value in items)
    return (*found, MORE_SOURCES) if text.endswith(ELLIPSIS) else found


@functools.lru_cache(maxsize=16384)
def _iprev(result: str, reason: str, ptr: str, count: str) -> Iprev:
    claimed = (ptr,) if ptr else ()
    return Iprev(result, reason, claimed if result == "pass" else (), claimed, _count(count))


def _count(text: str) -> int:
    return int(text) if len(text) < 10 and text.isascii() and text.isdecimal() else 0
