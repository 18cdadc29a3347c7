"""The client behind relays: only the fields that our own relays wrote are believed, and a bounded number of them is read."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.networks import Networks, parse_network
from rdns_milter.net.relay_path import MAX_FIELDS, RelayPath

RELAYS = Networks([parse_network("203.0.113.0/28"), parse_network("2001:db8:1::/64"), parse_network("10.0.0.0/24")])
RELAY = ip_address("203.0.113.5")
GREETING = "backup.example.net"
CLIENT = "from mail.example.com (mail.example.com [192.0.2.7]) by backup.example.net (Postfix) with ESMTPS id 1; D"
FORGED = "from good.example.org (good.example.org [198.51.100.99]) by mail.example.com (Postfix) with ESMTP id 2; D"


def found(*fields: str, greeting: str = GREETING, relay: str = str(RELAY)) -> tuple[str, str] | None:
    """Return address and HELO name of the client behind the relay; None if there is none."""
    path = RelayPath(RELAYS, ip_address(relay), greeting)
    for field in fields:
        path.add(field)
    return None if path.client is None else (str(path.client.client), path.client.helo)


def test_the_newest_field_names_the_client() -> None:
    assert found(CLIENT) == ("192.0.2.7", "mail.example.com")
    assert found(CLIENT, FORGED) == ("192.0.2.7", "mail.example.com")
    assert found() is None


def hop(address: str, by: str = "backup.example.net", helo: str = "filter.example.net") -> str:
    """Return the field of a relay that took the message from another one."""
    return f"from {helo} ({helo} [{address}]) by {by} (Postfix) with ESMTP id 3; D"


@pytest.mark.parametrize(
    "hops",
    [
        (hop("203.0.113.6"),),
        (hop("IPv6:2001:db8:1::6"),),
        (hop("127.0.0.1", helo="localhost"),),
        (hop("IPv6:::1", helo="localhost"),),
        (
            hop("127.0.0.1"),
            "from mail.example.com ([127.0.0.1]) by localhost (x [127.0.0.1]) (amavisd-new) with ESMTP; D",
        ),
        (hop("10.0.0.4"), hop("203.0.113.6", "a.example.net"), hop("203.0.113.7", "b.example.net")),
        ("(qmail 123 invoked from network); D",),
        ("by backup.example.net with SMTP id 4; D", hop("203.0.113.6", "in.example.net")),
        (hop("203.0.113.6"),) * (MAX_FIELDS - 1),
    ],
)
def test_hops_between_our_own_hosts(hops: tuple[str, ...]) -> None:
    assert found(*hops, CLIENT.replace("backup.example.net", "filter.example.net"), FORGED) == (
        "192.0.2.7",
        "mail.example.com",
    )


@pytest.mark.parametrize(
    "fields",
    [
        # The message was made on a relay, or by a user of it.
        ("by backup.example.net (Postfix, from userid 33) id 1; D", FORGED),
        ("(qmail 123 invoked by uid 89); D", FORGED),
        ("from www-data by backup.example.net with local (Exim 4.96) id 1; D", FORGED),
        ("from [198.51.100.4] by backup.example.net with HTTP; D", FORGED),
        (hop("203.0.113.6"),),
        (hop("203.0.113.6"), "by filter.example.net (Postfix, from userid 0) id 1; D"),
        # A field that cannot be read: nothing below it can be believed.
        ("from mail.example.com (mail.example.com [192.0.2.7]", CLIENT),
        (
            "from a (x\t[198.51.100.99])\tby\tbackup.example.net\t( (h [192.0.2.7]) by backup.example.net with ESMTP; D",
            FORGED,
        ),
        (
            "from localhost\t[127.0.0.1]\tby\tbackup.example.net\t( (h [192.0.2.7]) by backup.example.net with ESMTP; D",
            FORGED,
        ),
        (
            "from x\t(qmail\t1\tinvoked\tfrom\tnetwork)\tby (HELO [192.0.2.7]) by backup.example.net with SMTP; D",
            FORGED,
        ),
        (hop("203.0.113.6"), "from (", CLIENT),
        ("", CLIENT),
        # More fields than are read.
        ((hop("203.0.113.6"),) * MAX_FIELDS + (CLIENT,)),
    ],
)
def test_no_client(fields: tuple[str, ...]) -> None:
    assert found(*fields) is None


@pytest.mark.parametrize(
    ("by", "greeting", "written"),
    [
        ("backup.example.net", "backup.example.net", True),
        ("BACKUP.example.net.", "backup.example.net", True),
        ("mx7.example.net", "out3.example.net", True),
        ("ex01.corp.local", "mail.example.net", True),
        ("ex01", "mail.example.net", True),
        ("3f2a1b0c9d8e", "mail.example.net", True),
        ("mx.lan", "[203.0.113.5]", True),
        ("203.0.113.5", "mail.example.net", True),
        ("[203.0.113.5]", "mail.example.net", True),
        ("mx.example.com", "mail.example.net", False),
        ("mx.example.net", "", False),
        ("mx.example.net", "[203.0.113.5]", False),
        ("192.0.2.7", "mail.example.net", False),
        ("mail.co.uk", "backup.co.uk", False),
    ],
)
def test_the_newest_field_must_be_the_relays(by: str, greeting: str, written: bool) -> None:
    """A relay that writes no field would let its client say what it likes."""
    field = f"from a.example.com (a.example.com [192.0.2.7]) by {by} with ESMTP id 1; D"
    assert found(field, greeting=greeting) == (("192.0.2.7", "a.example.com") if written else None)


def test_an_address_shows_the_writer_too() -> None:
    """Exchange writes its own address after its internal name, which can look like a public one."""
    field = "from a.example.com (192.0.2.7) by ex01.ad.example.org ({}) with Microsoft SMTP Server id 15.1; D"
    assert found(field.format("10.0.0.6")) == ("192.0.2.7", "a.example.com")
    assert found(field.format("10.0.7.6")) is None


def test_a_translators_address() -> None:
    path = RelayPath(RELAYS, RELAY, GREETING, [IPv6Network("64:ff9b::/96")])
    path.add(hop("IPv6:64:ff9b::203.0.113.6"))
    path.add(CLIENT)
    assert path.client is not None
    assert path.client.client == ip_address("192.0.2.7")


LINES = st.sampled_from(
    [CLIENT, FORGED, hop("203.0.113.6"), hop("127.0.0.1"), "", "from (", "(qmail 1 invoked from network); D"]
)


@given(st.lists(LINES | st.text(max_size=100), max_size=40))
def test_what_follows_the_client_changes_nothing(fields: list[str]) -> None:
    assert found(CLIENT, *fields) == ("192.0.2.7", "mail.example.com")
    assert found(hop("203.0.113.6"), CLIENT, *fields) == ("192.0.2.7", "mail.example.com")


@given(st.lists(LINES | st.text(max_size=100), max_size=40))
def test_a_client_is_named_by_a_field_behind_relays_only(fields: list[str]) -> None:
    """Whatever the fields are: the client is that of the first field that names one outside the relays."""
    path = RelayPath(RELAYS, RELAY, GREETING)
    for field in fields:
        path.add(field)
    if path.client is not None:
        assert path.client.client is not None
        assert path.client.client not in RELAYS
