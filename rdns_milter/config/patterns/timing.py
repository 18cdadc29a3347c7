"""Measure how long the configured regular expressions need for names made to be slow. Refuse those that need too long.

Python's engine backtracks and has no time limit. Therefore the patterns are tried in a child process, which the kernel ends when a
match has used too much CPU time. The process that reads the configuration must never match them. The measure is CPU time, and the
best of several tries, so that a busy machine accepts the same patterns as an idle one.

setitimer(2) (ITIMER_PROF).
"""

from __future__ import annotations

import gc
import mmap
import os
import re
import select
import signal
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from ...text.toml import quoted
from ...text.toml_positions import Path
from ..errors import ErrorCollector
from .slow_names import TrialName, trial_names
from .syntax import parse

MAX_PATTERNS = 100
MAX_MS = 10  # of CPU, for one name
MAX_TOTAL_MS = 50  # of CPU, for one name and all patterns together
_TRIES = 7
_KILL = 0.3  # seconds of CPU after which a match is ended
_MEASURING = 0.3  # seconds of CPU for all names of one pattern; the names left after that are not tried
_TIMEOUT = 60.0  # seconds for the child; on a machine that needs longer the patterns cannot be tried
_MAX_REFUSED = 10  # patterns; after that the others are not tried
_HINT = "avoid nested repetitions, and consecutive repetitions that match the same characters"

_RECORD = struct.Struct("=IIBB")


class Trial(NamedTuple):
    """The child's result for a pattern. `place`: the number, from 1, of the slowest name or, until the trial is complete, of the
    name being tried; `spent`: microseconds of CPU for the slowest name; `is_empty`: 1 if the pattern matches the empty name;
    `is_done`: 1 if the trial is complete."""

    place: int = 0
    spent: int = 0
    is_empty: int = 0
    is_done: int = 0


def check_patterns(patterns: Sequence[re.Pattern[str]], where: Path, errors: ErrorCollector) -> None:
    """Add an error for each pattern that takes too long or matches the empty name."""
    if len(patterns) > MAX_PATTERNS:
        errors.add(where, f"has {len(patterns)} patterns; the maximum is {MAX_PATTERNS}")
        return
    before = len(errors)
    for index, pattern in enumerate(patterns):
        try:
            parse(pattern)
        except ValueError as error:
            errors.add((*where, index), f"{quoted(pattern.pattern)} {error}")
    if len(errors) > before:
        return
    try:
        _check_times(patterns, where, errors)
    except OSError as error:
        errors.add(where, f"cannot start a process to try the patterns: {error.strerror}")


def _check_times(patterns: Sequence[re.Pattern[str]], where: Path, errors: ErrorCollector) -> None:
    total, refused = 0, 0
    for index, (pattern, trial) in enumerate(zip(patterns, _measured(patterns), strict=False)):
        total += trial.spent
        reason = _reason(pattern, trial)
        if reason:
            errors.add((*where, index), f"{quoted(pattern.pattern)} {reason}")
            refused += 1
        if refused >= _MAX_REFUSED:
            return
    if not refused and total > MAX_TOTAL_MS * 1000:
        errors.add(
            where,
            f"all patterns together may take {total // 1000} ms for one name; the maximum is {MAX_TOTAL_MS}: {_HINT}",
        )


def _reason(pattern: re.Pattern[str], trial: Trial) -> str:
    """Return why a pattern cannot be used; "" if it can."""
    if trial.is_empty:
        return "matches the empty string, and therefore every name"
    if trial.spent > MAX_MS * 1000:
        return f"takes more than {MAX_MS} ms for {_described(trial_names(pattern)[trial.place - 1])}: {_HINT}"
    return "" if trial.is_done else f"could not be tried within {_TIMEOUT:.0f} s"


def _described(name: TrialName) -> str:
    """Describe a name in a message."""
    if not name.text:
        return "the empty name"
    return f"names that repeat {quoted(name.repeats)}" if name.repeats else f"names such as {quoted(name.text)}"


def _measured(patterns: Sequence[re.Pattern[str]]) -> Iterator[Trial]:
    """Yield the trial of each pattern. If a child process ends during a pattern, another one continues with the next pattern."""
    with mmap.mmap(-1, max(1, len(patterns)) * _RECORD.size) as memory:
        known = 0
        while known < len(patterns):
            was_killed = _try_in_child(patterns, known, memory)
            for index in range(known, len(patterns)):
                trial = Trial(*_RECORD.unpack_from(memory, index * _RECORD.size))
                known += 1
                if not trial.is_done:
                    yield trial._replace(spent=int(_KILL * 1e6)) if was_killed else trial
                    break
                yield trial


def _try_in_child(patterns: Sequence[re.Pattern[str]], start: int, memory: mmap.mmap) -> bool:
    """Try the patterns from `start` on. Return True if the kernel ended the child because of its CPU time. Raises OSError."""
    ours, theirs = os.pipe()
    try:
        try:
            pid = os.fork()
            if pid == 0:
                _run_child(patterns, start, memory)
        finally:
            os.close(theirs)
        if not _wait(ours):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
    finally:
        os.close(ours)


def _wait(end: int) -> bool:
    """Wait until the child ends, which closes its end of the pipe. Return False after _TIMEOUT."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(_TIMEOUT * 1000))


def _run_child(patterns: Sequence[re.Pattern[str]], start: int, memory: mmap.mmap) -> None:
    """Try the patterns in the child process; never returns."""
    status = 1
    try:
        gc.disable()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, even during a match
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF,))
        for index in range(start, len(patterns)):
            _try(patterns[index], memory, index * _RECORD.size)
        status = 0
    finally:
        os._exit(status)


def _try(pattern: re.Pattern[str], memory: mmap.mmap, at: int) -> None:
    """Try one pattern with all names, and write the result to the shared memory."""
    worst, slowest, is_empty = 0, 0, 0
    until = time.thread_time() + _MEASURING
    for place, name in enumerate(trial_names(pattern), 1):
        _RECORD.pack_into(memory, at, *Trial(place, worst))
        signal.setitimer(signal.ITIMER_PROF, _KILL)
        if place == 1 and pattern.search(name.text):
            is_empty = 1
        spent = _time(pattern, name.text, worst)
        if spent > worst:
            worst, slowest = spent, place
        if is_empty or worst > MAX_MS * 1000 or time.thread_time() > until:
            break
    signal.setitimer(signal.ITIMER_PROF, 0)
    _RECORD.pack_into(memory, at, *Trial(slowest, worst, is_empty, True))


def _time(pattern: re.Pattern[str], name: str, worst: int) -> int:
    """Return the microseconds of CPU that a search takes: the minimum of several tries if the first takes longer than `worst`. Uses
    the thread's clock: while a timer runs, the clock of the process has only the precision of the kernel's tick."""
    least = 1 << 31
    for _ in range(_TRIES):
        before = time.thread_time_ns()
        pattern.search(name)
        least = min(least, (time.thread_time_ns() - before) // 1000)
        if least <= worst:
            break
    return least
