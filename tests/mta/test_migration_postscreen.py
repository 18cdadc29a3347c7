"""The row of postscreen in packaging/doc/migration.md: its rules decide as postscreen does, where the page says so.

The old: postscreen in front of a server process, to which the PROXY protocol gives the client's address. The new: the milter at
another port of the same Postfix. Both ask the DNS of the test.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.dns.zone import Zone
from tests.kit.filters import migration, milters
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port
from tests.kit.mta.postfix import Postfix, installed
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, Smtp, send

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")
LOCALHOST, USER = "127.0.0.1", "user@rcpt.example"
ZONE = Zone(
    """
    51.100.51.198.wl.example  A  127.0.5.2
    52.100.51.198.bl.example  A  127.0.0.2
    53.100.51.198.bl.example  A  127.0.0.2
    53.100.51.198.bl.example  A  127.0.0.9
    54.100.51.198.bl.example  A  127.0.0.2
    54.100.51.198.wl.example  A  127.0.5.2
    55.100.51.198.bl.example  SERVFAIL
    56.100.51.198.bl.example  A  127.0.0.2
    56.100.51.198.wl.example  SERVFAIL
    57.100.51.198.bl.example  A  127.255.255.254
    58.100.51.198.bl.example  A  203.0.113.80
    """
)
CLIENTS = {
    "on neither list": 50,
    "on wl.example": 51,
    "on bl.example": 52,
    "on bl.example, twice": 53,
    "on both lists": 54,
    "bl.example cannot be asked": 55,
    "on bl.example, and wl.example cannot be asked": 56,
    "bl.example refuses the query": 57,
    "bl.example gives an address outside 127.0.0.0/8": 58,
}
POSTSCREEN = (
    "postscreen_upstream_proxy_protocol=haproxy", "postscreen_access_list=", "postscreen_dnsbl_action=enforce",
    "postscreen_greet_wait=1s", "postscreen_cache_map=", "postscreen_blacklist_action=ignore",
)  # fmt: skip
SERVICES = """
127.0.0.1:{port} inet n - n - 1 postscreen {options}
smtpd pass - - n - - smtpd -o smtpd_milters=
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
"""


def through_proxy(port: int) -> Callable[[Client | None, float], Smtp]:
    """Return what connects to that port as a proxy does for its client."""

    def connect(client: Client | None, timeout: float) -> Smtp:
        assert client is not None
        connection = socket.create_connection((LOCALHOST, port), timeout)
        connection.sendall(f"PROXY TCP4 {client.address} {LOCALHOST} 33333 {port}\r\n".encode())
        return Smtp((LOCALHOST, port), timeout, connection)

    return connect


def code(dialogue: Dialogue) -> int:
    """Return the first digit of the reply to the recipient."""
    (reply,) = dialogue.rcpts
    return reply.code // 100


def test_postscreen(tmp_path: Path) -> None:
    (row,) = (row for row in migration.rows("Postfix") if row.old.startswith("postscreen_dnsbl_sites"))
    port = free_port()
    settings = [*POSTSCREEN, *(each.replace(" = ", "=") for each in (row.old, *row.settings))]
    services = SERVICES.format(port=port, options=" ".join(f"-o {{ {each} }}" for each in settings))
    lists = dict(each.removeprefix("dnslists.").replace('"', "").split(" = ") for each in row.options)
    rules = "\n".join(f'[[rule]]\nname = "rule-{number}"\n{each}\n' for number, each in enumerate(row.rules))
    found, refused = [], []
    with (
        milters.resolver(ZONE) as server,
        Daemon({"milter": {"deadline": 3.0}, "dnslists": lists}, rules, server) as daemon,
        Postfix(daemon.spec, within=milters.asking(server, tmp_path), services=services) as postfix,
    ):
        for title, number in CLIENTS.items():
            client = Client(f"198.51.100.{number}")
            connect_as = through_proxy(port)
            old = code(send((LOCALHOST, port), client, rcpts=[USER], connect_as=connect_as))
            new = code(send(postfix.address, client, rcpts=[USER]))
            if old != new:
                found.append(title)
            if old == 5:
                refused.append(title)
    assert refused == [title for title, number in CLIENTS.items() if number in (52, 53, 56, 57, 58)]
    assert f"the same, except: {'; '.join(found)}" == row.compared
