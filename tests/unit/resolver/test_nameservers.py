"""resolv.conf as the C library reads it, and changes of it. The expected servers are those of glibc's res_ninit(3)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdns_milter.net.endpoints import Endpoint, parse_nameserver
from rdns_milter.resolver.nameservers import NoNameservers, SystemNameservers, nameservers, parse_resolv_conf

FILES = [
    (b"nameserver 192.0.2.1\n", ["192.0.2.1"]),
    (b"nameserver 192.0.2.1", ["192.0.2.1"]),
    (b"nameserver\t192.0.2.1 # x\n", ["192.0.2.1"]),
    (b"nameserver foo\nnameserver 192.0.2.2\n", ["192.0.2.2"]),
    (b"\xff\xfe\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
    (b"\xef\xbb\xbfnameserver 192.0.2.1\nnameserver 192.0.2.2\n", ["192.0.2.2"]),
    (b"# caf\xe9\nsearch b\xfccher.example\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
    (b"search .. x\ndomain a..b\noptions ndots:x edns0\nsortlist x\nnameserver 192.0.2.1\n", ["192.0.2.1"]),
    (b"search " + b"a" * 70 + b".example\nnameserver ::1\n", ["::1"]),
    (b"nameserver 192.0.2.1\r\nnameserver 192.0.2.2\n", ["192.0.2.2"]),
    (b"nameserver 127.1\nnameserver 0x7f.2\n", ["127.0.0.1", "127.0.0.2"]),
    (b"nameserver fe80::1%eth0\nnameserver ::1\n", ["fe80::1%eth0", "::1"]),
    (b"nameserver FE80:0::1%2\n", ["fe80::1%2"]),
    (b"nameserver [::1]\nnameserver 192.0.2.1:53\nnameserver 192.0.2.3\n", ["192.0.2.3"]),
    (
        b"nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n",
        ["192.0.2.1", "192.0.2.2"],
    ),
    (b"".join(b"nameserver 192.0.2.%d\n" % n for n in range(9)), ["192.0.2.0", "192.0.2.1", "192.0.2.2"]),
    (b"nameserver \0 192.0.2.1\nnameserver 192.0.2.2\n", ["192.0.2.2"]),
    (b"nameserver 192.0.2.1\0junk\nnameserver 192.0.2.2\n", ["192.0.2.1", "192.0.2.2"]),
    (b" nameserver 192.0.2.1\n\tnameserver 192.0.2.2\n", []),
    (b"NAMESERVER 192.0.2.1\nnameserver2 192.0.2.1\nnameserver\x0b192.0.2.1\n", []),
    (b"nameserver 192.0.2.1;x\nnameserver 192.0.2.1#x\nnameserver https://192.0.2.1/\n", []),
    (b"# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n", []),
    (b"nameserver\nnameserver \nnameserver fe80::1%\nnameserver 192.0.2.1%eth0\n", []),
    (b"", []),
]


@pytest.mark.parametrize(("content", "hosts"), FILES)
def test_resolv_conf(content: bytes, hosts: list[str], tmp_path: Path) -> None:
    expected = tuple(Endpoint(host, 53) for host in hosts)
    assert parse_resolv_conf(content) == expected
    path = tmp_path / "resolv.conf"
    path.write_bytes(content)
    if expected:
        assert nameservers((), str(path)) == expected
    else:
        with pytest.raises(NoNameservers, match=r"names no usable name server; set dns\.nameservers"):
            nameservers((), str(path))


def test_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(NoNameservers, match="cannot be read"):
        nameservers((), str(tmp_path / "resolv.conf"))
    configured = (Endpoint("192.0.2.1", 5353),)
    assert nameservers(configured, str(tmp_path / "resolv.conf")) == configured


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fe80::1%eth0", Endpoint("fe80::1%eth0", 53)),
        ("[fe80::1%eth0]:5353", Endpoint("fe80::1%eth0", 5353)),
        ("[FE80:0:0::1%3]", Endpoint("fe80::1%3", 53)),
    ],
)
def test_scoped_address(text: str, expected: Endpoint) -> None:
    assert parse_nameserver(text) == expected
    assert parse_nameserver(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["fe80::1%", "fe80::1%a b", "fe80::1%eth0%1", "192.0.2.1%eth0", "fe80::1%" + "e" * 16, "%eth0"]
)
def test_no_scoped_address(text: str) -> None:
    with pytest.raises(ValueError, match="not an address of a name server"):
        parse_nameserver(text)


def replace(path: Path, text: str) -> None:
    """Replace a file by a new file."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.rename(path)


def test_changes_are_noticed(tmp_path: Path) -> None:
    """Changes in place, by replacement and through a link. Each is returned once, as soon as two polls have found the same file."""
    real, path = tmp_path / "stub-resolv.conf", tmp_path / "resolv.conf"
    real.write_text("nameserver 192.0.2.1\n")
    path.symlink_to(real)
    system = SystemNameservers(str(path))
    first, second, third, fourth = (Endpoint(f"192.0.2.{n}", 53) for n in (1, 2, 3, 40))
    assert [system.poll(()) for _ in range(3)] == [None, (first,), None]
    real.write_text("nameserver 192.0.2.2\n")
    os.utime(real, ns=(1, 1))
    assert [system.poll(()) for _ in range(3)] == [None, (second,), None]
    replace(real, "nameserver 192.0.2.3\n")
    assert [system.poll(()) for _ in range(3)] == [None, (third,), None]
    real.write_text("nameserver 192.0.2.4")
    assert system.poll(()) is None
    real.write_text("nameserver 192.0.2.40\n")
    assert [system.poll(()) for _ in range(3)] == [None, (fourth,), None]


@pytest.mark.parametrize("broken", ["", "search example.com\n", None])
def test_a_file_without_servers_is_reported_once(broken: str | None, tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 192.0.2.1\n")
    system = SystemNameservers(str(path))
    system.poll(())
    assert system.poll(()) is not None
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    assert system.poll(()) is None
    with pytest.raises(NoNameservers):
        system.poll(())
    assert [system.poll(()) for _ in range(3)] == [None] * 3
    path.write_text("nameserver 192.0.2.1\n")
    assert [system.poll(()) for _ in range(2)] == [None, (Endpoint("192.0.2.1", 53),)]


def test_configured_servers_need_no_file(tmp_path: Path) -> None:
    system = SystemNameservers(str(tmp_path / "resolv.conf"))
    assert [system.poll((Endpoint("192.0.2.1", 53),)) for _ in range(3)] == [None] * 3
