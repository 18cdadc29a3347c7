"""[dnslists], and the conditions that name providers and DNS lists."""

from __future__ import annotations

import pytest

from rdns_milter.config.load import ConfigError, parse
from rdns_milter.config.sections.dns_lists import MAX_DNS_LISTS, MAX_PROVIDERS
from rdns_milter.config.show import show
from rdns_milter.policy.rules import Listing, Listings

LISTS = '[dnslists]\nwl = "List.DNSWL.org."\nbl = "bl.example"\n'
RULE = '[[rule]]\nname = "r"\nwhen = {{ {} }}\naction = "tag"\n'


def asked(condition: str) -> Listings:
    """Return the values of the condition `dnslist`."""
    (rule,) = parse(LISTS + RULE.format(condition), "c.toml").policy.rules
    (found,) = rule.when
    assert isinstance(found.values, Listings)
    return found.values


def errors(document: str) -> str:
    """Return the errors of a document."""
    with pytest.raises(ConfigError) as caught:
        parse(document, "c.toml")
    return str(caught.value)


def test_lists_and_their_answers() -> None:
    assert asked('dnslist = "wl"') == Listings(frozenset((Listing("wl", "list.dnswl.org"),)))
    any_byte = (0, 255)
    pattern = ((127, 127), (0, 0), any_byte, (2, 3))
    assert asked('dnslist = ["wl:127.0.*.2-3", "bl"]') == Listings(
        frozenset((Listing("wl", "list.dnswl.org", pattern), Listing("bl", "bl.example")))
    )


@pytest.mark.parametrize(
    ("pattern", "answer", "matches"),
    [
        ("", "127.0.0.2", True),
        (":127.0.0.2", "127.0.0.2", True),
        (":127.0.0.2", "127.0.0.3", False),
        (":127.0.*.2-3", "127.0.15.3", True),
        (":127.0.*.2-3", "127.1.15.3", False),
        (":*.*.*.*", "127.9.9.9", True),
        (":127.0.0-10.*", "127.0.10.255", True),
        (":127.0.0-10.*", "127.0.11.255", False),
    ],
)
def test_patterns(pattern: str, answer: str, matches: bool) -> None:
    (entry,) = asked(f'dnslist = "wl{pattern}"').entries
    assert entry.match(answer) == matches


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ('dnslist = "dnswl"', 'there is no DNS list "dnswl"; valid: wl, bl'),
        ('dnslist = "@wl"', 'there is no DNS list "@wl"'),
        ('dnslist = "wl:127.0.0"', "is no pattern of answers"),
        ('dnslist = "wl:127.0.0.256"', "is no pattern of answers"),
        ('dnslist = "wl:127.0.0.3-2"', "is no pattern of answers"),
        ('dnslist = "wl:127.0.0.x"', "is no pattern of answers"),
        ('dnslist = "wl:"', "is no pattern of answers"),
        ('dnslist = "wl:10.0.0.1"', "can match no answer"),
        ('dnslist = "wl:127.255.255.254"', "can match no answer: with 127.255.255.0/24 and with"),
        ('dnslist = "wl:127.0.*.255"', "can match no answer: with 127.255.255.0/24 and with 127.0.*.255"),
        ("dnslist = 1", "must be the name of a DNS list"),
        ("dnslist = []", "an empty list matches nothing"),
        ('client_spf = "localhost"', "is not a domain"),
        ('client_spf = "*.example.com"', "is not a domain"),
        ('client_spf = "192.0.2.1"', "is not a domain"),
        ('client_spf = "@partners"', "is not a domain"),
    ],
)
def test_errors_in_conditions(condition: str, message: str) -> None:
    found = errors(LISTS + RULE.format(condition))
    assert message in found
    assert "c.toml:6:" in found


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('dnslists = "list.dnswl.org"', "must be a table"),
        ("[dnslists]\nwl = 1", "must be the domain of a DNS list"),
        ('[dnslists]\nwl = "org"', "must be the domain of a DNS list"),
        ('[dnslists]\nwl = "127.0.0.1"', "must be the domain of a DNS list"),
        (f'[dnslists]\nwl = "{"a." * 95}example"', "must be the domain of a DNS list"),
        ('[dnslists]\n"w:l" = "list.dnswl.org"', "has only letters"),
        ("[dnslists]\n" + "\n".join(f'l{n} = "l{n}.example"' for n in range(MAX_DNS_LISTS + 1)), "the maximum is 20"),
    ],
)
def test_errors_in_the_section(table: str, message: str) -> None:
    assert message in errors(table)


def test_without_lists() -> None:
    assert 'there is no DNS list "wl"; [dnslists] is empty' in errors(RULE.format('dnslist = "wl"'))


def test_no_more_providers_than_the_limit() -> None:
    def rules(count: int) -> str:
        names = ", ".join(f'"p{number}.example"' for number in range(count))
        return RULE.format(f"client_spf = [{names}]")

    assert len(parse(rules(MAX_PROVIDERS), "c.toml").policy.providers) == MAX_PROVIDERS
    assert f"ask client_spf of {MAX_PROVIDERS + 1} domains; the maximum is {MAX_PROVIDERS}" in errors(
        rules(MAX_PROVIDERS + 1)
    )


def test_only_what_a_rule_names_is_asked() -> None:
    policy = parse(LISTS, "c.toml").policy
    assert (policy.providers, policy.dnslists) == ((), ())
    both = 'client_spf = ["_SPF.example.com", "b.example"], dnslist = ["wl:127.0.*.2", "wl"]'
    policy = parse(LISTS + RULE.format(both), "c.toml").policy
    assert policy.providers == ("_spf.example.com", "b.example")
    assert policy.dnslists == (("wl", "list.dnswl.org"),)


def test_shown_and_read_again() -> None:
    config = parse(LISTS + RULE.format('dnslist = "wl:127.0.*.2-3", client_spf = "_spf.example.com"'), "c.toml")
    assert '[dnslists]\nwl = "list.dnswl.org"\nbl = "bl.example"\n' in show(config)
    assert parse(show(config), "c.toml") == config


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('dnslist = ["wl", "bl"]', 'dnslist = ["bl", "wl"]', True),
        ('dnslist = "wl"', 'dnslist = "wl:127.0.*.2"', False),
        ('dnslist = "wl:127.0.*.2"', 'dnslist = "wl:127.0.0-255.2-2"', True),
        ('client_spf = ["a.example", "b.example"]', 'client_spf = ["B.example", "a.example"]', True),
        ('client_spf = "a.example"', 'client_spf = "b.example"', False),
    ],
)
def test_the_digest_is_that_of_the_effect(first: str, second: str, same: bool) -> None:
    one, other = (parse(LISTS + RULE.format(each), "c.toml").policy.digest for each in (first, second))
    assert (one == other) == same
    zone = LISTS.replace("DNSWL", "dnswl2")
    moved = parse(zone + RULE.format(first), "c.toml").policy.digest
    assert (one == moved) == ("dnslist" not in first)
