"""A private Sendmail: in a root of its own, with its own configuration, queue and log; the machine's mail is not touched.

    with NetworkNamespace(), Sendmail(milter="inet:8895@127.0.0.1") as sm:
        dialogue = smtp.send(sm.address, Client("203.0.113.7"), rcpts=["b@rcpt.example"], connect_as=sm.connect_as)
        assert sm.headers(dialogue.queue_id)[0][0] == "Authentication-Results"

Its root is a copy, by hard links, of what tests/sendmail.sh has unpacked; its configuration is
packaging/examples/sendmail/sendmail.mc and what a test needs beside it. Sendmail has no XCLIENT: clients connect from their own
addresses, in a `tests.kit.mta.network_namespace.NetworkNamespace`. Sendmail asks the name server at 127.0.0.1:53 of that network,
if there is one. Mail for `rcpt.example` is accepted from everybody and stays in the queue until `run_queue` delivers it into a
file. Needs root. All of its processes end with it, also when the test process was killed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kit.milter.endpoint import Endpoint, connected, free_port, milter_style, parse_endpoint
from tests.kit.milter.process_group import ProcessGroup
from tests.kit.mta.network_namespace import connect_from
from tests.kit.mta.syslogd import Syslog
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Smtp

CLONE = Path(__file__).resolve().parents[3]
EXAMPLE = CLONE / "packaging" / "examples" / "sendmail" / "sendmail.mc"
UNPACKED = Path(os.environ.get("RDNS_MILTER_SENDMAIL", CLONE / ".venv-sendmail"))
PROGRAM = "/usr/libexec/sendmail/sendmail"
OWN_ADDRESS, OWN_ADDRESS_6 = "192.0.2.25", "2001:db8::25"  # its SMTP address: not loopback, as in production
START_TIMEOUT = 30.0
LOGIN, PASSWORD = "joe", "secret"
FILTER = re.compile(r"^INPUT_MAIL_FILTER\(`rdns-milter', `S=inet:8895@127\.0\.0\.1, (T=\S+)'\)dnl$", re.MULTILINE)

# Beside the example: a name, a queue that waits, no wait for IDENT and a short one for DNS, no checks of senders by Sendmail
# itself; mail for rcpt.example is accepted and finally appended to a file; authenticated clients may relay.
SETTINGS = r"""
define(`confDOMAIN_NAME', `{host}')dnl
define(`confDELIVERY_MODE', `q')dnl
define(`QUEUE_DIR', `/mnt/queue')dnl
define(`confPID_FILE', `/mnt/pid')dnl
define(`confCONTROL_SOCKET_NAME', `/mnt/control')dnl
define(`STATUS_FILE', `/mnt/status')dnl
define(`ALIAS_FILE', `/mnt/aliases')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
define(`confTRUSTED_USER', `root')dnl
define(`confTO_IDENT', `0')dnl
define(`confTO_RESOLVER_RETRANS', `1s')dnl
define(`confTO_RESOLVER_RETRY', `1')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confMAX_DAEMON_CHILDREN', `0')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
define(`confAUTH_REALM', `{host}')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`rcpt.example')dnl
{settings}
LOCAL_RULE_0
R$* < @ rcpt.example $* > $*	$#box $@ rcpt.example $: $1
MAILER_DEFINITIONS
Mbox, P=/usr/bin/tee, F=DFMl, U=root, A=tee -a /mnt/box/$u
"""

CERTIFICATE = (
    "define(`confCACERT', `/mnt/cert')dnl",
    "define(`confCACERT_PATH', `/mnt')dnl",
    "define(`confSERVER_CERT', `/mnt/cert')dnl",
    "define(`confSERVER_KEY', `/mnt/key')dnl",
)


class SendmailFailed(RuntimeError):
    """Sendmail did not start, or an expected event did not happen; the text contains its log."""


def installed() -> bool:
    """Return whether a Sendmail has been unpacked."""
    return (UNPACKED / "unpacked").exists()


class Root:
    """The root of one Sendmail, `.path`; `.media`: the directory for its milter's unix socket. Nothing is mounted there."""

    def __enter__(self) -> Self:
        self.path = Path(tempfile.mkdtemp(prefix="run-", dir=UNPACKED))
        copy = ["cp", "-al", f"{UNPACKED}/pristine/.", str(self.path)]
        subprocess.run(copy, check=True, capture_output=True, timeout=60)
        self.path.chmod(0o755)
        self.media = self.path / "media"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class Sendmail:
    """`milter`: the filter's socket, in any spelling (None: no filter); `flags`: those of F= ("": no F=); `timeouts`: those of T=
    (None: the example's). `tls`: it has a certificate. `settings`: further lines of sendmail.mc.

    `root`: the root in which it runs (None: one of its own), where a milter's unix socket must be. `.address`: its SMTP port;
    `.base`: the directory of its own files, removed at the end.
    """

    def __init__(
        self,
        milter: Endpoint | None = None,
        *,
        flags: str = "",
        timeouts: str | None = None,
        host: str = "mx.test.example",
        tls: bool = False,
        settings: Sequence[str] = (),
        root: Root | None = None,
    ) -> None:
        self.milter, self.flags, self.timeouts = milter, flags, timeouts
        self.host = host
        self.tls, self.settings = tls, settings
        self.root = root
        self._own_root = contextlib.ExitStack()
        self.base = Path()
        self.port = 0
        self._processes: ProcessGroup | None = None
        self._syslog: Syslog | None = None

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise SendmailFailed("a private Sendmail must be started by root")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def leader(self) -> subprocess.Popen[bytes]:
        """The daemon's first process."""
        assert self._processes, "not running"
        return self._processes.leader

    @property
    def address(self) -> tuple[str, int]:
        return OWN_ADDRESS, self.port

    def write_configuration(self, root: Root) -> Path:
        """Make sendmail.cf in that root, and start nothing. Return its path; sendmail.mc is beside it."""
        self.root, self.base, self.port = root, root.path / "mnt", free_port()
        self._configure()
        return self.base / "sendmail.cf"

    # Starting and stopping

    def _start(self) -> None:
        self.root = self.root or self._own_root.enter_context(Root())
        self.base = self.root.path / "mnt"
        for name in ("queue", "box"):
            (self.base / name).mkdir(mode=0o700)
        for name in ("aliases", "status", "null"):
            (self.base / name).touch(0o644)
        self._syslog = Syslog(self.base / "log", self.base / "maillog")
        self.port = free_port()
        self._configure()
        user = ["/usr/sbin/saslpasswd2", "-p", "-c", "-f", "/mnt/sasldb2", "-u", self.host, LOGIN]
        self.inside(*user, said=PASSWORD)
        self.inside(PROGRAM, "-C/mnt/sendmail.cf", "-bi")
        daemon = self._command(PROGRAM, "-Am", "-L", "sm-mta", "-C/mnt/sendmail.cf", "-bD")
        self._processes = ProcessGroup(daemon, self.root.path)
        self._await_answer()

    def _configure(self) -> None:
        if self.tls:
            command = (
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key -out cert"
            )
            subject = ["-subj", f"/CN={self.host}"]
            subprocess.run([*command.split(), *subject], cwd=self.base, check=True, capture_output=True, timeout=60)
            (self.base / "key").chmod(0o600)
        (self.base / "sendmail.mc").write_text(self._mc())
        done = self.inside("/bin/sh", "-c", "cd /mnt && m4 sendmail.mc")
        (self.base / "sendmail.cf").write_text(done.stdout)

    def _mc(self) -> str:
        """Return the example with this filter and these ports, and our settings before the mailers."""
        text = EXAMPLE.read_text("utf-8")
        found = FILTER.search(text)
        assert found, "the example has no such filter any more"
        line = ""
        if self.milter is not None:
            flags = f"F={self.flags}, " if self.flags else ""
            times = f"T={self.timeouts}" if self.timeouts else found[1]
            line = f"INPUT_MAIL_FILTER(`rdns-milter', `S={self._spec()}, {flags}{times}')dnl"
        text = text.replace(found[0], line)
        text = text.replace("Port=smtp'", f"Port={self.port}, Listen=500'").replace(
            "Port=submission", f"Port={free_port()}"
        )
        more = [*(CERTIFICATE if self.tls else ()), *self.settings]
        settings = SETTINGS.format(host=self.host, settings="\n".join(more))
        assert text.count("\nMAILER_DEFINITIONS\n") == 1
        return text.replace("\nMAILER_DEFINITIONS\n", settings)

    def _spec(self) -> str:
        """Return the filter's socket as a path below its root."""
        assert self.milter is not None
        where = parse_endpoint(self.milter)
        if isinstance(where, tuple):
            return milter_style(where)
        assert self.root, "a milter with a unix socket must be in the root"
        return f"local:/{Path(where).relative_to(self.root.path)}"

    def _command(self, *program: str) -> list[str]:
        assert self.root
        return ["chroot", str(self.root.path), *program]

    def inside(self, *program: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program to its end in Sendmail's root."""
        done = subprocess.run(
            self._command(*program), input=said, capture_output=True, timeout=60, check=False, encoding="utf-8",
            errors="surrogateescape",
        )  # fmt: skip
        if done.returncode:
            raise SendmailFailed(f"{program}: {done.stderr}{done.stdout}\n{self.log()}")
        return done

    def _await_answer(self) -> None:
        """Wait for its greeting; then it listens on all ports."""
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until and self.leader.poll() is None:
            with contextlib.suppress(OSError), connected(self.address, 5) as probe:
                if probe.recv(4)[:3] in (b"220", b"451", b"554", b"421"):
                    probe.sendall(b"QUIT\r\n")
                    return
            time.sleep(0.02)
        if self._syslog:
            self._syslog.stop()  # its last log lines may still be on their way
        raise SendmailFailed(f"Sendmail did not start:\n{self.log()}")

    def stop(self) -> None:
        """End all of its processes, with TERM, then with KILL; remove its directory. May be called twice."""
        processes, self._processes = self._processes, None
        if processes:
            processes.end()
        syslog, self._syslog = self._syslog, None
        if syslog:
            syslog.stop()
        if self.base != Path():
            shutil.rmtree(self.base, ignore_errors=True)
        self._own_root.close()

    # Its clients

    def connect_as(self, client: Client | None, timeout: float) -> Smtp:
        """Return a connection from that client's address, over IPv6 if it is one; authenticated if it has a login."""
        address = client.address.removeprefix("::ffff:") if client else ""
        where = (OWN_ADDRESS_6 if ":" in address else OWN_ADDRESS, self.port)
        smtp = Smtp(where, timeout, connect_from(where, address, timeout))
        if client and client.login:
            assert client.login == LOGIN
            smtp.command("EHLO kit.invalid", "ehlo")
            word = base64.b64encode(f"\0{LOGIN}\0{PASSWORD}".encode()).decode()
            smtp.command(f"AUTH PLAIN {word}", "auth")
        return smtp

    # Log and queue

    def log(self) -> str:
        """Return the mail log so far."""
        return self._syslog.text() if self._syslog else ""

    def await_log(self, pattern: str, timeout: float = 15.0) -> re.Match[str]:
        """Wait for a regular expression in the log; return the first match. Raises SendmailFailed."""
        until = time.monotonic() + timeout
        while not (found := re.search(pattern, self.log(), re.MULTILINE)):
            if time.monotonic() > until:
                raise SendmailFailed(f"no {pattern!r} in the mail log:\n{self.log()}")
            time.sleep(0.02)
        return found

    def held(self) -> list[str]:
        """Return the queue ids of quarantined messages."""
        return self._queue_ids("hf")

    def queued(self) -> list[str]:
        """Return the queue ids of messages that wait for delivery."""
        return self._queue_ids("qf")

    def _queue_ids(self, kind: str) -> list[str]:
        return sorted(name.removeprefix(kind) for name in os.listdir(self.base / "queue") if name.startswith(kind))

    def headers(self, queue_id: str) -> list[tuple[str, str]]:
        """Return name and value of each header of a queued message, from the top; folds stay in the value as newline and space."""
        fields: list[tuple[str, str]] = []
        inside = False
        for line in self.control(queue_id).split("\n"):
            if line[:1] in (" ", "\t"):
                if inside:
                    fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line}")
                continue
            inside = line.startswith("H?") and not line.startswith(
                "H?P?"
            )  # P: only for mailers that ask for a Return-Path
            if inside:
                name, _, value = line[2:].partition("?")[2].partition(":")
                fields.append((name, value.removeprefix(" ")))
        return fields

    def control(self, queue_id: str) -> str:
        """Return the queue file with envelope and header."""
        for kind in ("qf", "hf"):
            path = self.base / "queue" / f"{kind}{queue_id}"
            if path.exists():
                return path.read_text("utf-8", "surrogateescape")
        raise SendmailFailed(f"{queue_id} is not in the queue:\n{self.log()}")

    def run_queue(self, *options: str) -> str:
        """Run `sendmail -qf`, or with these options; return its output."""
        return self.inside(PROGRAM, "-C/mnt/sendmail.cf", *(options or ("-qf",))).stdout

    def delivered(self, local_part: str) -> str:
        """Return all messages delivered to that recipient; "" if none."""
        box = self.base / "box" / local_part
        return box.read_text("utf-8", "surrogateescape") if box.exists() else ""
