"""A private Postfix: its own queue, configuration and log, a free port on loopback; the machine's own mail is not touched.

    with Postfix(milter="inet:8895@127.0.0.1", hold=True) as pf:
        dialogue = smtp.send(pf.address, Client("203.0.113.7"), rcpts=["b@rcpt.example"])
        assert pf.headers(dialogue.queue_id)[0][0] == "Authentication-Results"

Needs root, as every Postfix does, but neither syslog nor systemd. Mail for `rcpt.example` is accepted from everybody and
discarded, or held with `hold=True`. A client on loopback may take any identity by XCLIENT. No DNS is asked. The master process is
our child: a signal ends it with its children, also when the test process was killed.
"""

from __future__ import annotations

import contextlib
import functools
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

from tests.kit.milter.endpoint import Endpoint, connected, free_port, postfix_style, taken
from tests.kit.milter.process_group import ProcessGroup

SBIN = "/usr/sbin"
HOST = "127.0.0.1"
START_TIMEOUT = 30.0

QUEUE_DIRECTORIES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"),
)
GROUP_DIRECTORIES = {"maildrop": 0o730, "public": 0o710}

SETTINGS = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "myhostname": "mx.test.example",
    "mydestination": "",
    "local_recipient_maps": "",
    "alias_maps": "",
    "alias_database": "",
    "relay_domains": "rcpt.example",
    "relay_transport": "discard:",
    "default_transport": "error:no mail leaves this machine",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "all",
    "smtp_host_lookup": "native",
    "disable_dns_lookups": "yes",
    "smtpd_peername_lookup": "no",
    "smtpd_authorized_xclient_hosts": "127.0.0.0/8, [::1]/128",
    "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
    "smtpd_client_connection_count_limit": "0",
    "smtpd_error_sleep_time": "0",
    "smtpd_timeout": "120s",
    "milter_default_action": "tempfail",
    "in_flow_delay": "0",
    "notify_classes": "",
}

SERVICES = """
{host}:{port}  inet       n - n -    -   smtpd
{host}:{bare}  inet       n - n -    2   smtpd -o smtpd_milters=
postlog        unix-dgram n - n -    1   postlogd
pickup         unix       n - n 60   1   pickup
cleanup        unix       n - n -    0   cleanup
qmgr           unix       n - n 300  1   qmgr
rewrite        unix       - - n -    -   trivial-rewrite
bounce         unix       - - n -    0   bounce
defer          unix       - - n -    0   bounce
trace          unix       - - n -    0   bounce
verify         unix       - - n -    1   verify
flush          unix       n - n 1000 0   flush
proxymap       unix       - - n -    -   proxymap
proxywrite     unix       - - n -    1   proxymap
smtp           unix       - - n -    -   smtp
relay          unix       - - n -    -   smtp
showq          unix       n - n -    -   showq
error          unix       - - n -    -   error
retry          unix       - - n -    -   error
discard        unix       - - n -    -   discard
anvil          unix       - - n -    1   anvil
scache         unix       - - n -    1   scache
tlsmgr         unix       - - n 1000 1   tlsmgr
"""


class PostfixFailed(RuntimeError):
    """Postfix did not start, or an expected event did not happen; the text contains its log."""


def installed() -> bool:
    """Return whether this machine has a Postfix."""
    return Path(SBIN, "postconf").exists()


