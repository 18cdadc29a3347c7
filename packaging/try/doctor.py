"""`rdns-milter doctor` in the Debian that packaging/try-doctor.sh has made and booted: never to be run on a machine that serves.

Breaks one thing after the other, types what doctor prints, and asks doctor and the mail system whether it is mended. Knows nothing
of how doctor works: only what it prints counts. Prints a table.
"""

from __future__ import annotations

import json
import re
import shutil
import smtplib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import mail
from mail import CLONE, CONFIG, INET, eventually, run, step

from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone

KEPT = ("/etc/postfix/main.cf", "/etc/postfix/master.cf", "/etc/rdns-milter/rdns-milter.toml", "/etc/resolv.conf")
DROP_INS = Path("/etc/systemd/system/rdns-milter.service.d")
SOCKETS = Path("/var/spool/postfix/rdns-milter")
SOCKET, CHROOT_SOCKET = "unix:/run/rdns-milter/rdns-milter.sock", f"unix:{SOCKETS}/rdns-milter.sock"
# The name servers: one in order, which stands for the Internet; one that has an address for every name; one without TCP; an
# address at which there is none; and one that a DNS list refuses.
SERVER, INVENTOR, WITHOUT_TCP, DEAD, REFUSED = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"
ROOT_ZONE = ". SOA a.root. b.root. 1 3600 600 86400 60\n"
# The entries of a DNS list for tests (RFC 5782 section 5), and what DNSWL answers to those whom it refuses.
LIST = "dnswl.example"
ANSWERS = f"2.0.0.127.{LIST} A 127.0.10.2\n"
REFUSALS = f"2.0.0.127.{LIST} A 127.0.0.255\n1.0.0.127.{LIST} A 127.0.0.255\n"
LISTED_RULE = r'\n[[rule]]\nname = "listed"\nwhen = { dnslist = "dnswl" }\naction = "tag"\n'
# unbound, once it is installed, asks the server that stands for the Internet, whose root is not signed.
UNBOUND = f"""\
server:
    module-config: "iterator"
    do-not-query-localhost: no
    local-zone: "2.0.192.in-addr.arpa." nodefault
    local-zone: "100.51.198.in-addr.arpa." nodefault
forward-zone:
    name: "."
    forward-addr: {SERVER}
"""
LINE = re.compile(r"(ok|warn|bad) +([^:]+): (.*)")
SETTING = re.compile(r"in the config file, section \[(\w+)\]: (\w+) = (.*)")
# True of every server here, and no fault of the set-up: no root is signed, and no clock is synchronized without a network.
EXPECTED = re.compile(r"does not validate|is not synchronized")
ROUNDS = 3


@dataclass(frozen=True)
class Case:
    """A set-up: its name, the shell commands that break it, and what doctor must say."""

    name: str
    commands: str
    says: str


def setting(section: str, key: str, value: str | list[str]) -> str:
    """The shell command that sets an option in the config, as an administrator would with an editor."""
    return f"python3 /root/clone/packaging/try/doctor.py set {section} {key} '{json.dumps(value)}'"


def postfix(parameter: str, value: str) -> str:
    """The shell commands that set a parameter of Postfix."""
    return f"postconf -e '{parameter} = {value}' && postfix reload"


