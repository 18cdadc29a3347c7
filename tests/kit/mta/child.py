"""A program that is not ours as a child process: started in the foreground with its output in a file, waited for, ended by its
pid.

    with Child("haproxy") as child:
        child.start(["haproxy", "-db", "-f", path], ready=lambda: taken("127.0.0.1", port))
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kit.milter.daemon import until

_PATIENCE = 20.0


class Child:
    """A server with a directory of its own, `.directory`, which all users can read and which is removed at the end."""

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"rdns-{name}-"))
        self.directory.chmod(0o755)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, command: Sequence[str], ready: Callable[[], bool]) -> Self:
        """Start the command and wait until it is ready; RuntimeError with its output if it ends before."""
        with self.output.open("ab") as output:
            process = self.process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            until(lambda: process.poll() is not None or ready())
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} did not start (status {process.returncode}): {self.said()}")
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def output(self) -> Path:
        """The file with its output."""
        return self.directory / "output"

    def said(self) -> str:
        """Return all of its output."""
        return self.output.read_text("utf-8", "replace")

    def write(self, name: str, content: str) -> str:
        """Write a file into its directory; return the path."""
        path = self.directory / name
        path.write_text(content)
        path.chmod(0o644)
        return str(path)

    def stop(self) -> None:
        """Send TERM, and KILL if it does not end."""
        process, self.process = self.process, None
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            if process.poll() is None:
                process.kill()
                process.wait(_PATIENCE)
        shutil.rmtree(self.directory, ignore_errors=True)
