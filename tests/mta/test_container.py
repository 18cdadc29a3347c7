"""The containers, tried without a container engine: packaging/try-container.sh, in copies of the root that RDNS_MILTER_PRISTINE
names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.kit.milter.daemon import ROOT

PRISTINE = os.environ.get("RDNS_MILTER_PRISTINE", "")


@pytest.mark.skipif(not PRISTINE, reason="RDNS_MILTER_PRISTINE names no root (debootstrap --variant=minbase bookworm)")
def test_it_works_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "packaging/try-container.sh", PRISTINE],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n  ok ") >= 10
    assert "NOT OK" not in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_usage() -> None:
    for argument, status in (("--help", 0), ("--kep", 2)):
        done = subprocess.run(
            ["sh", "packaging/try-container.sh", argument], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == status
        assert "sh packaging/try-container.sh PRISTINE" in done.stdout
