"""What the limits leave: the tightest counts, shared among the workers; what cannot be read is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rdns_milter.daemon.resources.thread_limits import UNLIMITED, _tasks_left_of_cgroups, spare_threads

ROOT = Path(__file__).resolve().parents[4]


def cgroup(path: Path, most: str, current: str = "7") -> str:
    path.mkdir(exist_ok=True)
    (path / "pids.max").write_text(f"{most}\n")
    (path / "pids.current").write_text(f"{current}\n")
    return str(path)


def test_each_cgroup_above_counts(tmp_path: Path) -> None:
    root = cgroup(tmp_path, "max")
    limits = cgroup(tmp_path / "system.slice", "40", "39")
    own = cgroup(tmp_path / "system.slice" / "milter.service", "47")
    assert list(_tasks_left_of_cgroups([own, limits, root])) == [40, 1]
    assert list(_tasks_left_of_cgroups([str(tmp_path / "elsewhere"), root])) == []


@pytest.mark.parametrize("text", ["", "-", "max", "4 7"])
def test_what_is_no_number_is_no_limit(tmp_path: Path, text: str) -> None:
    assert list(_tasks_left_of_cgroups([cgroup(tmp_path, text)])) == []


def limited(limits: str) -> int:
    """What a process of its own has left, after these commands of the shell."""
    code = "import os; from rdns_milter.daemon.resources.thread_limits import spare_threads; print(spare_threads(1, os.getppid()))"
    command = f"{limits}; exec {sys.executable} -c '{code}'"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_address_space() -> None:
    assert 20 < limited("ulimit -s 8192; ulimit -v 600000") < 40
    assert limited("ulimit -s 1024; ulimit -v 600000") > 8 * 20
    assert limited("ulimit -s unlimited; ulimit -v 600000") < 40


def test_shared_by_all_workers() -> None:
    alone = spare_threads(1, os.getppid())
    assert alone == UNLIMITED or spare_threads(2, os.getppid()) <= alone
    assert spare_threads(UNLIMITED * 2, os.getppid()) == 0
