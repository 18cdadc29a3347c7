"""compose.yaml without an engine: the milter's root and Postfix's at work, in a network of their own in which addresses are real.

    unshare --net python3 rehearse.py MILTER-ROOT POSTFIX-ROOT

Says what was tried, one line each, and ends with 1 if anything was not as it should be. Must be root, in a network namespace that
has nothing yet; touches nothing outside of it but the two roots.
"""

from __future__ import annotations

import contextlib
import json
import os
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from image import CLONE, Image, read

HERE = CLONE / "packaging" / "container"
ZONE = CLONE / "packaging" / "demo" / "zone.txt"
GOOD, BAD = "192.0.2.10", "198.51.100.30"
PATIENCE = 60.0


class Checks:
    """What was tried. `failed`: whether anything was not as it should be."""

    failed = False

    def say(self, what: str, good: bool, found: object = "") -> None:
        """One of them."""
        self.failed = self.failed or not good
        print(f"  {'ok     ' if good else 'NOT OK '} {what}" + ("" if good else f": {found}"), flush=True)


def until(what: Callable[[], bool]) -> bool:
    """Whether it came about in time."""
    end = time.monotonic() + PATIENCE
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def network() -> None:
    """Loopback, with the clients' addresses on it."""
    for command in ("link set lo up", f"addr add {GOOD}/32 dev lo", f"addr add {BAD}/32 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """At the end it is gone, and with it its namespace."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def first(process: subprocess.Popen[bytes]) -> int:
    """The pid, as seen from here, of process 1 of the container."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def stop(image: Image, process: subprocess.Popen[bytes]) -> int:
    """As an engine does it; the exit status."""
    os.kill(first(process), image.stop)
    return process.wait(PATIENCE)


def mail(source: str, helo: str, sender: str) -> str:
    """A message from that address, and what became of it."""
    try:
        with smtplib.SMTP("127.0.0.1", 25, helo, PATIENCE, (source, 0)) as client:
            client.sendmail(sender, ["user@example.com"], "Subject: rehearsal\r\n\r\ntext\r\n")
    except smtplib.SMTPRecipientsRefused as refused:
        ((code, text),) = refused.recipients.values()
        return f"{code} {text.decode()}"
    except (smtplib.SMTPException, OSError) as error:
        return f"{type(error).__name__} {error}"
    return "250"


def greets() -> bool:
    """Whether Postfix is there."""
    with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", 25, timeout=5):
        return True
    return False


def decisions(log: Path) -> list[dict[str, object]]:
    """What the milter has logged."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def status(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """/proc/PID/status of process 1."""
    lines = Path(f"/proc/{first(process)}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def judge(checks: Checks, log: Path) -> None:
    """Two clients, by way of both."""
    good = mail(GOOD, "mail.good.example", "anna@good.example")
    checks.say("a proper client's mail is taken", good == "250", good)
    bad = mail(BAD, "mail.bank.example", "offer@nothing.example")
    checks.say("a liar's is refused", bad.startswith("550 5.7.25 "), bad)
    until(lambda: len(decisions(log)) >= 2)
    found = [(line["action"], line["client"], line["iprev"]) for line in decisions(log)]
    checks.say("JSON on standard error", found == [("accept", GOOD, "pass"), ("reject", BAD, "fail")], found)


def confined(checks: Checks, process: subprocess.Popen[bytes]) -> None:
    """What the milter is, and may."""
    found = status(process)
    checks.say("it is no root", set(found["Uid"].split()) == {"8895"}, found["Uid"])
    none = {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}
    checks.say("it has no capabilities, nor a way to them", none == {0} and found["NoNewPrivs"] == "1", none)
    checks.say("it is process 1 where it is", found["NSpid"].split()[-1] == "1", found["NSpid"])
    mounts = Path(f"/proc/{first(process)}/mounts").read_text().splitlines()
    options = next(line.split()[3] for line in mounts if line.split()[1] == "/")
    checks.say("it can write no file", "ro" in options.split(","), options)


def rehearse(milter_root: Path, postfix_root: Path, base: Path) -> Checks:
    """All of it."""
    checks = Checks()
    milter, postfix = read(HERE / "Containerfile"), read(HERE / "postfix" / "Containerfile")
    for root in (milter_root, postfix_root):
        (root / "etc" / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    network()
    names = [sys.executable, "-m", "tests.kit.dns.nameserver", "--zone", str(ZONE), "--listen", "127.0.0.1:53"]
    with (
        ended(subprocess.Popen(names, cwd=CLONE, stdout=subprocess.DEVNULL)),
        ended(milter.start(milter_root, base / "milter", read_only=True)) as one,
        ended(postfix.start(postfix_root, base / "postfix")) as two,
    ):
        checks.say(
            "the milter is healthy", until(lambda: milter.is_healthy(milter_root)), (base / "milter").read_text()
        )
        checks.say("Postfix greets", until(greets), (base / "postfix").read_text())
        confined(checks, one)
        judge(checks, base / "milter")
        ends = stop(milter, one)
        checks.say("told to stop, it ends with 0", ends == 0, ends)
        checks.say("then it is not healthy", not milter.is_healthy(milter_root))
        alone = mail(BAD, "mail.bank.example", "offer@nothing.example")
        checks.say("without it Postfix does what main.cf says", alone == "250", alone)
        stop(postfix, two)
        checks.say(
            "Postfix's log came out", "milter-reject" in (base / "postfix").read_text(), (base / "postfix").read_text()
        )
    return checks


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="rdns-container-") as directory:
        sys.exit(rehearse(Path(sys.argv[1]), Path(sys.argv[2]), Path(directory)).failed)
