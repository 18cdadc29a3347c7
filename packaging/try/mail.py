"""The installed package at work, in the Debian that packaging/try-deb.sh has made: never to be run on a machine that serves.

The demo's name server on port 53, the daemon started as its unit says, the kit's MTA, and the Postfix of this Debian, to which
clients speak SMTP from the addresses that the demo knows them by. Asserts; prints what a new user would see.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CLONE))

from tests.kit.data import documents  # noqa: E402
from tests.kit.dns.nameserver import NameServer  # noqa: E402
from tests.kit.dns.zone import Zone  # noqa: E402
from tests.kit.milter.transaction import deliver  # noqa: E402
from tests.kit.smtp.client_identity import Client  # noqa: E402

UNIT = Path("/lib/systemd/system/rdns-milter.service")
CONFIG = Path("/etc/rdns-milter/rdns-milter.toml")
MAIN_CF = Path("/etc/postfix/main.cf")
MAIL_LOG = Path("/var/log/mail.log")
SPOOL = Path("/var/spool/postfix")
INET = "inet:8895@127.0.0.1"
PATIENCE = 30.0


def main() -> None:
    """All of it, in order."""
    import rdns_milter

    assert rdns_milter.__file__ == "/usr/lib/python3/dist-packages/rdns_milter/__init__.py", rdns_milter.__file__
    with NameServer(Zone.from_file(CLONE / "packaging" / "demo" / "zone.txt"), port=53):
        with daemon() as pid:
            step("the daemon, started as its unit says")
            runs_as("rdns-milter", pid)
            judges(INET)
            run("service", "postfix", "start")
            step("two lines in main.cf")
            original = MAIN_CF.read_text()
            lines = documents.blocks("main.cf")
            print(lines[0], end="")
            MAIN_CF.write_text(original + lines[0])
            reload_postfix()
            mail("inet")
        with daemon(unix_socket()) as pid:
            step("a unix socket in Postfix's chroot, as README.md and README.Debian say")
            runs_as("rdns-milter", pid)
            assert (SPOOL / "rdns-milter" / "rdns-milter.sock").group() == "postfix"
            MAIN_CF.write_text(original + lines[0].replace(milters(lines[0]), milters(lines[1])))
            reload_postfix()
            mail("unix")
        assert not (SPOOL / "rdns-milter" / "rdns-milter.sock").exists()
        run("service", "postfix", "stop")
    with_another_hand()


def step(text: str) -> None:
    """Say what comes."""
    print(f"\n== {text}", flush=True)


def run(*command: str) -> str:
    """What it prints; raises if it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


@contextlib.contextmanager
def daemon(config: Path | None = None) -> Iterator[int]:
    """The daemon as systemd would start it: user, rights, mask, ready when it says so. Its pid. With another config by -c."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    user, group = service["User"], service["Group"]
    directory = Path("/run") / service["RuntimeDirectory"]
    directory.mkdir(exist_ok=True)
    shutil.chown(directory, user, group)
    command = [
        "setpriv",
        f"--reuid={user}",
        f"--regid={group}",
        "--init-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]
    command += shlex.split(service["ExecStart"]) + (["-c", str(config)] if config else [])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = f"/run/manager-{os.getpid()}"
        Path(address).unlink(missing_ok=True)
        manager.bind(address)
        os.chmod(address, 0o666)
        manager.settimeout(PATIENCE)
        process = subprocess.Popen(
            command, env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": address}, umask=int(service["UMask"], 8), cwd="/"
        )
        try:
            said = manager.recv(4096).decode()
            assert said.startswith("READY=1"), said
            print(said.partition("\n")[2])
            yield process.pid
        finally:
            process.terminate()
            status = process.wait(PATIENCE)
    assert status == 0, status


def reload_postfix() -> None:
    """Let Postfix read main.cf again. Wait until no smtpd is left that has read it before: an idle one can serve one more."""
    before = smtpd_pids()
    run("postfix", "reload")
    eventually(lambda: before.isdisjoint(smtpd_pids()))


def smtpd_pids() -> frozenset[str]:
    """Return the pids of the smtpd processes."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if path.read_text().strip() == "smtpd":
                found.add(path.parent.name)
    return frozenset(found)


