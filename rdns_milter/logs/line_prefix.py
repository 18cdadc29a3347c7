"""Recognize the prefix that log daemons and log viewers write before a line: date, host, program. The milter's own lines and those
of MTAs are read alike.

Pure. Must never take a part of another program's message for a prefix: the program's name follows directly after date and host.
Every pattern takes time linear in the length of the line, whatever a client has put into it.

RFC 3164 section 4.1 and RFC 5424 section 6; rsyslog's file formats, syslogd -v, Solaris' message id; journalctl's short,
short-precise, short-iso, short-full, short-unix, short-monotonic and with-unit; the timestamps and names of docker, docker compose
and kubectl.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_REPEATS = 100_000  # the largest number of repetitions that is counted for one line
MAX_PREFIX = 4096  # characters of a line in which a prefix is looked for

# Dates. The groups are for logs/timestamps.py: year, month, day, year, hour, minute; date, time, offset, zone; seconds since the
# epoch.
_TRADITIONAL = r"(?:(\d{4}) )?([A-Z][a-z]{2}) (\d\d| ?\d)(?: (\d{4}))? (\d\d):(\d\d):\d\d(?:[.,]\d{1,9})?"
_ISO = (
    r"(?:[A-Z][a-z]{2} )?(\d{4}-\d\d-\d\d)[T _](\d\d:\d\d)(?::\d\d)?(?:[.,]\d{1,9})?"
    r"(?: ?(Z|[+-]\d\d(?::?\d\d)?)| (UTC|GMT|[A-Z]{3,5}(?= )))?"
)
_EPOCH = r"(\d{9,10})\.\d{3,9}"
_SINCE_BOOT = r"\[ {0,12}\d{1,9}\.\d{3,6}(?: < {1,12}\d{1,9}\.\d{3,6} ?>| {15,24})?\]"
STAMP = rf"(?:{_TRADITIONAL}|{_ISO}|{_EPOCH}|{_SINCE_BOOT})"
PRIORITY = r"(?:<\d{1,3}>)?"
VERSION = r"(?:1 )?"  # RFC 5424
# docker compose: "mta-1  | "; kubectl logs --prefix: "[pod/mail-0/mta] ".
CONTAINER = r"(?:[\w.@-]{1,128}+ *\| |\[pod/[\w./-]{1,256}\] )?"


def _without_groups(pattern: str) -> str:
    return re.sub(r"\((?!\?)", "(?:", pattern)


_STAMP = _without_groups(STAMP)
# docker logs --timestamps, kubectl logs --timestamps; log files on Kubernetes nodes ("stderr F"); svlogd.
_OUTER = r"\d{4}-\d\d-\d\d[T_]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)? (?:std(?:out|err) [FP] )?"
_LEVEL = r"(?:<[a-z0-9]{1,16}\.[a-z0-9]{1,16}> )?"  # syslogd -v
_BARE_LEVEL = r"(?:[a-z]{2,8}[0-7]?\.[a-z]{3,7} )?"  # BusyBox
_HOST = r"(?:(?:\[[0-9A-Fa-f:.]{2,45}\]|[^\s\[\]]{0,254}[^\s\[\]:]) )"
_DATED = rf"{_STAMP} {_LEVEL}{_HOST}{_BARE_LEVEL}"
_HOSTLESS = rf"{_STAMP} {_LEVEL}{_HOST}?{_BARE_LEVEL}"  # journalctl --no-hostname
_MESSAGE_ID = r"(?:\[ID \d{1,9} [a-z0-9.]{1,32}\] )?"  # Solaris
_VERSION_1 = rf"1 (?:{_STAMP}|-) \S{{1,255}}"  # RFC 5424: the fields before APP-NAME
_DATA = r'(?:-|(?:\[(?:[^\]"]++|"(?:[^"\\]++|\\.)*+")*+\])+)'


def prefix_pattern(tag: str) -> str:
    """Return a pattern without groups for every prefix that a line of one program can have. There can be none, a log daemon's, a
    container's name and date, or both. `tag`: a pattern for the program's name."""
    main = (
        rf"(?:<\d{{1,3}}>)?+(?:(?:{_DATED})?+{tag}(?:\[\d{{1,10}}\])?: {_MESSAGE_ID}"
        rf"|{_VERSION_1} {tag} \S{{1,128}} \S{{1,32}} {_DATA} {{1,2}}\ufeff?)"
    )
    # A log daemon's prefix first, because most lines have one.
    return rf"(?:{main}|{CONTAINER}(?:{main}|{_OUTER}(?:{main})?)?)"


_TAG = r"([^\s:\[\]]{1,128})"
_PREFIX = re.compile(
    rf"({CONTAINER}(?:{_OUTER})??){PRIORITY}"
    rf"(?:({_HOSTLESS})?{_TAG}(?:\[([^\]\s]{{0,64}})\])?:(?: {_MESSAGE_ID}|\Z)"
    rf"|{_VERSION_1} ([^\s\[\]]{{1,128}}) (\S{{1,128}}) \S{{1,32}} {_DATA}(?: {{1,2}}\ufeff?|\Z))"
)
_REPEATED = re.compile(r"message repeated (\d{1,9}) times?: \[ ?(.*)\]\s*\Z", re.DOTALL)
_LAST_REPEATED = re.compile(
    rf"{CONTAINER}(?:{_OUTER})??{PRIORITY}{_HOSTLESS}(?:--- )?last message repeated (\d{{1,9}}) times?(?: ---)?\s*\Z"
)
# For error messages.
KNOWN_FORMS = (
    "syslog's and rsyslog's (Nov 20 03:53:19 mx postfix/smtpd[1]: ..., 2026-11-20T03:53:19.123456+01:00 mx ...,"
    " RFC 5424), journalctl's (short, short-iso, short-full, short-unix, with-unit, export), docker's and"
    " kubectl's with or without dates"
)


class Prefix(NamedTuple):
    """The prefix of a line.

    `tag`: the program's name; `pid`: its process id, "" if there is none; `end`: the index at which the text begins; `is_certain`:
    True if there is a date or a container's name too, because "word: " alone can be the start of any text."""

    tag: str
    pid: str
    end: int
    is_certain: bool


