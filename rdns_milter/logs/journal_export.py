"""Read journald's export format (`journalctl -o export`) as the lines of a syslog file.

A stream: holds one entry, and at most MAX_FIELD bytes of a field. Must never raise on its contents: a truncated journal ends with
its last complete entry.

systemd's JOURNAL_EXPORT_FORMATS: fields are KEY=VALUE, or KEY, a length of eight bytes and that many bytes; an empty line ends an
entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

MAX_FIELD = 65_536
MAGIC = b"__CURSOR="
_LONGEST_KEY = 256
_CHUNK = 1 << 20
_WANTED = frozenset((b"MESSAGE", b"__REALTIME_TIMESTAMP", b"_HOSTNAME", b"SYSLOG_IDENTIFIER", b"SYSLOG_PID", b"_PID"))

Entry = dict[bytes, bytes]


def lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the messages, each with date, host and program in front as rsyslog writes them. Entries without a message are
    skipped."""
    entry: Entry = {}
    while line := stream.readline(MAX_FIELD):
        if line == b"\n":
            yield from _line(entry)
            entry = {}
            continue
        key, equals, value = line.partition(b"=")
        if equals:
            if not value.endswith(b"\n"):
                _skip_line(stream)
            _keep(entry, key, value.removesuffix(b"\n"))
        else:
            key = line.removesuffix(b"\n")
            size = stream.read(8)
            if len(key) > _LONGEST_KEY or len(size) < 8:
                return
            _keep(entry, key, _read(stream, int.from_bytes(size, "little")))
            stream.read(1)
    yield from _line(entry)


def _keep(entry: Entry, key: bytes, value: bytes) -> None:
    if key in _WANTED:
        entry.setdefault(key, value)


def _read(stream: BinaryIO, size: int) -> bytes:
    value = stream.read(min(size, MAX_FIELD))
    left = size - len(value)
    while left > 0 and (skipped := stream.read(min(left, _CHUNK))):
        left -= len(skipped)
    return value


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(MAX_FIELD)) and not rest.endswith(b"\n"):
        pass


def _line(entry: Entry) -> Iterator[str]:
    if b"MESSAGE" not in entry:
        return
    text = {key: value.decode("utf-8", "surrogateescape") for key, value in entry.items()}
    pid = text.get(b"SYSLOG_PID") or text.get(b"_PID")
    program = text.get(b"SYSLOG_IDENTIFIER") or "unknown"
    before = f"{program}[{pid}]: " if pid else f"{program}: "
    if date := _date(text.get(b"__REALTIME_TIMESTAMP", "")):
        before = f"{date} {text.get(b'_HOSTNAME') or 'localhost'} {before}"
    yield before + text[b"MESSAGE"]


def _date(microseconds: str) -> str:
    """Return the time by RFC 3339 as rsyslog writes it; "" if it is not valid."""
    try:
        return datetime.fromtimestamp(int(microseconds) / 1e6, UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError, OSError):
        return ""
