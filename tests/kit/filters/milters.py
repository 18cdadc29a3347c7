"""OpenDKIM, OpenDMARC, rspamd and SpamAssassin as milters, with the configuration of packaging/examples/neighbours.

    with resolver(zone) as server, opendkim(server) as dkim, opendmarc(server, SPFSelfValidate="false") as dmarc:
        ...  # dkim and dmarc are sockets for smtpd_milters

The files are the examples', unchanged but for addresses, ports and paths, and for what a test wants to be different. The programs
ask the test's name server only. OpenDMARC knows no other than that of /etc/resolv.conf, port 53: it sees a file of its own, in a
mount namespace. Needs root; loopback only. Nothing is checked here: tests do that.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.endpoint import free_port, taken
from tests.kit.mta import examples
from tests.kit.mta.child import Child
from tests.kit.mta.fleet import program

HERE = "127.0.0.1"
BIND_TRIES = 20
PROGRAMS = ("opendkim", "opendmarc", "rspamd", "spamd", "spamass-milter")
# rspamd compiles its list of 9,600 public suffixes for nine seconds; a test needs only these.
SUFFIXES = "com\nnet\norg\nexample\n"
_RSPAMD = Path("/etc/rspamd/rspamd.conf")
_SPAMASSASSIN = Path("/etc/spamassassin")
# With RESOLV_CONF in place of /etc/resolv.conf for COMMAND alone.
_WITH_RESOLV_CONF = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


def missing(*wanted: str) -> str:
    """Return the names of those programs that this machine lacks; "" if it has all."""
    return ", ".join(name for name in wanted if not program(name))


@contextlib.contextmanager
def resolver(zone: Zone) -> Iterator[NameServer]:
    """Serve the zone on port 53 of some address of loopback."""
    for tries in range(BIND_TRIES):
        host = f"127.{random.randint(2, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}"
        try:
            server = NameServer(zone, host, 53).start()
            break
        except OSError:
            if tries + 1 == BIND_TRIES:
                raise
    try:
        yield server
    finally:
        server.stop()


def asking(server: NameServer, directory: Path) -> list[str]:
    """Return a command that runs the command behind it with this name server in /etc/resolv.conf."""
    path = directory / "resolv.conf"
    path.write_text(f"nameserver {server.host}\n")
    path.chmod(0o644)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", _WITH_RESOLV_CONF, str(path)]


def directives(name: str, changes: Mapping[str, str | None]) -> str:
    """Return an example whose lines are `Keyword value`, with these values changed, added, or (None) left out."""
    left = dict(changes)
    lines = []
    for line in examples.text(name).splitlines():
        keyword = line.split(" ", 1)[0]
        if keyword in left:
            value = left.pop(keyword)
            line = f"{keyword} {value}" if value is not None else ""
        lines.append(line)
    return "\n".join((*lines, *(f"{keyword} {value}" for keyword, value in left.items() if value is not None), ""))


@contextlib.contextmanager
def _milter(name: str) -> Iterator[Child]:
    """A child that is killed at the end: libmilter takes five seconds to end by itself."""
    with Child(name) as child:
        try:
            yield child
        finally:
            if child.process is not None:
                child.process.kill()


@contextlib.contextmanager
def opendkim(server: NameServer, **changes: str | None) -> Iterator[str]:
    """Run OpenDKIM as a verifier; yield its socket as Postfix writes it. `changes`: its directives."""
    port = free_port()
    ours = {"Socket": f"inet:{port}@{HERE}", "Nameservers": server.host, "Mode": "v", "Syslog": "no"}
    with _milter("opendkim") as child:
        path = child.write("opendkim.conf", directives("neighbours/opendkim.conf", ours | changes))
        child.start([program("opendkim") or "opendkim", "-f", "-x", path], lambda: taken(HERE, port))
        yield f"inet:{HERE}:{port}"


@contextlib.contextmanager
def opendmarc(server: NameServer, **changes: str | None) -> Iterator[str]:
    """Run OpenDMARC; yield its socket as Postfix writes it. `changes`: its directives."""
    port = free_port()
    ours = {"Socket": f"inet:{port}@{HERE}", "Syslog": "false"}
    with _milter("opendmarc") as child:
        path = child.write("opendmarc.conf", directives("neighbours/opendmarc.conf", ours | changes))
        command = [*asking(server, child.directory), program("opendmarc") or "opendmarc", "-f", "-c", path]
        child.start(command, lambda: taken(HERE, port))
        yield f"inet:{HERE}:{port}"


@contextlib.contextmanager
def rspamd(
    server: NameServer, remove: str | None = "false", files: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Run rspamd with Debian's configuration and the examples; yield its socket as Postfix writes it. `remove`: the option of that
    name (None: rspamd's default). `files`: further ones, of local.d and override.d. It adds X-Spamd-Result, so that a test sees its
    symbols."""
    port = free_port()
    changes = {'use = ["': 'use = ["x-spamd-result", "', "remove = false;": f"remove = {remove};" if remove else ""}
    with Child("rspamd") as child:
        for name in ("local.d", "override.d", "db"):
            (child.directory / name).mkdir()
        off = dict.fromkeys(("worker-normal.inc", "worker-controller.inc", "worker-fuzzy.inc"), "enabled = false;\n")
        off |= dict.fromkeys(("fuzzy_check.conf", "rbl.conf", "surbl.conf"), "enabled = false;\n")
        local = off | {
            "worker-proxy.inc": f'bind_socket = "{HERE}:{port}";\nupstream "local" {{ self_scan = yes; }}\n',
            "options.inc": f'dns {{ nameserver = ["{server.hostport}:1"]; }}\nurl_tld = "{child.directory}/suffixes";\n',
            "logging.inc": 'type = "console";\n',
            "milter_headers.conf": examples.changed("neighbours/rspamd/milter_headers.conf", changes),
            "multimap.conf": examples.text("neighbours/rspamd/multimap.conf"),
        }
        for name, text in ({f"local.d/{name}": text for name, text in local.items()} | dict(files)).items():
            child.write(name, text)
        child.write("suffixes", SUFFIXES)
        variables = {"LOCAL_CONFDIR": "", **dict.fromkeys(("DBDIR", "RUNDIR", "LOGDIR"), "/db")}
        settings = [f"--var={name}={child.directory}{below}" for name, below in variables.items()]
        # -i: as root, which its own directories belong to.
        command = [program("rspamd") or "rspamd", "-f", "-i", "-c", str(_RSPAMD), *settings]
        child.start(command, lambda: taken(HERE, port))
        yield f"inet:{HERE}:{port}"


