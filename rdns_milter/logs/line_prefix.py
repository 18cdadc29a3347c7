"""What log daemons and log viewers put before a line: date, host, program. One reader for our lines and the MTA's.

Pure text. Must never take another program's words for the beginning of a line: the program's name stands right behind the date
and the host, or the line is not its own. Every pattern takes time linear in the line, whatever a client has put into it.

RFC 3164 4.1 and RFC 5424 6; rsyslog's file formats, syslogd -v, Solaris' message id; journalctl's short, short-precise, short-iso,
short-full, short-unix, short-monotonic and with-unit; the timestamps and names that docker, docker compose and kubectl add.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_REPEATS = 100_000  # times that one line is counted at most, whatever it says
MAX_SEEN = 4096  # characters of a line in which its beginning is looked for

# Dates. The groups are what logs/timestamps.py reads: year, month, day, year, hour, minute; date, time, offset; seconds of the
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
# docker logs --timestamps, kubectl logs --timestamps; the files of Kubernetes' nodes ("stderr F"); svlogd.
_OUTER = r"\d{4}-\d\d-\d\d[T_]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)? (?:std(?:out|err) [FP] )?"
_LEVEL = r"(?:<[a-z0-9]{1,16}\.[a-z0-9]{1,16}> )?"  # syslogd -v
_BARE_LEVEL = r"(?:[a-z]{2,8}[0-7]?\.[a-z]{3,7} )?"  # BusyBox
_HOST = r"(?:(?:\[[0-9A-Fa-f:.]{2,45}\]|[^\s\[\]]{0,254}[^\s\[\]:]) )"
_DATED = rf"{_STAMP} {_LEVEL}{_HOST}{_BARE_LEVEL}"
_HOSTLESS = rf"{_STAMP} {_LEVEL}{_HOST}?{_BARE_LEVEL}"  # journalctl --no-hostname
_MESSAGE_ID = r"(?:\[ID \d{1,9} [a-z0-9.]{1,32}\] )?"  # Solaris
_VERSION_1 = rf"1 (?:{_STAMP}|-) \S{{1,255}}"  # RFC 5424: what stands before APP-NAME
_DATA = r'(?:-|(?:\[(?:[^\]"]++|"(?:[^"\\]++|\\.)*+")*+\])+)'


def before(tag: str) -> str:
    """A pattern, without groups, for all that may stand before the text of a line of the program with that tag (itself a pattern):
    from nothing at all to a container's name and date before a daemon's."""
    main = (
        rf"(?:<\d{{1,3}}>)?+(?:(?:{_DATED})?+{tag}(?:\[\d{{1,10}}\])?: {_MESSAGE_ID}"
        rf"|{_VERSION_1} {tag} \S{{1,128}} \S{{1,32}} {_DATA} {{1,2}}\ufeff?)"
    )
    # A daemon's beginning first: that is what most lines have.
    return rf"(?:{main}|{CONTAINER}(?:{main}|{_OUTER}(?:{main})?)?)"


_TAG = r"([^\s:\[\]]{1,128})"
_BEGINNING = re.compile(
    rf"({CONTAINER}(?:{_OUTER})??){PRIORITY}"
    rf"(?:({_HOSTLESS})?{_TAG}(?:\[([^\]\s]{{0,64}})\])?:(?: {_MESSAGE_ID}|\Z)"
    rf"|{_VERSION_1} ([^\s\[\]]{{1,128}}) (\S{{1,128}}) \S{{1,32}} {_DATA}(?: {{1,2}}\ufeff?|\Z))"
)
_REPEATED = re.compile(r"message repeated (\d{1,9}) times?: \[ ?(.*)\]\s*\Z", re.DOTALL)
_LAST_REPEATED = re.compile(
    rf"{CONTAINER}(?:{_OUTER})??{PRIORITY}{_HOSTLESS}(?:--- )?last message repeated (\d{{1,9}}) times?(?: ---)?\s*\Z"
)
# For those who have to be told.
KNOWN_FORMS = (
    "syslog's and rsyslog's (Nov 20 03:53:19 mx postfix/smtpd[1]: ..., 2026-11-20T03:53:19.123456+01:00 mx ...,"
    " RFC 5424), journalctl's (short, short-iso, short-full, short-unix, with-unit, export), docker's and"
    " kubectl's with or without dates"
)


class Beginning(NamedTuple):
    """What stands before a line's text: the program's tag, its process id ("" if it is not told), where the text begins, and
    whether a daemon's date or a container's name stands there too: "word: text" alone begins many a line."""

    tag: str
    pid: str
    end: int
    sure: bool


def beginning(line: str) -> Beginning | None:
    """The beginning of a line, whichever program's it is; None if it is none that is known."""
    match = _BEGINNING.match(line, 0, MAX_SEEN)
    if match is None:
        return None
    outer, dated, tag, pid, name, process = match.groups()
    if name:
        tag, pid = name, process
    if not pid or not (pid.isascii() and pid.isdecimal()):
        pid = ""
    return Beginning(tag, pid, match.end(), bool(dated or outer or name))


@dataclass(slots=True)
class Beginnings:
    """How the lines of a log begin. `known`: at least one in a way that is known; `unknown`: the first one that does not."""

    known: bool = False
    unknown: str = ""
    last: str = ""

    def saw(self, line: str, is_known: bool = False) -> None:
        """One more line. `is_known`: somebody has understood it."""
        self.last = line
        if self.known or not line.strip():
            return
        found = None if is_known else beginning(line)
        self.known = is_known or (found is not None and found.sure) or _LAST_REPEATED.match(line) is not None
        if not self.known and not self.unknown:
            self.unknown = line.strip()[:MAX_SEEN]

    def repeated(self, line: str) -> tuple[str, int]:
        """The line that was written again, where this one says so, and how many times, at most MAX_REPEATS; else ("", 0). `last`
        is the line before it: some daemons refer to that."""
        if "message repeated " not in line:
            return "", 0
        found = beginning(line)
        if found is not None and (inner := _REPEATED.match(line, found.end)):
            return line[: found.end] + inner[2], min(int(inner[1]), MAX_REPEATS)
        again = _LAST_REPEATED.match(line)
        return (self.last, min(int(again[1]), MAX_REPEATS)) if again is not None and self.last else ("", 0)
