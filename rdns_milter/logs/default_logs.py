"""Find the log of this host where none is named: the service's journal, else the files of the mail log.

Reads through journalctl(1) in a child process; changes nothing. Must never take another program's log for ours: the journal is
asked for the service's entries alone.

journalctl(1); Debian's rsyslog writes /var/log/mail.log, Fedora's /var/log/maillog.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .files import STDIN, Logs, UnreadableLogError

UNIT = "rdns-milter.service"
MAIL_LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"))
_ENTRY = ("--quiet", "--no-pager", "--output=export")


@contextmanager
def default_logs(mail_logs: Sequence[Path] = MAIL_LOGS, journalctl: str = "journalctl") -> Iterator[tuple[Logs, str]]:
    """Open the log of this host; yield it and its name. Raises UnreadableLogError if there is none."""
    if _has_entries(journalctl):
        with subprocess.Popen(
            [journalctl, f"--unit={UNIT}", *_ENTRY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            assert child.stdout is not None
            yield Logs([STDIN], child.stdout), f"the journal of {UNIT}"  # type: ignore[arg-type]
            child.kill()
        return
    files = rotated(mail_logs)
    if not files:
        raise UnreadableLogError(
            f"no log was found: the journal has nothing of {UNIT}, and there is no {' and no '.join(map(str, mail_logs))};"
            " name the log's file after WHAT"
        )
    yield Logs(files), files[-1]


def rotated(mail_logs: Sequence[Path] = MAIL_LOGS) -> list[str]:
    """Return the first of the mail logs that exists, and its rotated parts, the oldest first; an empty list if none exists."""
    for path in mail_logs:
        found = [each for each in path.parent.glob(f"{path.name}*") if each.is_file()]
        if found:
            return [str(each) for each in sorted(found, key=lambda each: each.stat().st_mtime)]
    return []


def _has_entries(journalctl: str) -> bool:
    if shutil.which(journalctl) is None:
        return False
    try:
        command = [journalctl, f"--unit={UNIT}", "--lines=1", *_ENTRY]
        return bool(subprocess.run(command, capture_output=True, timeout=10, check=False).stdout)
    except (OSError, subprocess.TimeoutExpired):
        return False
