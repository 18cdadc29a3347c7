"""How long an administrator's regular expressions take on names made to be slow; those that take too long are refused.

Python's engine backtracks, and has no limit of its own. So all is tried in a child process, which the kernel ends as soon as one
match has used too much CPU time. Never matches anything in the process that reads the configuration. CPU time, and not the time
of day, and the best of several tries: a busy machine refuses nothing that an idle one accepts.

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
from ..errors import Mistakes
from .slow_names import TrialName, trial_names
from .syntax import parse

MAX_PATTERNS = 100
MAX_MS = 10  # of CPU, for one name
MAX_TOTAL_MS = 50  # of CPU, for one name and all patterns together
_TRIES = 7
_KILL = 0.3  # seconds of CPU after which a match is ended
_MEASURING = 0.3  # seconds of CPU for the names of one pattern; what is left of them then is not tried
_WAITING = 60.0  # seconds; a machine on which the child gets no further until then cannot tell
_MAX_REFUSED = 10  # then the others are not tried
_ADVICE = "write it without a repetition in a repetition, or several in a row that match the same letters"

_RECORD = struct.Struct("=IIBB")


class Trial(NamedTuple):
    """What the child has found for a pattern. `place`: that of the name which takes the longest, from 1, or which is being tried;
    `spent`: microseconds that it takes; `is_empty`: whether the empty name matches; `is_done`: whether that is the end of it."""

    place: int = 0
    spent: int = 0
    is_empty: int = 0
    is_done: int = 0


def check_patterns(patterns: Sequence[re.Pattern[str]], where: Path, mistakes: Mistakes) -> None:
    """Note the patterns that take too long, or match the empty name."""
    if len(patterns) > MAX_PATTERNS:
        mistakes.add(where, f"has {len(patterns)} patterns; {MAX_PATTERNS} are the most")
        return
    before = len(mistakes)
    for index, pattern in enumerate(patterns):
        try:
            parse(pattern)
        except ValueError as error:
            mistakes.add((*where, index), f"{quoted(pattern.pattern)} {error}")
    if len(mistakes) > before:
        return
    try:
        _check_times(patterns, where, mistakes)
    except OSError as error:
        mistakes.add(where, f"no process can be had to try the patterns in: {error.strerror}")


def _check_times(patterns: Sequence[re.Pattern[str]], where: Path, mistakes: Mistakes) -> None:
    total, refused = 0, 0
    for index, (pattern, trial) in enumerate(zip(patterns, _measured(patterns), strict=False)):
        total += trial.spent
        reason = _reason(pattern, trial)
        if reason:
            mistakes.add((*where, index), f"{quoted(pattern.pattern)} {reason}")
            refused += 1
        if refused >= _MAX_REFUSED:
            return
    if not refused and total > MAX_TOTAL_MS * 1000:
        mistakes.add(where, f"all patterns together take {total // 1000} ms; {MAX_TOTAL_MS} are the most: {_ADVICE}")


def _reason(pattern: re.Pattern[str], trial: Trial) -> str:
    """Why a pattern cannot be used; "" if it can."""
    if trial.is_empty:
        return "matches the empty text, and so every name"
    if trial.spent > MAX_MS * 1000:
        return f"takes more than {MAX_MS} ms on {_kind(trial_names(pattern)[trial.place - 1])}: {_ADVICE}"
    return "" if trial.is_done else f"could not be tried to the end within {_WAITING:.0f} s"


def _kind(name: TrialName) -> str:
    """Of which kind a name is."""
    if not name.text:
        return "the empty name"
    return f"names that repeat {quoted(name.repeats)}" if name.repeats else f"names such as {quoted(name.text)}"


def _measured(patterns: Sequence[re.Pattern[str]]) -> Iterator[Trial]:
    """The trial of each pattern; the next child begins behind the pattern by which one was ended."""
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
    """Try the patterns from `start` on. Returns whether one was ended for the CPU time that it took. Raises OSError."""
    ours, theirs = os.pipe()
    try:
        try:
            pid = os.fork()
            if pid == 0:
                _be(patterns, start, memory)
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
    """Wait until the child has closed its end of the pipe, by its own end. False if that takes too long."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(_WAITING * 1000))


def _be(patterns: Sequence[re.Pattern[str]], start: int, memory: mmap.mmap) -> None:
    """In the child: never returns."""
    status = 1
    try:
        gc.disable()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, in the midst of a match, too
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGPROF,))
        for index in range(start, len(patterns)):
            _try(patterns[index], memory, index * _RECORD.size)
        status = 0
    finally:
        os._exit(status)


def _try(pattern: re.Pattern[str], memory: mmap.mmap, at: int) -> None:
    """Try one pattern with all names, and write down what that takes."""
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
    """Microseconds of CPU that a search takes: the least of several tries, if the first is longer than any before. By the thread's
    clock: that of the process has only the precision of the kernel's tick while a timer runs."""
    least = 1 << 31
    for _ in range(_TRIES):
        before = time.thread_time_ns()
        pattern.search(name)
        least = min(least, (time.thread_time_ns() - before) // 1000)
        if least <= worst:
            break
    return least
