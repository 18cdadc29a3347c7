"""How many CPUs the service may use: the affinity or the tightest quota; and one core for each worker, if there are enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdns_milter.config.load import Config
from rdns_milter.config.sections.milter import Milter
from rdns_milter.daemon.resources import cpus
from rdns_milter.daemon.resources.cpus import _quotas, cpu_count, pin_to_core
from rdns_milter.daemon.worker_pool import worker_count


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Let this process have 4 cores, not numbered from 0. Return the list of the cores to which it is pinned."""
    calls: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 8, 9})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: calls.append(cores))
    return calls


def version_2(path: Path, text: str) -> str:
    path.mkdir(parents=True, exist_ok=True)
    (path / "cpu.max").write_text(text)
    return str(path)


def version_1(path: Path, quota: str, period: str) -> str:
    path.mkdir(parents=True, exist_ok=True)
    (path / "cpu.cfs_quota_us").write_text(quota)
    (path / "cpu.cfs_period_us").write_text(period)
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200000 100000\n", [2]),
        ("150000 100000\n", [2]),  # rounded up
        ("1000 100000\n", [1]),
        ("50000 20000\n", [3]),
        ("max 100000\n", []),
        ("0 100000\n", []),
        ("100000 0\n", []),
        ("100000\n", []),
        ("", []),
        ("many few\n", []),
    ],
)
def test_quota_of_version_2(tmp_path: Path, text: str, expected: list[int]) -> None:
    assert list(_quotas([version_2(tmp_path, text)])) == expected


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [
        ("200000\n", "100000\n", [2]),
        ("250001\n", "250000\n", [2]),
        ("-1\n", "100000\n", []),
        ("", "100000\n", []),
        ("100000\n", "-\n", []),
    ],
)
def test_quota_of_version_1(tmp_path: Path, quota: str, period: str, expected: list[int]) -> None:
    assert list(_quotas([version_1(tmp_path, quota, period)])) == expected


def test_each_cgroup_above_counts(tmp_path: Path) -> None:
    directories = [
        version_2(tmp_path / "a" / "b", "300000 100000\n"),
        version_2(tmp_path / "a", "max 100000\n"),
        version_1(tmp_path / "old", "100000\n", "100000\n"),
        str(tmp_path),
        str(tmp_path / "missing"),
    ]
    assert list(_quotas(directories)) == [3, 1]


def test_a_file_that_cannot_be_read_is_no_limit(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").mkdir()
    (tmp_path / "not-ascii").mkdir()
    (tmp_path / "not-ascii" / "cpu.max").write_bytes(b"\xff\xff 100000\n")
    assert list(_quotas([str(tmp_path), str(tmp_path / "not-ascii")])) == []


@pytest.mark.parametrize(
    ("quotas", "expected"), [([], 4), (["max 100000"], 4), (["150000 100000"], 2), (["900000 100000"], 4)]
)
@pytest.mark.usefixtures("pinned")
def test_affinity_or_quota(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quotas: list[str], expected: int) -> None:
    """The smaller of both, and the number of workers unless it is set."""
    directories = [version_2(tmp_path / str(number), text) for number, text in enumerate(quotas)]
    monkeypatch.setattr(cpus, "cgroup_directories", lambda controller: directories if controller == "cpu" else [])
    assert cpu_count() == expected
    assert worker_count(Config()) == expected
    assert worker_count(Config(milter=Milter(workers=7))) == 7


def test_each_worker_has_a_core(pinned: list[set[int]]) -> None:
    for number in range(4):
        pin_to_core(number, 4)
    assert pinned == [{2}, {3}, {8}, {9}]


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_fewer_or_more_workers_than_cores_are_not_pinned(pinned: list[set[int]], workers: int) -> None:
    pin_to_core(0, workers)
    assert pinned == []


@pytest.fixture
def one_core() -> Iterator[None]:
    """Restrict this process to one core, as taskset(1) or a cpuset does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_core")
def test_a_real_affinity() -> None:
    assert cpu_count() == 1
