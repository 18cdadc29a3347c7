"""Names and addresses of the MTA from what its configuration says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rdns_milter.doctor.host import Host
from rdns_milter.doctor.mta_identity import Identity, mta_identity, of_postfix, of_sendmail
from rdns_milter.doctor.postfix_settings import parse_settings

MAIN = {
    "myhostname": "mail.good.example",
    "mydomain": "good.example",
    "myorigin": "mail.good.example",
    "inet_protocols": "all",
}
MASTER = "smtp unix - - y - - smtp\n"
NOWHERE = Host({"PATH": "/nonexistent"})


def postfix(overrides: str = "", **main: str) -> Identity:
    text = "".join(
        f"{name} = {value}\n" for name, value in {**MAIN, "smtp_helo_name": "mail.good.example", **main}.items()
    )
    return of_postfix(parse_settings(text, MASTER, overrides), NOWHERE)


def names(identity: Identity) -> tuple[tuple[str, str], ...]:
    return tuple((each.text, each.origin) for each in (identity.helo, *identity.senders))


def bound(identity: Identity) -> list[tuple[str, str]]:
    return [(str(each.address), each.origin) for each in identity.bound]


def test_names_of_postfix() -> None:
    expected = (("mail.good.example", "myhostname"), ("mail.good.example", "myorigin"), ("good.example", "mydomain"))
    assert names(postfix()) == expected
    assert names(postfix(myorigin="Good.Example")) == (expected[0], ("Good.Example", "myorigin"))
    assert names(postfix(smtp_helo_name="out.good.example"))[0] == ("out.good.example", "smtp_helo_name")
    assert names(postfix("smtp/unix/smtp_helo_name = a.good.example\n"))[0] == ("a.good.example", "smtp_helo_name")


def test_a_domain_that_is_no_domain_of_anyones_is_left_out() -> None:
    assert names(postfix(mydomain="com", myorigin="good.com"))[1:] == (("good.com", "myorigin"),)
    assert names(postfix(mydomain="localdomain"))[1:] == (("mail.good.example", "myorigin"),)


def test_myorigin_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mailname"
    path.write_text("good.example\n")
    assert names(postfix(myorigin=str(path)))[1:] == (("good.example", "myorigin"),)
    path.unlink()
    assert names(postfix(myorigin=str(path)))[1] == ("mail.good.example", "myhostname")


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        ({}, []),
        ({"inet_interfaces": "all"}, []),
        ({"smtp_bind_address": "192.0.2.1"}, [("192.0.2.1", "smtp_bind_address")]),
        (
            {"smtp_bind_address": "192.0.2.1", "smtp_bind_address6": "[2001:db8::1]"},
            [("192.0.2.1", "smtp_bind_address"), ("2001:db8::1", "smtp_bind_address6")],
        ),
        (
            {"inet_interfaces": "192.0.2.1, [2001:db8::1]"},
            [("192.0.2.1", "inet_interfaces"), ("2001:db8::1", "inet_interfaces")],
        ),
        ({"inet_interfaces": "192.0.2.1 192.0.2.2 2001:db8::1"}, [("2001:db8::1", "inet_interfaces")]),
        ({"inet_interfaces": "127.0.0.1, 192.0.2.1"}, []),
        ({"inet_interfaces": "$myhostname, 192.0.2.1"}, []),
        ({"inet_interfaces": "127.0.0.1"}, []),
    ],
)
def test_source_addresses_of_postfix(main: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert bound(postfix(**main)) == expected


def test_what_a_service_overrides_counts() -> None:
    assert bound(postfix("smtp/unix/smtp_bind_address = 192.0.2.9\n", smtp_bind_address="192.0.2.1")) == [
        ("192.0.2.9", "smtp_bind_address")
    ]


def test_ip_versions() -> None:
    assert postfix().families == {4, 6}
    assert postfix(inet_protocols="ipv4").families == {4}
    assert postfix(inet_protocols="ipv4, ipv6").families == {4, 6}


def test_sendmail() -> None:
    cf = "DMgood.example\nO ClientPortOptions=Family=inet, Addr=192.0.2.1\nDjmail.good.example\n"
    identity = of_sendmail(cf, "")
    assert names(identity) == (("mail.good.example", "$j"), ("good.example", "MASQUERADE_AS"))
    assert bound(identity) == [("192.0.2.1", "ClientPortOptions")]
    printed = "      (short domain name) $w = mail\n  (canonical domain name) $j = other.example\n"
    assert names(of_sendmail("DM\nDj$w.$m\n", printed)) == (("other.example", "$j"),) * 2
    assert names(of_sendmail("", ""))[0] == (socket.gethostname(), "the name of the host")
    assert bound(of_sendmail("O ClientPortOptions=Family=inet, Address=0.0.0.0\n", "")) == []


def test_without_an_mta(tmp_path: Path) -> None:
    identity = mta_identity(NOWHERE, str(tmp_path / "sendmail.cf"))
    assert names(identity) == ((socket.gethostname(), "the name of the host"),) * 2