RESTART = "systemctl restart rdns-milter"
DROP_IN = f"mkdir -p {DROP_INS} && printf '[Service]\\n{{}}\\n' > {DROP_INS}/override.conf && systemctl daemon-reload && {RESTART}"
CASES = (
    Case("milter not named", postfix("smtpd_milters", ""), "smtpd_milters is empty"),
    Case("wrong port", postfix("smtpd_milters", "inet:127.0.0.1:8985"), "asks inet:127.0.0.1:8985, and the milter listens at"),
    Case("master.cf overrides", "postconf -P smtp/inet/smtpd_milters= && postfix reload", "overrides smtpd_milters of main.cf"),
    Case(
        "unix socket outside the chroot",
        f"{setting('milter', 'socket', SOCKET)} && {RESTART} && "
        + postfix("smtpd_milters", SOCKET),
        "runs in a chroot",
    ),
    Case(
        "directory closed to Postfix",
        f"install -d -o rdns-milter -g rdns-milter -m 700 {SOCKETS} && "
        f"{setting('milter', 'socket', CHROOT_SOCKET)} && {RESTART} && "
        + postfix("smtpd_milters", "unix:rdns-milter/rdns-milter.sock"),
        f"no search permission on {SOCKETS}",
    ),
    Case(
        "socket closed to Postfix",
        f"install -d -o rdns-milter -g rdns-milter -m 755 {SOCKETS} && "
        f"{setting('milter', 'socket', CHROOT_SOCKET)} && {RESTART} && "
        + postfix("smtpd_milters", "unix:rdns-milter/rdns-milter.sock"),
        "no write permission on",
    ),
    Case("milter down", "systemctl stop rdns-milter", "the service is inactive"),
    Case("refuses while the milter is down", postfix("milter_default_action", "reject"), "refused for good"),
    Case("timeout below the deadline", postfix("milter_command_timeout", "5s"), "milter_command_timeout is 5s"),
    Case("old milter protocol", postfix("milter_protocol", "2"), "milter_protocol is 2"),
    Case(
        "OpenDKIM before us", postfix("smtpd_milters", "inet:127.0.0.1:8891, inet:127.0.0.1:8895"), "OpenDKIM (inet:127.0.0.1:8891)"
    ),
    Case("local mail comes to the milter", postfix("non_smtpd_milters", "inet:127.0.0.1:8895"), "non_smtpd_milters names"),
    Case(
        "Postfix refuses by reverse names",
        postfix("smtpd_client_restrictions", "permit_mynetworks, reject_unknown_client_hostname"),
        "has reject_unknown_client_hostname",
    ),
    Case(
        "SPF twice",
        postfix("smtpd_recipient_restrictions", "permit_mynetworks, check_policy_service unix:private/policyd-spf"),
        "evaluates SPF a second time",
    ),
    Case(
        "postscreen without smtpd",
        "postconf -M smtp/inet='smtp inet n - y - 1 postscreen' && postfix reload",
        "postscreen hands clients to the service smtpd/pass, which master.cf does not have",
    ),
    Case(
        "dead name server", f"{setting('dns', 'nameservers', [DEAD])} && systemctl reload rdns-milter", f"{DEAD}:53: ",
    ),
    Case("dead server in resolv.conf", f"echo nameserver {DEAD} > /etc/resolv.conf && {RESTART}", f"{DEAD}:53: "),
    Case(
        "name server that invents answers", f"{setting('dns', 'nameservers', [INVENTOR])} && {RESTART}", "invents answers",
    ),
    Case(
        "name server without TCP", f"{setting('dns', 'nameservers', [WITHOUT_TCP])} && {RESTART}", "does not answer over TCP",
    ),
    Case(
        "DNS list refuses the name server",
        f"{setting('dnslists', 'dnswl', LIST)} && printf '{LISTED_RULE}' >> {CONFIG} && "
        f"{setting('dns', 'nameservers', [REFUSED])} && {RESTART}",
        f"the DNS list {LIST} refuses this server",
    ),
    Case("no name server", f": > /etc/resolv.conf && {RESTART} || true", "names no usable name server"),
    Case("metrics open to the world", f"{setting('metrics', 'listen', '0.0.0.0:9415')} && {RESTART}", "open to other hosts"),
    Case("config that the service cannot read", f"chmod 600 {CONFIG} && {RESTART} || true", "cannot read"),
    Case("mistyped option", f"sed -i 's/^deadline/dedline/' {CONFIG} && {RESTART} || true", "dedline"),
    Case(
        "loopback is not exempt", f"{setting('exempt', 'networks', ['10.0.0.0/8'])} && systemctl reload rdns-milter",
        "lacks loopback",
    ),
    Case(
        "no /dev/log", f"{setting('log', 'target', 'syslog')} && rm /dev/log && {RESTART}", "/dev/log does not exist",
    ),
    Case("too few descriptors", DROP_IN.format("LimitNOFILE=64") + " || true", "LimitNOFILE=64 is too low"),
    Case("too few tasks", DROP_IN.format("TasksMax=20") + " || true", "TasksMax=20 is too low"),
    Case("service runs as root", DROP_IN.format("User=\\nGroup="), "runs as root"),
    Case(
        "journald drops lines",
        DROP_IN.format("LogRateLimitIntervalSec=8s\\nLogRateLimitBurst=3")
        + " && python3 /root/clone/packaging/try/doctor.py flood",
        "journald dropped lines",
    ),
)  # fmt: skip


