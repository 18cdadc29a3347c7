"""packaging/examples/stacks with a real Postfix that has the settings of mailcow or docker-mailserver, as far as they matter here.

Not their containers: lookups in their databases, TLS, and what needs the DNS of Postfix itself are left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.filters import milters
from tests.kit.filters.dkim import DkimKey
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port, postfix_style
from tests.kit.milter.probe import Probe
from tests.kit.mta import examples
from tests.kit.mta.postfix import Postfix, installed
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, send
from tests.mta.attached import BAD, BAD_FROM, BAD_HELO, DEFAULT_RULES, HOST, USER, ZONE
from tests.mta.neighbour_corpus import CORPUS, deliver, zone

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")

MAILCOW = {
    "mynetworks_style": "subnet",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "smtpd_recipient_restrictions": "permit_sasl_authenticated, permit_mynetworks, reject_invalid_helo_hostname,"
    " reject_unauth_destination, check_recipient_access static:HOLD",
    "smtpd_sender_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unlisted_sender",
    "smtpd_data_restrictions": "reject_unauth_pipelining, permit",
    "smtpd_delay_reject": "yes",
    "smtpd_helo_required": "yes",
    "milter_default_action": "tempfail",
    "milter_protocol": "6",
    "milter_mail_macros": "i {mail_addr} {client_addr} {client_name} {auth_authen}",
    "smtpd_discard_ehlo_keywords": "chunking, silent-discard, smtputf8",
    "postscreen_access_list": "permit_mynetworks",
    "postscreen_greet_wait": "3s",
    "default_transport": "discard:",  # with the kit's own, senders would be unlisted
}
MAILCOW_SERVICES = """
127.0.0.1:{port}  inet  n - n - 1 postscreen
smtpd      pass  - - n - - smtpd -o smtpd_helo_restrictions=permit_mynetworks,reject_non_fqdn_helo_hostname
tlsproxy   unix  - - n - 0 tlsproxy
dnsblog    unix  - - n - 0 dnsblog
"""
DMS = """\
mynetworks = 127.0.0.0/8 [::1]/128 [fe80::]/64
smtpd_helo_required = yes
smtpd_delay_reject = yes
smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname, permit
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
smtpd_recipient_restrictions = permit_sasl_authenticated, permit_mynetworks, reject_unauth_destination, \
reject_unauth_pipelining, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, check_recipient_access static:HOLD
smtpd_client_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unauth_pipelining
smtpd_sender_restrictions = $dms_smtpd_sender_restrictions
smtpd_discard_ehlo_keywords = silent-discard, dsn
disable_vrfy_command = yes
dms_smtpd_sender_restrictions = permit_sasl_authenticated, permit_mynetworks, reject_unknown_client_hostname
milter_protocol = 6
milter_default_action = accept
rspamd_milter = RSPAMD
smtpd_milters = $rspamd_milter
"""
# Postfix's programs wait until a file is two seconds old.
POSTCONF = '#!/bin/sh\ntouch -d "-60 seconds" "$MAIL_CONFIG/main.cf"\nexec /usr/sbin/postconf "$@"\n'
NO_NAME = "HFILTER_HOSTNAME_UNKNOWN"


@pytest.fixture(scope="module")
def rspamd() -> Iterator[Probe]:
    """A milter in place of theirs, which records what it sees."""
    with Probe() as running:
        yield running


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """The milter with the example's settings, but for its socket and its log."""
    settings = tomllib.loads(examples.text("stacks/settings.toml"))
    assert (settings["milter"].pop("socket"), settings["log"]) == ("inet:8895@0.0.0.0", {"target": "stderr"})
    with NameServer(ZONE) as server, Daemon(settings, DEFAULT_RULES, server) as running:
        yield running


def send_bad(address: tuple[str, int], client: Client = BAD) -> Dialogue:
    """Send a message of a client about which nothing is confirmed."""
    return send(address, client, helo=BAD_HELO, mailfrom=BAD_FROM, rcpts=[USER])


def check_observed(address: tuple[str, int], postfix: Postfix, daemon: Daemon, rspamd: Probe) -> None:
    """Check that it is accepted, that the log says what would have been done, and that the next milter sees our field."""
    before, seen = len(daemon.decisions()), len(rspamd.events("header"))
    dialogue = send_bad(address)
    assert dialogue.accepted
    decision = daemon.wait_for_decisions(before + 1)[before]
    wanted = ("accept", "reject", "nothing-confirmed", "observe")
    assert tuple(decision[key] for key in ("action", "would", "rule", "mode")) == wanted
    assert postfix.headers(dialogue.queue_id)[0][1].startswith(f"{HOST};\n\tiprev=permerror ")
    names = [event["name"] for event in rspamd.events("header")[seen:]]
    assert names[0] == "Authentication-Results"
    assert send_bad(address, Client("203.0.113.9", login="joe")).accepted
    assert daemon.wait_for_decisions(before + 2)[before + 1]["rule"] == "exempt:authenticated"


