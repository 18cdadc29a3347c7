"""The directories of a cgroup and of those above it, of version 1 and 2 and of both; what is not readable is no cgroup."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdns_milter.daemon.resources.cgroups import cgroup_directories

VERSION_1 = "5:pids:/a\n4:cpu,cpuacct:/b/c\n1:name=systemd:/d\n"
CASES = [
    ("version 2", "0::/system.slice/milter.service\n", "cpu", ["/system.slice/milter.service", "/system.slice", ""]),
    ("version 2, in a namespace", "0::/\n", "cpu", [""]),
    ("version 1", VERSION_1, "pids", ["/pids/a", "/pids"]),
    ("version 1, two controllers", VERSION_1, "cpu", ["/cpu/b/c", "/cpu/b", "/cpu"]),
    ("version 1, without the controller", VERSION_1, "memory", []),
    ("both", VERSION_1 + "0::/e\n", "pids", ["/pids/a", "/pids", "/e", ""]),
    ("a path with a colon", "0::/a:b\n", "cpu", ["/a:b", ""]),
    ("no line of the kernel", "cpu\n", "cpu", []),
    ("empty", "", "cpu", []),
]


@pytest.mark.parametrize(
    ("text", "controller", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_own_and_those_above(tmp_path: Path, text: str, controller: str, expected: list[str]) -> None:
    own = tmp_path / "cgroup"
    own.write_text(text)
    assert list(cgroup_directories(controller, str(own), "/root")) == [f"/root{path}" for path in expected]


def test_a_system_without_cgroups(tmp_path: Path) -> None:
    assert list(cgroup_directories("cpu", str(tmp_path / "missing"))) == []