@functools.cache
def _compiled(name: str) -> str:
    """Return a compiled-in default of this Postfix; main.cf does not matter."""
    done = subprocess.run([f"{SBIN}/postconf", "-dh", name], check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


class Postfix:
    """`milter`: the socket for smtpd_milters, in any spelling (None: no milter). `hold`: every message stays in the hold queue.
    `within`: a command that takes the command of the master process as its last arguments.

    `services`: further lines of master.cf; there, and in settings, `{inner}` is a free address and port, for a listener behind a
    content filter. Further keywords are main.cf settings. `.address`, `.port`: its SMTP port; `.bare_port`: one without milters;
    `.maillog`: its log; `.base`: its directory, removed at the end.
    """

    def __init__(
        self,
        milter: Endpoint | None = None,
        *,
        hold: bool = False,
        services: str = "",
        within: Sequence[str] = (),
        **settings: str | int,
    ) -> None:
        self.settings: dict[str, str] = {}
        self._within = tuple(within)
        self.services = services
        if milter is not None:
            self.settings["smtpd_milters"] = postfix_style(milter)
        if hold:
            self.settings["smtpd_recipient_restrictions"] = "check_recipient_access static:HOLD"
        self.settings |= {name: str(value) for name, value in settings.items()}
        self.base = Path()
        self.port = self.bare_port = self.inner_port = 0
        self._processes: ProcessGroup | None = None

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise PostfixFailed("a private Postfix must be started by root")
        try:
            try:
                self._start()
            except PostfixFailed:
                self.stop()
                if not any(taken(HOST, port) for port in (self.port, self.bare_port)):
                    raise
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
    def master(self) -> subprocess.Popen[bytes] | None:
        """The master process while it runs."""
        return self._processes.leader if self._processes else None

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.port

    @property
    def maillog(self) -> Path:
        return self.base / "maillog"

    @property
    def config(self) -> Path:
        """The directory of main.cf and master.cf, for `postconf -c` and the like."""
        return self.base / "etc"

    # Starting and stopping

    def _start(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="rdns-postfix-"))
        self.port, self.bare_port, self.inner_port = free_port(HOST), free_port(HOST), free_port(HOST)
        self._lay_out()
        self._configure()
        self._launch()

    def _launch(self) -> None:
        command = [*self._within, f"{_compiled('daemon_directory')}/master", "-c", str(self.config), "-d"]
        self._processes = ProcessGroup(command, self.base)
        self._await_answer(self._processes.leader)

    def _lay_out(self) -> None:
        """Make the directories that `postfix check` would make; that takes seconds."""
        spool = self.base / "spool"
        self.base.chmod(0o755)
        modes = dict.fromkeys((spool, self.config, spool / "pid"), (0o755, "root", "root"))
        modes |= dict.fromkeys(
            (self.base / "data", *(spool / d for d in QUEUE_DIRECTORIES)), (0o700, "postfix", "root")
        )
        modes |= {spool / name: (mode, "postfix", "postdrop") for name, mode in GROUP_DIRECTORIES.items()}
        for directory, (mode, user, group) in modes.items():
            directory.mkdir()
            shutil.chown(directory, user, group)
            directory.chmod(mode)

    def _configure(self) -> None:
        own: dict[str, object] = {
            "config_directory": self.config,
            "queue_directory": self.base / "spool",
            "data_directory": self.base / "data",
            "command_directory": SBIN,
            "maillog_file": self.maillog,
            "maillog_file_prefixes": self.base,
            **{name: _compiled(name) for name in ("daemon_directory", "meta_directory", "shlib_directory")},
        }
        inner = f"{HOST}:{self.inner_port}"
        settings = {name: value.replace("{inner}", inner) for name, value in self.settings.items()}
        lines = [f"{name} = {value}\n" for name, value in (SETTINGS | own | settings).items()]
        files = {
            "main.cf": "".join(lines),
            "master.cf": SERVICES.format(host=HOST, port=self.port, bare=self.bare_port)
            + self.services.replace("{inner}", inner),
        }
        for name, content in files.items():
            (self.config / name).write_text(content)
            (self.config / name).chmod(0o644)
            # Postfix reads a new main.cf again and again until it is two seconds old, as it may still be written.
            os.utime(self.config / name, (time.time() - 60,) * 2)

    def _await_answer(self, master: subprocess.Popen[bytes]) -> None:
        """Wait for its greeting on the port without milters, so that the milter under test sees no connection."""
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until and master.poll() is None:
            with contextlib.suppress(OSError), connected((HOST, self.bare_port), 5) as probe:
                if probe.recv(4) == b"220 ":
                    probe.sendall(b"QUIT\r\n")
                    return
            time.sleep(0.02)
        ask = [f"{SBIN}/postcat", "-c", str(self.config), "-q", "NONE"]  # master does not log the reason
        why = subprocess.run(ask, capture_output=True, timeout=30, check=False).stderr.decode(errors="replace")
        raise PostfixFailed(f"Postfix did not start:\n{why}{self.log()}")

    def stop(self) -> None:
        """End all of its processes, with TERM, then with KILL; remove its directory. May be called twice."""
        self._halt()
        if self.base != Path():
            shutil.rmtree(self.base, ignore_errors=True)

    def _halt(self) -> None:
        processes, self._processes = self._processes, None
        if processes:
            processes.end()

    def reload(self, **settings: str | int) -> None:
        """Change main.cf settings: stop and start on the same port, with the same queue and log; sessions are cut.

        A real reload does not suit tests: HUP kills processes that have just started, which Postfix takes for a failure of
        theirs, and it starts no more of the kind for a minute (seen with smtpd and postlogd, once in 200 reloads).
        """
        if self.master is None:
            raise PostfixFailed("Postfix is not running")
        self.settings |= {name: str(value) for name, value in settings.items()}
        self._halt()
        self._configure()
        self._launch()

    # Log and queue

    def log(self) -> str:
        """Return the mail log so far."""
        return self.maillog.read_text("utf-8", "surrogateescape") if self.maillog.exists() else ""

    def await_log(self, pattern: str, timeout: float = 15.0) -> re.Match[str]:
        """Wait for a regular expression in the log; return the first match. Raises PostfixFailed."""
        until = time.monotonic() + timeout
        while not (found := re.search(pattern, self.log(), re.MULTILINE)):
            if time.monotonic() > until:
                raise PostfixFailed(f"no {pattern!r} in the mail log:\n{self.log()}")
            time.sleep(0.02)
        return found

    def held(self) -> list[str]:
        """Return the queue ids in the hold queue."""
        return sorted(os.listdir(self.base / "spool" / "hold"))

    def headers(self, queue_id: str) -> list[tuple[str, str]]:
        """Return name and value of each header of a queued message, from the top; folds stay in the value as newline and space."""
        fields: list[tuple[str, str]] = []
        for line in self._postcat("-h", queue_id).split("\n"):
            if line[:1] in (" ", "\t") and fields:
                fields[-1] = (fields[-1][0], f"{fields[-1][1]}\n{line}")
            elif line:
                name, _, value = line.partition(":")
                fields.append((name, value.removeprefix(" ")))
        return fields

    def message(self, queue_id: str) -> str:
        """Return the whole queued message, headers and body."""
        return self._postcat("-bh", queue_id)

    def _postcat(self, what: str, queue_id: str) -> str:
        command = [f"{SBIN}/postcat", "-c", str(self.config), what, "-q", queue_id]
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
        if done.returncode:
            raise PostfixFailed(f"postcat {queue_id}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def delete(self, queue_id: str) -> None:
        """Delete a message from the queue; "ALL" for all of them."""
        subprocess.run(
            [f"{SBIN}/postsuper", "-c", str(self.config), "-d", queue_id], check=True, capture_output=True, timeout=30
        )
