"""Clients behind a translator: with dns.nat64 they are the IPv4 address within theirs, in facts, log and header fields."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.kit.data.scenario import GOOD_FROM, GOOD_HELO
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon, command
from tests.kit.smtp.client_identity import Client

PREFIXES = ["64:ff9b::/96", "2001:db8:122::/48"]
BEHIND = [Client("64:ff9b::c000:201"), Client("2001:db8:122:c000:2:100::")]


@pytest.mark.parametrize("client", BEHIND, ids=str)
def test_a_translated_client(server: NameServer, client: Client) -> None:
    with Daemon({"dns": {"nat64": PREFIXES, "nameservers": [server.hostport]}}) as daemon:
        outcome, (decision,) = daemon.judge(client=client, helo=GOOD_HELO, mailfrom=GOOD_FROM)
    assert decision["client"] == "192.0.2.1"
    assert [decision[key] for key in ("iprev", "helo", "spf_helo", "spf_mailfrom")] == ["pass"] * 4
    assert "policy.iprev=192.0.2.1" in outcome.header("Authentication-Results")[0]


def test_without_the_option_it_is_the_ipv6_address(server: NameServer) -> None:
    with Daemon({"dns": {"nameservers": [server.hostport]}}) as daemon:
        _, (decision,) = daemon.judge(client=BEHIND[0], helo=GOOD_HELO, mailfrom=GOOD_FROM)
    assert ip_address(decision["client"]) == ip_address("64:ff9b::c000:201")
    assert (decision["iprev"], decision["spf_mailfrom"]) == ("permerror", "fail")


def test_a_foreign_client_does_not_become_exempt(server: NameServer) -> None:
    """By this machine's address, or a private one, written with the well-known prefix."""
    with Daemon({"dns": {"nat64": PREFIXES, "nameservers": [server.hostport]}}) as daemon:
        for address in ("64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:db8:122:7f00:0:100::"):
            _, (decision,) = daemon.judge(client=replace(BEHIND[0], address=address), mailfrom=GOOD_FROM)
            assert ip_address(decision["client"]) == ip_address(address)
            assert decision["rule"] != "exempt:network"


def test_check(server: NameServer) -> None:
    with Daemon({"dns": {"nat64": PREFIXES}}) as daemon:
        arguments = ("64:ff9b::c000:201", "--helo", GOOD_HELO, "--from", GOOD_FROM, "--json", "--dns", server.hostport)
        said = json.loads(command("check", *arguments, "-c", str(daemon.path)).stdout)
    assert (said["evidence"]["client"], said["evidence"]["iprev"]) == ("192.0.2.1", "pass")
