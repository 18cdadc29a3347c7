"""The demo: sets the stage, gives the tour, and either stops everything or leaves it running.

Run by demo.sh beside it. Exit status 0 only if every client got what it had to get. Needs root, for Postfix does.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

from guests import GUESTS, USER
from speech import BOLD, GREEN, RED, Speech
from stage import CLONE, SAMPLE, CannotStart, Stage
from tour import tour

from rdns_milter import __version__
from tests.kit.mta.postfix import PostfixFailed

EX_OK, EX_WRONG, EX_CANNOT = 0, 1, 69
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal told us to stop."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    return keep() if arguments == ["--keep"] else perform(sys.stdout)


def perform(out: TextIO) -> int:
    """Start, show, stop. Returns the exit status."""
    _heed_signals()
    try:
        try:
            with Stage() as stage:
                status = _show(stage, Speech(out))
                _ignore_signals()
        except BaseException:
            _ignore_signals()
            raise
    except (CannotStart, PostfixFailed) as error:
        print(error, file=sys.stderr)
        return EX_CANNOT
    except Ended as ended:
        print("stopped all that the demo had started", file=sys.stderr)
        return ended.status
    speech = Speech(out)
    _say_where_next(speech)
    return status


def keep() -> int:
    """Start and show in a process of its own, which then stays, and stops everything when it is told to end. Returns the
    exit status of the show; a signal before its end ends all."""
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(reading)
        _be_keeper(writing)
    os.close(writing)
    _heed_signals()
    try:
        word = os.read(reading, 1)
        return word[0] if word else EX_CANNOT
    except Ended as ended:
        _ignore_signals()
        os.kill(keeper, signal.SIGTERM)
        os.waitpid(keeper, 0)
        print("stopped all that the demo had started", file=sys.stderr)
        return ended.status


def _be_keeper(report: int) -> NoReturn:
    """In the child: never returns."""
    os.setsid()
    _heed_signals()
    # What is started must not hold our output open: a pipe that reads it would never end.
    out = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    status = EX_CANNOT
    try:
        with Stage() as stage:
            speech = Speech(out)
            status = _show(stage, speech)
            _say_how_to_go_on(stage, speech)
            out.close()
            os.dup2(silence, 2)
            os.write(report, bytes([status]))
            os.close(report)
            while True:
                signal.pause()
    except (CannotStart, PostfixFailed) as error:
        print(error, file=sys.stderr)
    except Ended:
        pass
    finally:
        os._exit(status)


def _heed_signals() -> None:
    def end(number: int, frame: FrameType | None) -> None:
        _ignore_signals()  # one is enough: what follows is the stopping
        raise Ended(number)

    for number in ENDINGS:
        signal.signal(number, end)


def _ignore_signals() -> None:
    for number in ENDINGS:
        signal.signal(
            number, lambda number, frame: None
        )  # SIG_IGN would be handed down, and complain of signals under way


def _show(stage: Stage, speech: Speech) -> int:
    speech.line(speech.paint(f"rdns-milter {__version__}: a demonstration", BOLD))
    speech.prose(
        "A name server with a small zone, the milter, and a private Postfix run on this machine's loopback. Clients of every"
        " kind now send mail; by XCLIENT they are whoever they like. For each: who it is, what Postfix answered, and the"
        " milter's line in the mail log. The rules are those of the default configuration,"
        f" {SAMPLE.relative_to(CLONE)}; changed in it are only:"
    )
    for change in stage.changes:
        speech.line(f"    {change}")
    wrong = tour(stage, speech)
    speech.line()
    if wrong:
        speech.line(speech.paint(f"{wrong} of {len(GUESTS)} clients did not get what they had to get", RED))
        return EX_WRONG
    speech.line(speech.paint(f"All {len(GUESTS)} clients got what they had to get.", GREEN))
    return EX_OK


def _say_where_next(speech: Speech) -> None:
    speech.line("All that the demo had started is stopped again. What to do next:")
    speech.line()
    for command, what in (
        ("sh packaging/demo.sh --keep", "the same, left running, to send mail to it by hand"),
        ("README.md", "how to install it, attach it to your MTA, and only observe at first"),
        ("etc/rdns-milter.toml", "all options and the default rules, each with its reason"),
        ("sh tests/run.sh", "the tests"),
    ):
        speech.line(f"    {speech.paint(f'{command:<30}', BOLD)}{what}")


def _say_how_to_go_on(stage: Stage, speech: Speech) -> None:
    postfix = stage.postfix
    milter = f"PYTHONPATH={CLONE} {sys.executable} -m rdns_milter"
    said = (
        "EHLO kit.invalid", "XCLIENT NAME=[UNAVAILABLE] ADDR=198.51.100.20", "EHLO mail.nothing.example",
        "MAIL FROM:<offer@nothing.example>", f"RCPT TO:<{USER}>", "QUIT",
    )  # fmt: skip
    lines = " \\\n".join(f'  "{line}"' for line in said)
    topics = (
        (
            f"Postfix listens at 127.0.0.1, port {postfix.port} (try telnet). Say by XCLIENT who you are:",
            f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{postfix.port}; printf \"%s\\r\\n\" \\\n{lines} >&3; cat <&3'",
        ),
        (
            "What the milter thinks of a client, and why, without any mail:",
            f"{milter} check 198.51.100.30 \\\n  --helo mail.bank.example --from offer@nothing.example --rcpt {USER} \\\n"
            f"  -c {stage.config}",
        ),
        (
            "The mail log; the messages that were accepted (all are held), and the header of one:",
            f"tail -f {postfix.maillog}\npostqueue -c {postfix.config} -p\npostcat -c {postfix.config} -hq QUEUE-ID",
        ),
        (
            "Change the rules, and let the milter read them again:",
            f"nano {stage.config}\nkill -HUP {stage.milter}",
        ),
        ("Stop everything, and remove its files:", f"kill {os.getpid()}"),
    )
    speech.line(f"It goes on running. Its DNS is {CLONE}/packaging/demo/zone.txt.")
    for title, commands in topics:
        speech.line(f"\n{speech.paint(title, BOLD)}")
        for line in commands.split("\n"):
            speech.line(f"  {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