@contextlib.contextmanager
def spamassassin(authserv_id: str) -> Iterator[str]:
    """Run spamd with Debian's configuration and the example, without network tests, and spamass-milter in front of it; yield the
    socket as Postfix writes it. `authserv_id`: the name under which the results that it may believe are written."""
    port = free_port()
    with Child("spamd") as spamd, _milter("spamass-milter") as milter:
        site = spamassassin_site(spamd.directory / "site", authserv_id)
        where = ["-i", HERE, "-p", str(port)]
        options = ["-L", "-x", "-m1", "-u", "nobody", "-H", str(spamd.directory), "--siteconfigpath", str(site)]
        daemon = [program("spamd") or "spamd", "--syslog=stderr", *options, *where]
        spamd.start(daemon, lambda: taken(HERE, port))
        socket = milter.directory / "sock"
        filter_ = [program("spamass-milter") or "spamass-milter", "-p", str(socket)]
        milter.start([*filter_, "--", "-d", HERE, "-p", str(port)], socket.exists)
        socket.chmod(0o777)
        yield f"unix:{socket}"


def spamassassin_site(directory: Path, authserv_id: str) -> Path:
    """Make a directory in place of /etc/spamassassin: the same files, and the example with that authserv-id. Return it."""
    shutil.copytree(_SPAMASSASSIN, directory, ignore=shutil.ignore_patterns("*keys*"))
    text = examples.changed("neighbours/spamassassin.cf", {"mx\\.example\\.com": re.escape(authserv_id)})
    (directory / "rdns-milter.cf").write_text(text)
    return directory
