"""Reading log files: every form of file, damaged ones and hostile ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.logs.files import MAX_INPUT_LINE, Logs, UnreadableLogError

CONTENT = b"first line\r\nd\xc3\xa9j\xc3\xa0 \xff\xfe vu\n\nlast, without an end"
LINES = ["first line", "déjà \udcff\udcfe vu", "", "last, without an end"]
PACKERS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress]


@pytest.mark.parametrize("pack", PACKERS)
def test_every_compression(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(pack(CONTENT))
    logs = Logs([str(tmp_path / "log")])
    assert list(logs) == LINES
    assert logs.troubles == []
    assert logs.position == logs.size == len(pack(CONTENT))
    assert list(Logs(["-"], io.BytesIO(pack(CONTENT)))) == LINES


def test_several_files_in_their_order_with_the_position(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}").write_text(f"a{number}\n" * 1000)
    logs = Logs([str(tmp_path / f"{number}") for number in (2, 0, 1)])
    seen, positions = [], []
    for line in logs:
        seen.append(line)
        positions.append(logs.position)
    assert seen == ["a2"] * 1000 + ["a0"] * 1000 + ["a1"] * 1000
    assert positions == sorted(positions)
    assert positions[-1] == logs.size == 9000


def test_rotated_twice_into_one_file(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert list(Logs([str(tmp_path / "log.gz")])) == ["one", "two"]


def test_a_pipe(tmp_path: Path) -> None:
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    logs = Logs([pipe])
    assert logs.size == 0
    writer = threading.Thread(target=lambda: Path(pipe).write_bytes(gzip.compress(CONTENT)))
    writer.start()
    assert list(logs) == LINES
    writer.join()


@pytest.mark.parametrize("pack", PACKERS[1:])
def test_a_damaged_file_gives_what_can_be_read_and_the_next_is_read_too(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    noise = os.urandom(1_500_000 if pack is bz2.compress else 200_000)  # several of its blocks
    packed = pack(b"\n".join(noise[at : at + 50].hex().encode() for at in range(0, len(noise), 50)))
    (tmp_path / "cut").write_bytes(packed[: len(packed) * 3 // 4])
    (tmp_path / "whole").write_bytes(b"whole\n")
    logs = Logs([str(tmp_path / "cut"), str(tmp_path / "whole")])
    lines = list(logs)
    assert lines[-1] == "whole"
    assert len(lines) > 100
    assert len(logs.troubles) == 1
    assert "cannot be read to its end" in logs.troubles[0]


def test_long_lines_are_cut_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(
        b"before\n" + b"x" * 3_000_000 + b"\n" + b"y" * (MAX_INPUT_LINE - 1) + b"\nafter\n" + b"z" * MAX_INPUT_LINE
    )
    logs = Logs([str(tmp_path / "log")])
    lines = list(logs)
    assert lines == ["before", "x" * MAX_INPUT_LINE, "y" * (MAX_INPUT_LINE - 1), "after", "z" * MAX_INPUT_LINE]


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLogError, match="no-such-file: No such file"):
        Logs([str(tmp_path / "no-such-file")])
    with pytest.raises(UnreadableLogError, match="is a directory"):
        Logs([str(tmp_path)])
    with pytest.raises(UnreadableLogError):
        Logs(["a\0b"])


def test_a_file_that_disappears_is_reported(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("line\n")
    logs = Logs([str(tmp_path / "log")])
    (tmp_path / "log").unlink()
    assert list(logs) == []
    assert "No such file" in logs.troubles[0]


@pytest.mark.parametrize("pack", PACKERS)
def test_dockers_files(pack: Callable[[bytes], bytes]) -> None:
    stamp = "2026-11-20T03:53:19.123456789Z"
    texts = ["action=accept rule=default", 'a "b" \u00e9', "{"]
    entries = [
        json.dumps({"log": f"{text}\n", "stream": "stderr", "time": stamp}, separators=(",", ":")) for text in texts
    ]
    damaged = ['{"log":"x"}', '{"log":', "[1]", "7", "", "[" * 10_000]
    content = "\n".join(entries + damaged).encode()
    assert list(Logs(["-"], io.BytesIO(pack(content)))) == [f"{stamp} {text}" for text in texts] + damaged


def field(key: bytes, value: bytes) -> bytes:
    """Return a field of the export format: as text if possible, else with its length."""
    if b"\n" in value or any(octet < 32 and octet != 9 for octet in value):
        return key + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return key + b"=" + value + b"\n"


def entry(message: bytes, **more: bytes) -> bytes:
    fields = {
        "__CURSOR": b"s=1;i=2",
        "__REALTIME_TIMESTAMP": b"1795222923123456",
        "_HOSTNAME": b"mail",
        "SYSLOG_IDENTIFIER": b"rdns-milter",
        "_PID": b"4711",
        "MESSAGE": message,
    } | more
    return b"".join(field(key.encode(), value) for key, value in fields.items()) + b"\n"


STAMP = "2026-11-21T01:02:03.123456+00:00 mail rdns-milter[4711]: "


@pytest.mark.parametrize("pack", PACKERS)
def test_journald_export(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = (
        entry(b"action=accept rule=default")
        + entry(b"two\nlines", X=b"\x00" * 100)
        + entry(b"d\xc3\xa9j\xc3\xa0 \xff", SYSLOG_PID=b"7")
        + field(b"__CURSOR", b"an entry without a message")
        + b"\n"
        + entry(b"no date", __REALTIME_TIMESTAMP=b"never")
        + entry(b"another", SYSLOG_IDENTIFIER=b"postfix/smtpd")
    )
    (tmp_path / "export").write_bytes(pack(content))
    assert list(Logs([str(tmp_path / "export")])) == [
        STAMP + "action=accept rule=default",
        STAMP + "two\nlines",
        STAMP.replace("4711", "7") + "déjà \udcff",
        "rdns-milter[4711]: no date",
        STAMP.replace("rdns-milter", "postfix/smtpd") + "another",
    ]


def test_journald_export_that_is_cut_or_has_wrong_lengths() -> None:
    whole = entry(b"whole")
    cut = b"__CURSOR=x\nMESSAGE\n" + (1 << 62).to_bytes(8, "little") + b"never that long"
    assert next(iter(Logs(["-"], io.BytesIO(whole + cut)))) == STAMP + "whole"
    long = entry(b"x" * 200_000) + entry(b"y\n" * 100_000) + whole
    lengths = [len(line) for line in Logs(["-"], io.BytesIO(long))]
    assert len(lengths) == 3
    assert max(lengths) <= MAX_INPUT_LINE + 200
    assert lengths[2] == len(STAMP + "whole")


@given(st.binary(max_size=300), st.sampled_from([b"", b"__CURSOR=", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00"]))
def test_never_raises_whatever_is_in_a_file(content: bytes, head: bytes) -> None:
    logs = Logs(["-"], io.BytesIO(head + content))
    for line in logs:
        assert isinstance(line, str)


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))))
def test_bytes_survive(lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    if content.startswith((b"BZh", b"\x1f\x8b", b"\xfd7zXZ", b"__CURSOR=")):
        return  # another format
    found = [line.encode("utf-8", "surrogateescape") for line in Logs(["-"], io.BytesIO(content))]
    assert found == lines