def runs_as(user: str, pid: int) -> None:
    """It is that user, and may become nobody else."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    wanted = run("id", "-u", user).strip()
    assert set(status["Uid"].split()) == {wanted}, status["Uid"]
    assert int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    print(run("ps", "-o", "user,pid,args", "-p", str(pid)) if shutil.which("ps") else f"pid {pid} runs as {user}")


def judges(spec: str) -> None:
    """One message each of a good client and of a liar, by the kit's MTA."""
    good = deliver(
        spec, client=Client("192.0.2.10", name="mail.good.example"), helo="mail.good.example", mailfrom="a@good.example"
    )
    assert good.accepted
    assert "iprev=pass" in good.header("Authentication-Results")[0]
    liar = deliver(spec, client=Client("198.51.100.30"), helo="mail.bank.example", mailfrom="offer@nothing.example")
    assert (liar.verdict.code, liar.accepted) == (550, False)


def mail(what: str) -> None:
    """Mail through Postfix: from a good client, taken and marked; from a liar, refused; both are in the mail log."""
    subject, before = f"by {what}", len(decisions())
    sent = eventually(lambda: send("192.0.2.10", "mail.good.example", "a@good.example", subject))
    assert sent == (), sent
    refusal = eventually(lambda: send("198.51.100.30", "mail.bank.example", "offer@nothing.example", subject))
    assert refusal, "the liar's mail was taken"
    assert "{} {}\n".format(*refusal) == documents.blocks("reply")[0], refusal
    print("refused:", *refusal)
    accepted, refused = eventually(lambda: found if len(found := decisions()[before:]) == 2 else None)
    assert "action=accept" in accepted
    assert "iprev=pass" in accepted
    assert "action=reject rule=nothing-confirmed" in refused
    print(f"{accepted[:150]} ...\n{refused[:150]} ...")
    message = eventually(lambda: received(subject))
    assert "iprev=pass policy.iprev=192.0.2.10 (mail.good.example)" in message, message
    assert "spf=pass smtp.mailfrom=good.example" in message


def decisions() -> list[str]:
    """The milter's lines about mail to our user in the mail log."""
    lines = MAIL_LOG.read_text(errors="replace").splitlines() if MAIL_LOG.exists() else []
    return [line for line in lines if "rdns-milter[" in line and "rcpt=anna@localhost" in line]


def received(subject: str) -> str:
    """The message of that subject in the mailbox, once it is there."""
    box = Path("/var/mail/anna")
    messages = box.read_text().split("\nFrom ") if box.exists() else []
    return next((message for message in messages if f"Subject: {subject}\n" in message), "")


def send(source: str, helo: str, mailfrom: str, subject: str) -> tuple[object, ...] | None:
    """A message from that address by SMTP: () if it was taken, else code and text; None if Postfix is not there yet."""
    try:
        with smtplib.SMTP("192.0.2.1", 25, helo, PATIENCE, (source, 0)) as client:
            client.sendmail(mailfrom, "anna@localhost", f"From: {mailfrom}\r\nSubject: {subject}\r\n\r\ntext\r\n")
    except smtplib.SMTPRecipientsRefused as error:
        ((code, text),) = error.recipients.values()
        return code, text.decode()
    except ConnectionRefusedError:
        return None
    return ()


def eventually(what: Callable[[], Any]) -> Any:
    """What it returns, once that is something: an empty tuple is, None and other empty things are not."""
    end = time.monotonic() + PATIENCE
    while True:
        found = what()
        if found or found == ():
            return found
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)


def milters(lines: str) -> str:
    """The line of main.cf that names the milter."""
    return next(line for line in lines.splitlines() if line.startswith("smtpd_milters"))


def unix_socket() -> Path:
    """README.md's way to a unix socket: the directory made, and the config with its socket line as shown there."""
    (command,) = (line.strip() for line in documents.text().splitlines() if line.strip().startswith("install -d"))
    assert command in (CLONE / "packaging" / "debian" / "README.Debian").read_text()
    run(*shlex.split(command))
    (line,) = (
        line for block in documents.blocks("toml") for line in block.splitlines() if line.startswith("socket = ")
    )
    changed = CONFIG.with_name("unix.toml")
    changed.write_text(CONFIG.read_text().replace(f'socket = "{INET}"', line))
    assert line in changed.read_text()
    return changed


def with_another_hand() -> None:
    """What the user cannot read is said so, and ends with the status at which systemd does not try again."""
    step("a config that the user cannot read")
    secret = CONFIG.with_name("secret.toml")
    secret.write_text("")
    secret.chmod(0o600)
    command = ["setpriv", "--reuid=rdns-milter", "--clear-groups", "rdns-milter", "run", "-c", str(secret)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    print(done.stderr, end="")
    assert done.returncode == 78, done
    assert "Permission denied" in done.stderr
    secret.unlink()
    CONFIG.with_name("unix.toml").unlink()


if __name__ == "__main__":
    main()
