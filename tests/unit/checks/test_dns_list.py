"""DNS lists: the name that is asked, and which answers count."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks.dns_list import MAX_ANSWERS, dns_list, query_name
from rdns_milter.net.names import Address
from rdns_milter.resolver.instant_lookup import run
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

ZONE = Zone(
    """
    2.2.0.192.list.example   A  127.0.10.2
    3.2.0.192.list.example   A  127.0.3.1
    3.2.0.192.list.example   A  127.0.11.0
    4.2.0.192.list.example   TXT  nodata
    5.2.0.192.list.example   A  127.255.255.254
    6.2.0.192.list.example   A  203.0.113.9
    7.2.0.192.list.example   A  127.0.10.2
    7.2.0.192.list.example   A  203.0.113.9
    8.2.0.192.list.example   SERVFAIL
    9.2.0.192.list.example   SILENT
    10.2.0.192.list.example  A  127.255.254.1
    11.2.0.192.list.example  A  127.0.0.255
    12.2.0.192.list.example  A  127.0.10.2
    12.2.0.192.list.example  A  127.0.1.255
    13.2.0.192.list.example  A  127.1.0.255
    1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example  A  127.0.10.3
    """
)


@pytest.mark.parametrize(
    ("address", "answers"),
    [
        ("192.0.2.1", ("none",)),
        ("192.0.2.2", ("127.0.10.2",)),
        ("192.0.2.3", ("127.0.3.1", "127.0.11.0")),
        ("192.0.2.4", ("none",)),
        ("192.0.2.5", ("refused",)),
        ("192.0.2.6", ("refused",)),
        ("192.0.2.7", ("refused",)),
        ("192.0.2.8", ("temperror",)),
        ("192.0.2.9", ("temperror",)),
        ("192.0.2.10", ("127.255.254.1",)),
        ("192.0.2.11", ("refused",)),
        ("192.0.2.12", ("refused",)),
        ("192.0.2.13", ("127.1.0.255",)),
        ("2001:db8::1", ("127.0.10.3",)),
        ("2001:db8::2", ("none",)),
    ],
)
def test_answers(address: str, answers: tuple[str, ...]) -> None:
    assert run(dns_list(VirtualTimeLookup(ZONE), ip_address(address), "list.example")) == answers


def test_no_more_answers_are_kept_than_the_limit() -> None:
    zone = Zone("\n".join(f"2.2.0.192.list.example A 127.0.0.{number}" for number in range(2, 2 * MAX_ANSWERS)))
    found = run(dns_list(VirtualTimeLookup(zone), ip_address("192.0.2.2"), "list.example"))
    assert found == tuple(f"127.0.0.{number}" for number in range(2, MAX_ANSWERS + 2))


@given(st.ip_addresses())
def test_the_name_has_all_digits_in_reverse_order(address: Address) -> None:
    labels = query_name(address, "list.example").removesuffix(".list.example").split(".")
    if address.version == 4:
        assert ".".join(reversed(labels)) == str(address)
    else:
        assert "".join(reversed(labels)) == address.exploded.replace(":", "")
