"""The milter with a socket that the test opens, as systemd would, and hands over at each start.

with ActivatedDaemon(rules=RULES, nameserver=server) as daemon:
    daemon.terminate()
    ...  # a client that connects now waits
    daemon.start()
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import Any

from tests.kit.milter.daemon import ROOT, Daemon, environment, until
from tests.kit.milter.endpoint import parse_endpoint

BACKLOG = 511
# As a manager does: the socket becomes descriptor 3, and the process is told that this is meant for it.
_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class ActivatedDaemon(Daemon):
    """`listener`: the socket, open from beginning to end; `handed`: the number of sockets that the daemon is told it has."""

    def __init__(self, *arguments: Any, handed: int = 1, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.handed = handed
        where = parse_endpoint(self.spec)
        self.listener = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(where)
        self.listener.listen(BACKLOG)

    def launch(self) -> subprocess.Popen[bytes]:
        fd = self.listener.fileno()
        command = ["-m", "rdns_milter", "run", "-c", str(self.path)]
        said = self.log().count(": listening at ")
        with self.output.open("ab") as output:
            process = self.process = subprocess.Popen(
                [sys.executable, "-c", _HAND_OVER, str(fd), *command],
                cwd=ROOT,
                env=environment() | {"LISTEN_FDS": str(self.handed)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[fd],
            )
        until(lambda: self.log().count(": listening at ") > said or process.poll() is not None)
        return process

    def stop(self) -> None:
        super().stop()
        where = self.listener.getsockname()
        self.listener.close()
        if isinstance(where, str):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(where)
