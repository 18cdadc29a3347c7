"""Find the RFC 7208 test suite, and read its cases. The suite is not part of this repository; it is in pyspf's sdist.

Searched in this order: the directory or file in $RDNS_MILTER_SPF_SUITE, the cache, the package index (downloaded once, with pip).
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
from types import MappingProxyType
from typing import Any

import yaml

SDIST = "pyspf==2.0.14"
ARCHIVE = "pyspf-2.0.14.tar.gz"
MEMBER = "pyspf-2.0.14/test/rfc7208-tests.yml"
NAME = "rfc7208-tests.yml"
VARIABLE = "RDNS_MILTER_SPF_SUITE"
CASES = 203
# Results other than the preferred one, by the names of the cases. The order of an RRset is not defined: the milter sorts names
# before it takes ten, and the one that matches is among them.
NOT_PREFERRED: Mapping[str, str] = MappingProxyType({"multispf1": "fail", "ptr-limit": "pass"})
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class SuiteCase:
    """One test. `allowed`: the results that pass, the preferred one first; `explanation`: the expected explanation, "" for none
    (the suite's DEFAULT), None if the suite does not say; `zonedata`: for Zone.from_suite, one object for each scenario."""

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


def expected(case: SuiteCase) -> str:
    """Return the result that the milter must find: the preferred one, with the exceptions of NOT_PREFERRED."""
    return NOT_PREFERRED.get(case.name, case.allowed[0])


def suite_file() -> Path:
    """Return the path of the suite's YAML file; fetch it if necessary. Raises OSError or subprocess.SubprocessError."""
    given = os.environ.get(VARIABLE)
    if given:
        path = Path(given)
        return path / NAME if path.is_dir() else path
    cached = _cache() / NAME
    if not cached.exists():
        _fetch(cached)
    return cached


def _cache() -> Path:
    """Return a writable directory: in the home directory, else in the temporary one."""
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
    """Download the sdist and keep only its suite. The file is renamed into place, because tests may run in parallel."""
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
    """Download the sdist. For its metadata pip needs setuptools: that of this environment or, if this fails, one that it
    fetches."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(directory), SDIST]
    quick = subprocess.run([*command, "--no-build-isolation"], capture_output=True, timeout=_SECONDS, check=False)
    if quick.returncode != 0 or not (directory / ARCHIVE).exists():
        # With `:all:` and build isolation pip would build setuptools from source too.
        command[command.index(":all:")] = "pyspf"
        subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)


def cases(path: Path | None = None) -> Iterator[SuiteCase]:
    """Yield all cases in the order of the file."""
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
