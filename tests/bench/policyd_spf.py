"""Debian's policyd-spf as a policy service of Postfix (SMTPD_POLICY_README): the installed one, or one unpacked for the run.

Installs nothing. The dependencies of policyd-spf (python3-spf, python3-authres, a DNS library) must be installed.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("postfix-policyd-spf-python", "python3-spf-engine")
INSTALLED = Path("/usr/bin/policyd-spf")
PYTHON = "/usr/bin/python3"
SERVICE = "policyd-spf"
# Checks all clients; the installed file excludes loopback.
CONFIG = """
debugLevel = 0
TestOnly = 1
HELO_reject = Fail
Mail_From_reject = Fail
PermError_reject = False
TempError_Defer = False
skip_addresses = 192.0.2.254/32
"""


class NoPolicyd(RuntimeError):
    """policyd-spf is not available; the text says why."""


@contextlib.contextmanager
def policyd_spf() -> Iterator[str]:
    """Return a line of master.cf for the service. Raises NoPolicyd."""
    with tempfile.TemporaryDirectory(prefix="rdns-policyd-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        program, library = INSTALLED, "/usr/lib/python3/dist-packages"
        if not program.exists():
            _unpack(directory)
            program, library = directory / "usr/bin/policyd-spf", str(directory / "usr/lib/python3/dist-packages")
        config = directory / "policyd-spf.conf"
        config.write_text(CONFIG)
        config.chmod(0o644)
        command = ["/usr/bin/env", f"PYTHONPATH={library}", PYTHON, str(program), str(config)]
        _try(command)
        yield f"{SERVICE} unix - n n - 0 spawn user=nobody argv={' '.join(command)}\n"


def _unpack(directory: Path) -> None:
    _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], directory)
    for package in directory.glob("*.deb"):
        _run(["dpkg-deb", "-x", package.name, "."], directory)


def _run(command: list[str], directory: Path) -> None:
    try:
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoPolicyd(f"{command[0]}: {error}") from error


def _try(command: list[str]) -> None:
    """Check that it answers. The client is one that it excludes, so no DNS is needed."""
    request = (
        "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.254\nhelo_name=x.example\nsender=\n"
    )
    request += "recipient=b@rcpt.example\ninstance=1\n\n"
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoPolicyd(str(error)) from error
    if not done.stdout.startswith("action="):
        raise NoPolicyd(f"policyd-spf gives no answer: {done.stdout[-300:]}{done.stderr[-300:]}")
