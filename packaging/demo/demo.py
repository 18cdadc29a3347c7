"""Run the demo: start everything, let the clients send mail, then stop everything or leave it running.

demo.sh runs it. The exit status is 0 only if every client got the expected result. Needs root, because Postfix does.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn, TextIO

from environment import CLONE, SAMPLE, CannotStart, Environment
from output import BOLD, GREEN, RED, Output
from run_scenarios import run_scenarios
from scenarios import SCENARIOS, USER

from rdns_milter import __version__
from tests.kit.mta.postfix import PostfixFailed

EX_OK, EX_WRONG, EX_CANNOT = 0, 1, 69
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """A signal to stop has arrived."""

    def __init__(self, number: int) -> None:
        self.status = 128 + number


def main(arguments: list[str]) -> int:
    """Run the demo. Return the exit status."""
    return keep() if arguments == ["--keep"] else perform(sys.stdout)


def perform(out: TextIO) -> int:
    """Start everything, show the clients, stop everything. Return the exit status."""
    _heed_signals()
    try:
        try:
            with Environment() as environment:
                status = _show(environment, Output(out))
                _ignore_signals()
        except BaseException:
            _ignore_signals()
            raise
    except (CannotStart, PostfixFailed) as error:
        print(error, file=sys.stderr)
        return EX_CANNOT
    except Ended as ended:
        print("stopped everything that the demo had started", file=sys.stderr)
        return ended.status
    output = Output(out)
    _say_where_next(output)
    return status


def keep() -> int:
    """Run the demo in a child process that stays, and that stops everything when it gets a signal. Return the exit status of the
    demo. A signal before its end stops everything."""
    reading, writing = os.pipe()
    holder = os.fork()
    if holder == 0:
        os.close(reading)
        _run_as_holder(writing)
    os.close(writing)
    _heed_signals()
    try:
        byte = os.read(reading, 1)
        return byte[0] if byte else EX_CANNOT
    except Ended as ended:
        _ignore_signals()
        os.kill(holder, signal.SIGTERM)
        os.waitpid(holder, 0)
        print("stopped everything that the demo had started", file=sys.stderr)
        return ended.status


def _run_as_holder(report: int) -> NoReturn:
    """Run the demo in the child process. Never returns."""
    os.setsid()
    _heed_signals()
    # The children must not hold our output open: a pipe that reads it would never end.
    out = os.fdopen(os.dup(1), "w")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    status = EX_CANNOT
    try:
        with Environment() as environment:
            output = Output(out)
            status = _show(environment, output)
            _say_how_to_go_on(environment, output)
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
        _ignore_signals()  # the first signal stops everything
        raise Ended(number)

    for number in ENDINGS:
        signal.signal(number, end)


def _ignore_signals() -> None:
    for number in ENDINGS:
        signal.signal(number, lambda number, frame: None)  # the children would inherit SIG_IGN


def _show(environment: Environment, output: Output) -> int:
    output.line(output.paint(f"rdns-milter {__version__}: a demonstration", BOLD))
    output.prose(
        "A name server with a small zone, the milter, and a private Postfix run on this machine's loopback. Clients of every"
        " kind now send mail; XCLIENT gives each its address. For each client the demo shows its address, what Postfix answered,"
        f" and the milter's line in the mail log. The configuration is the default one, {SAMPLE.relative_to(CLONE)}, except for"
        " these lines:"
    )
    for change in environment.changes:
        output.line(f"    {change}")
    wrong = run_scenarios(environment, output)
    output.line()
    if wrong:
        output.line(output.paint(f"{wrong} of {len(SCENARIOS)} clients did not get the expected result", RED))
        return EX_WRONG
    output.line(output.paint(f"All {len(SCENARIOS)} clients got the expected result.", GREEN))
    return EX_OK


def _say_where_next(output: Output) -> None:
    output.line("Everything that the demo had started is stopped. What to do next:")
    output.line()
    for command, what in (
        ("sh packaging/demo.sh --keep", "the same, but it goes on running, and you can send mail to it"),
        ("README.md", "how to install the milter, attach it to your MTA, and only observe at first"),
        ("etc/rdns-milter.toml", "all options and the default rules, with their reasons"),
        ("sh tests/run.sh", "the tests"),
    ):
        output.line(f"    {output.paint(f'{command:<30}', BOLD)}{what}")


def _say_how_to_go_on(environment: Environment, output: Output) -> None:
    postfix = environment.postfix
    milter = f"PYTHONPATH={CLONE} {sys.executable} -m rdns_milter"
    said = (
        "EHLO kit.invalid", "XCLIENT NAME=[UNAVAILABLE] ADDR=198.51.100.20", "EHLO mail.nothing.example",
        "MAIL FROM:<offer@nothing.example>", f"RCPT TO:<{USER}>", "QUIT",
    )  # fmt: skip
    lines = " \\\n".join(f'  "{line}"' for line in said)
    topics = (
        (
            f"Postfix listens at 127.0.0.1, port {postfix.port} (try telnet). Set your address with XCLIENT:",
            f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{postfix.port}; printf \"%s\\r\\n\" \\\n{lines} >&3; cat <&3'",
        ),
        (
            "Judge a client without sending mail:",
            f"{milter} check 198.51.100.30 \\\n  --helo mail.bank.example --from offer@nothing.example --rcpt {USER} \\\n"
            f"  -c {environment.config}",
        ),
        (
            "The mail log; the accepted messages, all of which are held; the header of one of them:",
            f"tail -f {postfix.maillog}\npostqueue -c {postfix.config} -p\npostcat -c {postfix.config} -hq QUEUE-ID",
        ),
        (
            "Change the rules, and make the milter read them again:",
            f"nano {environment.config}\nkill -HUP {environment.milter}",
        ),
        ("Stop everything and remove its files:", f"kill {os.getpid()}"),
    )
    output.line(f"It goes on running. Its DNS zone is {CLONE}/packaging/demo/zone.txt.")
    for title, commands in topics:
        output.line(f"\n{output.paint(title, BOLD)}")
        for line in commands.split("\n"):
            output.line(f"  {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
