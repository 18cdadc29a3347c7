"""Find the worker of the milter that has accepted a connection (proc(5)); the kernel chooses it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tests.kit.milter.conversation import Conversation
from tests.kit.milter.daemon import Daemon, until


def worker_of(dialogue: Conversation, workers: list[int]) -> int:
    """Return the worker at the other end of this connection to a port of 127.0.0.1. ValueError if none has accepted it yet."""
    ours, theirs = (
        f"0100007F:{port:04X}" for _, port in (dialogue.socket.getsockname(), dialogue.socket.getpeername())
    )
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{fields[9]}]" for fields in lines if fields[1:3] == [theirs, ours]}
    (pid,) = (pid for pid in workers if inodes & _links(pid))
    return pid


def connections_to_each(daemon: Daemon, count: int = 1) -> dict[int, list[Conversation]]:
    """Return negotiated connections, `count` for each worker."""
    held: dict[int, list[Conversation]] = {pid: [] for pid in daemon.workers()}

    def enough() -> bool:
        dialogue = Conversation(daemon.spec)
        theirs = held[worker_of(dialogue, list(held))]
        if len(theirs) < count:
            theirs.append(dialogue)
        else:
            dialogue.close()
        return all(len(dialogues) == count for dialogues in held.values())

    until(enough)
    return held


def _links(pid: int) -> set[str]:
    """Return the targets of a process's descriptors."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(entry))
    return found