def main() -> None:
    """All cases, one after the other."""
    Path("/etc/unbound/unbound.conf.d").mkdir(parents=True)
    Path("/etc/unbound/unbound.conf.d/try.conf").write_text(UNBOUND)
    Path("/etc/resolv.conf").write_text(f"nameserver {SERVER}\n")
    zone = (CLONE / "packaging" / "demo" / "zone.txt").read_text()
    only = Path("/root/only").read_text()
    # What is imported is the installed package: the clone's is out of the way.
    (CLONE / "rdns_milter").rename("/root/rdns_milter.clone")
    with (
        NameServer(Zone(zone, ROOT_ZONE, ANSWERS), SERVER, 53),
        NameServer(Zone(zone, ROOT_ZONE + "*.com. A 192.0.2.9\n"), INVENTOR, 53),
        NameServer(Zone(zone, ROOT_ZONE), WITHOUT_TCP, 53, tcp=False),
        NameServer(Zone(zone, ROOT_ZONE, REFUSALS), REFUSED, 53),
    ):
        step("a set-up in order, as README.md says")
        main_cf = Path("/etc/postfix/main.cf")
        main_cf.write_text(main_cf.read_text() + documents.blocks("main.cf")[0])
        run("systemctl", "restart", "rdns-milter", "postfix")
        is_judged()
        assert "milter claimed" not in run("journalctl", "--no-pager", "-o", "cat"), "libmilter complains"
        text, status, seconds = doctor()
        print(text, f"status {status}, {seconds:.1f} seconds")
        assert status == 0
        assert faults(text) == {}, text
        for path in KEPT:
            shutil.copy2(path, f"/root/{Path(path).name}.kept")
        rows = [tried(case) for case in CASES if only in case.name]
    print("\n| set-up | doctor says | its seconds | typed | in order again |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    failed = [row[0] for row in rows if not row[-1].startswith("yes")]
    print(f"\nnamed and mended: {len(rows) - len(failed)} of {len(rows)}")
    assert not failed, failed


def tried(case: Case) -> tuple[str, ...]:
    """Break the set-up and mend it by what doctor prints. A row of the table."""
    step(case.name)
    restore()
    shell(case.commands)
    began, typed, said, first = time.monotonic(), 0, "", 0.0
    for number in range(ROUNDS):
        text, _, seconds = doctor()
        found = faults(text)
        if number == 0:
            first = seconds
            said = next((each for each in found if case.says in each), "")
            if not said:
                return case.name, f"nothing of the kind: {'; '.join(found)}", f"{first:.1f}", "0", "no"
        if not found:
            break
        for fault, lines in found.items():
            print(fault)
            for line in lines:
                print(f"    # {line}")
                typed += 1
                if not type_in(line):
                    print("    failed")
        eventually(lambda: run("systemctl", "show", "-P", "ActiveState", "rdns-milter").strip() in ("active", "failed"))
    text, status, _ = doctor()
    left, judged = faults(text), is_judged()
    mended = f"yes, after {time.monotonic() - began:.0f} s" + (f" and {number} rounds" if number > 1 else "")
    if status or left or not judged:
        mended = f"no: status {status}, {'; '.join(left)}{'' if judged else ', mail is not judged'}"
    return case.name, said, f"{first:.1f}", str(typed), mended


def restore() -> None:
    """Put everything back as it was in order."""
    shutil.rmtree(DROP_INS, ignore_errors=True)
    shutil.rmtree(SOCKETS, ignore_errors=True)
    for path in KEPT:
        shutil.copy2(f"/root/{Path(path).name}.kept", path)
        shutil.chown(path, 0, 0)
    shell(
        "systemctl daemon-reload; systemctl reset-failed rdns-milter; systemctl restart systemd-journald-dev-log.socket"
    )
    shell("systemctl restart rdns-milter; postfix reload")
    assert is_judged()


def doctor() -> tuple[str, int, float]:
    """What doctor prints, its status, and its seconds."""
    began = time.monotonic()
    done = subprocess.run(["rdns-milter", "doctor"], capture_output=True, text=True, timeout=60, check=False)
    seconds = time.monotonic() - began
    assert done.stderr == "", done.stderr
    document = json.loads(
        subprocess.run(["rdns-milter", "doctor", "--json"], capture_output=True, timeout=60, check=False).stdout
    )
    assert {each["level"] for each in document} <= {"ok", "warn", "bad"}
    return done.stdout, done.returncode, seconds


def faults(text: str) -> dict[str, list[str]]:
    """What is not in order, each with the lines below it, as the administrator reads them."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if match := LINE.fullmatch(line):
            lines = []
            if match[1] != "ok" and match[2] != "doctor" and not EXPECTED.search(line):
                lines = found.setdefault(line, [])
        elif line.startswith("       "):
            lines.append(line.strip())
    return found


def type_in(line: str) -> bool:
    """Type a command as it stands, or write a line into the config. Return whether that worked."""
    if match := SETTING.fullmatch(line):
        edit(*match.groups())
        return True
    done = shell(line)
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root's shell would, without a terminal."""
    return subprocess.run(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def edit(section: str, key: str, value: str) -> None:
    """Set an option in the config: its line in the section, as an administrator would with an editor."""
    lines = CONFIG.read_text().splitlines()
    at = lines.index(f"[{section}]")
    end = next((number for number in range(at + 1, len(lines)) if lines[number].startswith("[")), len(lines))
    there = [number for number in range(at, end) if re.match(rf"{key}\s*=", lines[number])]
    if there:
        end_of_value = there[0]
        while lines[there[0]].rstrip().endswith("[") and not lines[end_of_value].startswith("]"):
            end_of_value += 1
        lines[there[0] : end_of_value + 1] = [f"{key} = {value}"]
    else:
        lines.insert(at + 1, f"{key} = {value}")
    CONFIG.write_text("\n".join(lines) + "\n")


def is_judged() -> bool:
    """Return whether a liar's mail is refused by the milter, and a good host's is taken, through Postfix; within some seconds."""
    end = time.monotonic() + 20
    refused = good = None
    while time.monotonic() < end:
        try:
            refused = mail.send("198.51.100.30", "mail.bank.example", "offer@nothing.example", "liar")
            good = mail.send("192.0.2.10", "mail.good.example", "a@good.example", "good")
        except (OSError, smtplib.SMTPException):
            refused = good = None
        if refused and refused[0] == 550 and "does not resolve back" in str(refused[1]) and good == ():
            return True
        time.sleep(0.5)
    print("mail is not judged:", refused, good)
    return False


def flood() -> None:
    """Let the milter write more lines than journald takes; it says so with the next line after the interval."""
    for pause in (0, 10):
        time.sleep(pause)
        for _ in range(40):
            mail.judges(INET)


if __name__ == "__main__":
    if sys.argv[1:2] == ["set"]:
        edit(*sys.argv[2:])
    elif sys.argv[1:] == ["flood"]:
        flood()
    else:
        main()
