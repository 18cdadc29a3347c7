"""Programs and files of this host, as the checks of `doctor` need them. Time and size of each are bounded.

Reads only. Never raises if something is missing: a program that is missing, fails or takes too long has no output.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field

SECONDS = 2.5  # for one program
MAX_FILE = 1_000_000  # bytes
# postconf(1) is in /usr/sbin, which is not in every user's PATH.
_SBIN = ("/usr/sbin", "/sbin", "/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Host:
    """This host. `environment`: of the programs that are run; its MAIL_CONFIG leads postconf to another configuration."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def program(self, name: str) -> str | None:
        """Return the path of a program, None if this host has none of that name."""
        path = os.pathsep.join((self.environment.get("PATH", os.defpath), *_SBIN))
        return shutil.which(name, path=path)

    def output(self, *command: str) -> str | None:
        """Return what the command writes; None if its program is missing, fails or takes longer than SECONDS."""
        program = self.program(command[0])
        if program is None:
            return None
        try:
            done = subprocess.run(
                [program, *command[1:]],
                env={**self.environment, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    def text(self, path: str) -> str | None:
        """Return the text of a file, None if it cannot be read."""
        try:
            with open(path, "rb") as file:
                return file.read(MAX_FILE).decode("utf-8", "replace")
        except OSError:
            return None
