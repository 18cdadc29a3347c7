"""The package under a systemd that really runs, in the Debian that packaging/try-deb.sh has made and booted.

The unit with all that it forbids, reload, a broken config, a killed and a hanging milter, a CPU affinity, the unix socket in
Postfix's chroot, mail through Postfix, and restarts and an upgrade while clients come all the time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import mail
from mail import CLONE, CONFIG, INET, MAIN_CF, SPOOL, eventually, judges, run, step

from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.load import Load
from tests.kit.milter.transaction import deliver
from tests.kit.smtp.client_identity import Client

SERVICE = "rdns-milter.service"
DROP_IN = Path("/run/systemd/system/rdns-milter.service.d/try.conf")
LIAR: dict[str, Any] = {
    "client": Client("198.51.100.30"),
    "helo": "mail.bank.example",
    "mailfrom": "offer@nothing.example",
}


def main() -> None:
    """All of it, in order."""
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    # What is imported is the installed package: the clone's is out of the way.
    (CLONE / "rdns_milter").rename("/root/rdns_milter.clone")
    (package,) = (CLONE / "dist").glob("rdns-milter_*_all.deb")
    with NameServer(Zone.from_file(CLONE / "packaging" / "demo" / "zone.txt"), port=53):
        step(f"systemd {run('systemctl', '--version').split()[1]} at work: dpkg -i starts the service")
        run("dpkg", "-i", str(package))
        status = eventually(lambda: show("StatusText") if show("ActiveState") == "active" else "")
        print(status)
        judges(INET)
        through_postfix()
        lifecycle()
        unix_socket()
        restarts()
        step("removal stops it")
        run("dpkg", "-r", "rdns-milter")
        assert show("ActiveState") == "inactive"
        assert show("ActiveState", "rdns-milter.socket") == "inactive"


def has_restarted(before: str) -> bool:
    """Return whether the service is active with another main process than this one."""
    return show("MainPID") not in (before, "0") and show("ActiveState") == "active"


def show(what: str, unit: str = SERVICE) -> str:
    """A property of a unit."""
    return run("systemctl", "show", "--value", "-p", what, unit).strip()


def through_postfix() -> None:
    """Mail, with Postfix as systemd runs it; the journal has the decisions."""
    step("two lines in main.cf, mail, the journal")
    MAIN_CF.write_text(MAIN_CF.read_text().partition("smtpd_milters")[0] + documents.blocks("main.cf")[0])
    run("postfix", "reload")
    mail.mail("inet, under systemd")
    journal = run("journalctl", "--no-pager", "-o", "cat", "-t", "rdns-milter")
    assert "action=reject rule=nothing-confirmed" in journal
    # libmilter's own complaints have another name: that of the program.
    assert "milter claimed" not in run("journalctl", "--no-pager", "-o", "cat")


def lifecycle() -> None:
    """Reload; a config with an error is no reason to try again and again; who is killed, and who hangs, is back soon."""
    step("reload")
    run("systemctl", "reload", SERVICE)
    eventually(lambda: "config reloaded" in run("journalctl", "--no-pager", "-t", "rdns-milter"))
    judges(INET)
    step("a broken config: status 78, and no further start")
    good = CONFIG.read_text()
    CONFIG.write_text("nonsense\n")
    assert subprocess.run(["systemctl", "restart", SERVICE], capture_output=True, timeout=60, check=False).returncode
    time.sleep(3)  # longer than RestartSec
    assert (show("ActiveState"), show("ExecMainStatus"), show("NRestarts")) == ("failed", "78", "0")
    CONFIG.write_text(good)
    run("systemctl", "restart", SERVICE)
    for signal, cause in (("KILL", "signal"), ("STOP", "watchdog")):
        step(f"kill -{signal} of the parent: back because of {cause}")
        restart_with("WatchdogSec=4\nTimeoutAbortSec=2\n")  # 30 are long to wait for
        before = show("MainPID")
        run("kill", f"-{signal}", before)
        eventually(partial(has_restarted, before))
        judges(INET)
        shutil.rmtree(DROP_IN.parent)
    step("CPUAffinity= with one CPU: one worker")
    restart_with(f"CPUAffinity={min(os.sched_getaffinity(0))}\n")
    print(show("StatusText"))
    assert show("StatusText").startswith("1 workers, ")
    judges(INET)
    shutil.rmtree(DROP_IN.parent)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", SERVICE)


def restart_with(settings: str) -> None:
    """Restart the service with these settings of its section in a drop-in."""
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\n{settings}")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", SERVICE)


def unix_socket() -> None:
    """In Postfix's chroot, as README.md says, with all that the unit forbids."""
    step("a unix socket in Postfix's chroot")
    good = CONFIG.read_text()
    shutil.move(mail.unix_socket(), CONFIG)
    run("systemctl", "restart", SERVICE)
    assert (SPOOL / "rdns-milter" / "rdns-milter.sock").group() == "postfix"
    judges(f"unix:{SPOOL}/rdns-milter/rdns-milter.sock")
    CONFIG.write_text(good)
    run("systemctl", "restart", SERVICE)


def restarts() -> None:
    """With the socket unit nobody is refused, neither by a restart nor by an upgrade."""
    step("rdns-milter.socket: clients come all the time, and the milter is restarted three times, and upgraded")
    run("systemctl", "stop", SERVICE)
    run("systemctl", "enable", "--now", "rdns-milter.socket")
    run("systemctl", "start", SERVICE)
    with Load(lambda number: deliver(INET, timeout=60.0, **LIAR).rcpts[0].code) as load:
        for _ in range(3):
            load.wait(50)
            run("systemctl", "restart", SERVICE)
        load.wait(50)
        before = show("MainPID")
        run("dpkg", "--force-confold", "-i", "/root/next.deb")
        assert show("MainPID") != before
        load.wait(50)
    print(f"refused as they should be {load.codes[550]}, else {load.sent - load.codes[550]}")
    assert (load.lost, set(load.codes)) == ([], {550})


if __name__ == "__main__":
    main()
