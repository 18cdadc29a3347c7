"""Warnings about conditions `client_spf` that hold for more than a provider's mail hosts."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address

import pytest

from rdns_milter.config.lint import lint
from rdns_milter.config.lint_checks.spf_reach import Reach
from rdns_milter.config.load import parse
from rdns_milter.net.networks import parse_network

DOCUMENT = """
[[rule]]
name = "postmaster"
when = { rcpt = "postmaster@" }
action = "accept"

[[rule]]
name = "provider"
when = { client_spf = ["a.example", "b.example"] }
action = "accept"

[[rule]]
name = "others"
action = "tag"
"""


def found(reach: Reach) -> list[str]:
    config = parse(DOCUMENT, "c.toml")
    plain = set(lint(config, date(2026, 12, 1)))
    return [str(each) for each in lint(config, date(2026, 12, 1), reaches={"b.example": reach}) if each not in plain]


def networks(*texts: str) -> Reach:
    return Reach([parse_network(text) for text in texts])


@pytest.mark.parametrize(
    ("reach", "words"),
    [
        (networks("192.0.2.0/24", "198.51.100.0/22", "2001:db8::/32"), []),
        (networks("10.0.0.0/12"), []),
        (networks("10.0.0.0/12", "192.0.2.1"), ["authorizes 1,048,577 IPv4 addresses", "10.0.0.0/12"]),
        (networks("10.0.0.0/8", "52.0.0.0/8"), ["authorizes 33,554,432 IPv4 addresses", "10.0.0.0/8, 52.0.0.0/8"]),
        (networks("192.0.2.1", "2600::/12"), ["authorizes whole IPv6 networks: 2600::/12, and 1 IPv4 addresses"]),
        (
            Reach(everybody="+all in the record of x.example"),
            ["authorizes every client (+all in the record of x.example)"],
        ),
        (
            Reach([parse_network("192.0.2.0/24")], uncountable=["exists:%{i}.x.example"]),
            [
                "that a name server decides for each client (exists:%{i}.x.example)",
                "more than the 256 IPv4 addresses it names",
            ],
        ),
        (Reach(problem="b.example has no SPF record"), ["b.example has no SPF record: the condition does not hold"]),
        (Reach(), ["authorizes no client: the condition never holds"]),
        (Reach([parse_network("192.0.2.1")], voids=2), []),
        (Reach([parse_network("192.0.2.1")], voids=3), ["3 terms whose names do not exist", "spf.void_limit is 2"]),
        (Reach([parse_network("192.0.2.1")], lookups=10), []),
        (
            Reach([parse_network("192.0.2.1")], lookups=11),
            ["its records have 11 terms that cause lookups, and spf.lookup_limit is 10"],
        ),
    ],
)
def test_warnings(reach: Reach, words: list[str]) -> None:
    warnings = found(reach)
    assert len(warnings) == bool(words)
    for warning in warnings:
        assert warning.startswith('rule "provider": client_spf "b.example": ')
        for each in words:
            assert each in warning


# Kind of provider, the lengths of the prefixes in its record, and whether there is a warning.
SHAPES = [
    ("mailboxes of consumers", "16 16 16 17 18 19 19 19 19 19 19 20 20 20 20 20 21 21 21 22 24", False),
    ("mailboxes of companies", "14 15 15 16 16 17 17", False),
    ("transactional mail", "16 16 17 17 19 20 20 20 21", False),
    ("newsletters", "18 20 21", False),
    ("a whole /8", "8 24", True),
    ("a cloud", "10 11 12 13 13 14 15 16", True),
    ("many networks", "13 13 13", True),
]


@pytest.mark.parametrize(("kind", "lengths", "is_wide"), SHAPES)
def test_large_providers_are_told_from_clouds(kind: str, lengths: str, is_wide: bool) -> None:
    start, found_networks = int(ip_address("64.0.0.0")), []
    for length in sorted(map(int, lengths.split())):
        found_networks.append(f"{ip_address(start)}/{length}")
        start += 1 << (32 - length)
    warnings = found(networks(*found_networks))
    assert ["the largest networks being 64.0.0.0/" in each for each in warnings] == [True] * is_wide


def test_the_line_is_that_of_the_condition() -> None:
    from rdns_milter.text.toml_positions import Positions

    config = parse(DOCUMENT, "c.toml")
    reaches = {"a.example": Reach(everybody="all")}
    warnings = lint(config, date(2026, 12, 1), Positions(DOCUMENT), reaches)
    (warning,) = (each for each in warnings if "every client" in each.text)
    assert DOCUMENT.split("\n")[warning.line - 1].startswith("when = { client_spf")
