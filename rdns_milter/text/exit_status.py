"""Exit statuses of the command and of the daemon.

Constants only. The manual page documents them and the service unit relies on EX_CONFIG: a value never changes.

sysexits(3).
"""

from __future__ import annotations

EX_OK = 0
EX_REFUSED = 1  # `check`: the client is rejected or quarantined
EX_NOT_FOUND = 1  # `why`: no decision found
EX_USAGE = 2  # as argparse has it
EX_UNAVAILABLE = 69
EX_IOERR = 74
EX_TEMPFAIL = 75  # `check`: the client is deferred
EX_CONFIG = 78
EX_INTERRUPTED = 130  # as shells have it: 128 + SIGINT
