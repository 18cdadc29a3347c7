"""A daemon that forks: started in a session of its own and ended with all of its children, also when the test process was killed.

It signals only processes that it has started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# Ends the daemon when our end of its standard input closes without a word, that is, when we were killed. Daemons change their
# credentials, and that undoes a parent-death signal: so somebody must watch.
WATCHDOG = 'read -r word && exit; kill -TERM "$1"; sleep 1; rm -rf -- "$2"'
PATIENCE = 10.0
CLONE = Path(__file__).resolve().parents[3]
_GRACE = 0.2


class ProcessGroup:
    """Run `command`; `directory` is removed if the test process is killed. `.leader`: the process that was started."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        quiet = subprocess.DEVNULL
        self.leader = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "sh", str(self.leader.pid), str(directory)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """End all of its processes, with TERM, then with KILL. Raises TimeoutError if one does not end."""
        self._watchdog.communicate(b"done\n", timeout=PATIENCE)
        self.leader.terminate()
        try:
            self.leader.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.leader.kill()
            self.leader.wait(PATIENCE)
        self._end_children()

    def _end_children(self) -> None:
        """Wait for the children, which the leader has told to end; one that it was just starting may have missed that."""
        began = time.monotonic()
        while left := list(members(self.leader.pid)):
            waited = time.monotonic() - began
            if waited > PATIENCE:
                raise TimeoutError(f"processes that do not end: {left}")
            for pid in left if waited > _GRACE else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def members(session: int) -> Iterator[int]:
    """Yield the living processes of a session, without zombies."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            state = _stat(int(entry))
            if len(state) > 3 and state[0] != "Z" and int(state[3]) == session:
                yield int(entry)


def _stat(pid: int) -> list[str]:
    return _fields(Path(f"/proc/{pid}/stat"))


def _fields(stat: Path) -> list[str]:
    """Return the fields after the name of a file such as /proc/PID/stat: state, parent, group, session ...; empty if it is gone."""
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()
    return []


def alive(pid: int) -> bool:
    """Return whether the process exists and is not a zombie."""
    return _stat(pid)[:1] not in ([], ["Z"])


def stopped(pid: int) -> bool:
    """Return whether a signal has stopped all threads of that process."""
    return all(_fields(path)[:1] in ([], ["T"]) for path in Path(f"/proc/{pid}/task").glob("*/stat"))


def ends_with_its_parent(opening: str, daemon: str) -> bool:
    """Return whether a daemon ends when the process that has started it is killed. `opening`: the statement that starts it, up to
    its colon; `daemon`: an expression for its pid and its directory. Removes both."""
    script = f"import time; {opening}\n    print({daemon}, flush=True); time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", script], cwd=CLONE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        pid, base = child.stdout.readline().split()
        child.kill()
    until = time.monotonic() + 2 * PATIENCE
    while (lives := alive(int(pid))) and time.monotonic() < until:
        time.sleep(0.02)
    if lives:
        os.kill(int(pid), signal.SIGTERM)
    subprocess.run(["rm", "-rf", "--", base], check=True)
    return not lives