def down(milters_: str, daemon: Daemon) -> str:
    """Return the setting with a port at which nothing listens in place of the milter's."""
    socket = postfix_style(daemon.spec)
    assert milters_.count(socket) == 1
    return milters_.replace(socket, f"inet:127.0.0.1:{free_port()}")


def test_mailcow(daemon: Daemon, rspamd: Probe) -> None:
    """With its postscreen in front, and with its rspamd behind."""
    changes = {"inet:rdns-milter:8895": postfix_style(daemon.spec), "inet:rspamd:9900": postfix_style(rspamd.socket)}
    (extra,) = re.findall(r"^smtpd_milters = (.*)$", examples.changed("stacks/mailcow/extra.cf", changes), re.MULTILINE)
    port = free_port()
    services = MAILCOW_SERVICES.format(port=port)
    settings: dict[str, Any] = MAILCOW | {"smtpd_milters": extra, "services": services}
    with Postfix(None, myhostname=HOST, **settings) as postfix:
        address = (postfix.address[0], port)
        check_observed(address, postfix, daemon, rspamd)
        postfix.reload(smtpd_milters=down(extra, daemon))
        assert send_bad(address).accepted


@pytest.mark.skipif(bool(milters.missing("rspamd")), reason="rspamd is not installed")
def test_the_points_of_mailcow_for_clients_without_a_name(tmp_path: Path) -> None:
    theirs = {"local.d/hfilter_group.conf": f'symbols = {{\n "{NO_NAME}" {{\n score = 8.5;\n }}\n}}\n'}
    ours = {"override.d/hfilter_group.conf": examples.text("stacks/mailcow/hfilter_group.conf")}
    key = DkimKey(tmp_path / "key.pem")
    mail = CORPUS["client without a reverse name, SPF passes"]
    found = []
    with milters.resolver(zone(key)) as server:
        for files in (theirs, theirs | ours):
            with milters.rspamd(server, files=files) as socket, Postfix(socket, hold=True) as postfix:
                headers = dict(postfix.headers(deliver(postfix.address, mail, key).queue_id))
                found += re.findall(rf"{NO_NAME}\(([\d.]+)\)", headers["X-Spamd-Result"])
    assert found == ["8.50", "0.00"]


def patched(main_cf: str, directory: Path) -> dict[str, str]:
    """Return the settings after user-patches.sh has run twice, as it does when the container is restarted."""
    (directory / "main.cf").write_text(main_cf)
    (directory / "master.cf").write_text("")
    (directory / "postconf").write_text(POSTCONF)
    (directory / "postconf").chmod(0o755)
    script = examples.DIRECTORY / "stacks/docker-mailserver/user-patches.sh"
    found = []
    for _ in range(2):
        environment = {"MAIL_CONFIG": str(directory), "PATH": f"{directory}:/usr/bin:/bin"}
        done = subprocess.run(
            ["bash", str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        found.append(dict(re.findall(r"^(\w+) = ?(.*)$", (directory / "main.cf").read_text(), re.MULTILINE)))
    assert found[0] == found[1]
    return found[0]


def test_docker_mailserver(daemon: Daemon, rspamd: Probe, tmp_path: Path) -> None:
    main_cf = DMS.replace("RSPAMD", postfix_style(rspamd.socket))
    before: dict[str, Any] = dict(re.findall(r"^(\w+) = (.*)$", main_cf, re.MULTILINE))
    after = patched(main_cf, tmp_path)
    assert after["smtpd_milters"] == "{ inet:rdns-milter:8895, default_action=accept }, $rspamd_milter"
    after["smtpd_milters"] = after["smtpd_milters"].replace("inet:rdns-milter:8895", postfix_style(daemon.spec))
    with Postfix(None, myhostname=HOST, **before) as postfix:
        refused = send_bad(postfix.address)
        assert (refused.verdict.code, refused.verdict.enhanced) == (450, "4.7.25")
        postfix.reload(**after)
        check_observed(postfix.address, postfix, daemon, rspamd)
        postfix.reload(smtpd_milters=down(after["smtpd_milters"], daemon))
        assert send_bad(postfix.address).accepted


def test_docker_mailserver_without_milters(tmp_path: Path) -> None:
    """With neither OpenDKIM nor rspamd, and without the switch."""
    main_cf = DMS.replace("rspamd_milter = RSPAMD\nsmtpd_milters = $rspamd_milter", "smtpd_milters =")
    after = patched(main_cf.replace(", reject_unknown_client_hostname", ""), tmp_path)
    assert after["smtpd_milters"] == "{ inet:rdns-milter:8895, default_action=accept },"
    assert after["dms_smtpd_sender_restrictions"] == "permit_sasl_authenticated, permit_mynetworks"
    os.utime(tmp_path / "main.cf", (0, 0))
    command = ["/usr/sbin/postconf", "-c", str(tmp_path), "smtpd_milters"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
