"""The RFC 7208 test suite: where it is, and its cases. It is not ours to distribute: it comes out of pyspf's sdist.

Looked for in this order: the directory or file that $RDNS_MILTER_SPF_SUITE names; the cache; the package index, by pip, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SDIST = "pyspf==2.0.14"
ARCHIVE = "pyspf-2.0.14.tar.gz"
MEMBER = "pyspf-2.0.14/test/rfc7208-tests.yml"
NAME = "rfc7208-tests.yml"
VARIABLE = "RDNS_MILTER_SPF_SUITE"
CASES = 203
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class SuiteCase:
    """One test. `allowed`: the results that pass, the preferred one first. `explanation`: what exp= must give; "" for none
    (the suite's DEFAULT); None where the suite does not say. `zonedata`: for Zone.from_suite; one object per scenario."""

    scenario: str
    name: str
    zonedata: Mapping[str, Any]
    client: str
    helo: str
    mailfrom: str
    allowed: tuple[str, ...]
    explanation: str | None

    def __str__(self) -> str:
        return self.name


def suite_file() -> Path:
    """The suite's YAML file, fetched if need be. Raises OSError or subprocess.SubprocessError if it cannot be had."""
    given = os.environ.get(VARIABLE)
    if given:
        path = Path(given)
        return path / NAME if path.is_dir() else path
    cached = _cache() / NAME
    if not cached.exists():
        _fetch(cached)
    return cached


def _cache() -> Path:
    """A directory that we may write to: in the home directory, else in the temporary one."""
    for base in (os.environ.get("XDG_CACHE_HOME"), os.path.expanduser("~/.cache"), tempfile.gettempdir()):
        if base:
            path = Path(base) / "rdns-milter-tests"
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError:
                continue
            if os.access(path, os.W_OK):
                return path
    raise OSError("no directory to keep the SPF suite in")


def _fetch(target: Path) -> None:
    """pip takes the sdist, and only its suite is kept. Written beside and renamed, since tests may run in parallel."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _download(Path(scratch))
        with tarfile.open(Path(scratch) / ARCHIVE) as archive:
            member = archive.extractfile(MEMBER)
            if member is None:
                raise OSError(f"{ARCHIVE} has no {MEMBER}")
            fresh = Path(scratch) / NAME
            fresh.write_bytes(member.read())
        os.replace(fresh, target)


def _download(directory: Path) -> None:
    """pip looks at the sdist's metadata, for which it needs setuptools: this environment's, else one that it builds itself."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(directory), SDIST]
    quick = subprocess.run([*command, "--no-build-isolation"], capture_output=True, timeout=_SECONDS, check=False)
    if quick.returncode != 0 or not (directory / ARCHIVE).exists():
        # Isolated, pip would build setuptools itself from source too, were all binaries refused.
        command[command.index(":all:")] = "pyspf"
        subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)


def cases(path: Path | None = None) -> Iterator[SuiteCase]:
    """All cases, in the order of the file."""
    with open(path or suite_file(), "rb") as file:
        for scenario in yaml.safe_load_all(file):
            for name, test in scenario["tests"].items():
                yield _case(scenario, name, test)


def _case(scenario: Mapping[str, Any], name: str, test: Mapping[str, Any]) -> SuiteCase:
    result, explanation = test["result"], test.get("explanation")
    return SuiteCase(
        scenario=str(scenario["description"]),
        name=name,
        zonedata=scenario["zonedata"],
        client=test["host"],
        helo=test["helo"],
        mailfrom=test["mailfrom"],
        allowed=(result,) if isinstance(result, str) else tuple(result),
        explanation="" if explanation == "DEFAULT" else explanation,
    )
