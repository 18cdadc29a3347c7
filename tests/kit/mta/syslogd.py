"""A syslog daemon for a program in a root of its own: a datagram socket, and the lines in a file as a log daemon writes them.

glibc sends the form of RFC 3164 5.4: `<22>Nov 21 05:43:01 program[123]: text`.
"""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "mx"
_STAMPED = re.compile(r"<\d{1,3}>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (.*)", re.DOTALL)
_LONGEST = 1 << 16


class Syslog:
    """Listen at `socket_path` and write to `file`, each line whole."""

    def __init__(self, socket_path: Path, file: Path) -> None:
        self.file = file
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(socket_path))
        socket_path.chmod(0o666)
        file.touch()
        self._thread = threading.Thread(target=self._listen, name="syslog", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Write all that has arrived, and close. May be called twice."""
        if self._thread.is_alive():
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join(10)
        self._socket.close()

    def text(self) -> str:
        """Return the log so far."""
        return self.file.read_text("utf-8", "surrogateescape")

    def _listen(self) -> None:
        with self.file.open("a", encoding="utf-8", errors="surrogateescape", buffering=1) as file:
            while datagram := self._socket.recv(_LONGEST):
                stamped = _STAMPED.match(datagram.decode("utf-8", "surrogateescape").rstrip("\n\0"))
                if stamped:
                    file.write(f"{stamped[1]} {HOST} {stamped[2]}\n")