def find_prefix(line: str) -> Prefix | None:
    """Return the prefix of a line of any program; None if it has no known form."""
    match = _PREFIX.match(line, 0, MAX_PREFIX)
    if match is None:
        return None
    outer, dated, tag, pid, name, process = match.groups()
    if name:
        tag, pid = name, process
    if not pid or not (pid.isascii() and pid.isdecimal()):
        pid = ""
    return Prefix(tag, pid, match.end(), bool(dated or outer or name))


@dataclass(slots=True)
class PrefixForms:
    """The forms of prefixes in a log. `known`: True if at least one line has a known form; `unknown`: the first line that has none;
    `last`: the latest line."""

    known: bool = False
    unknown: str = ""
    last: str = ""

    def note(self, line: str, is_known: bool = False) -> None:
        """Note one more line. `is_known`: True if the caller has recognized its form."""
        self.last = line
        if self.known or not line.strip():
            return
        found = None if is_known else find_prefix(line)
        self.known = is_known or (found is not None and found.is_certain) or _LAST_REPEATED.match(line) is not None
        if not self.known and not self.unknown:
            self.unknown = line.strip()[:MAX_PREFIX]

    def repeated(self, line: str) -> tuple[str, int]:
        """Return the repeated line, and the number of repetitions, at most MAX_REPEATS, if the line reports one; else ("", 0).

        Some log daemons repeat the line in the report. Others refer to the line before the report, which is `last`."""
        if "message repeated " not in line:
            return "", 0
        found = find_prefix(line)
        if found is not None and (inner := _REPEATED.match(line, found.end)):
            return line[: found.end] + inner[2], min(int(inner[1]), MAX_REPEATS)
        again = _LAST_REPEATED.match(line)
        return (self.last, min(int(again[1]), MAX_REPEATS)) if again is not None and self.last else ("", 0)
