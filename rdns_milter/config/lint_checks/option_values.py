"""Lint checks: values of options that are valid, but too long, too wide or too slow.

Pure. Does not look at rules, nor at the networks of relays (relay_networks.py does).

RFC 5321 4.5.3.2 (timeouts of the MTA); RFC 8501 5.1 (names of address pools).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from ipaddress import ip_address

from ...checks.generic import generic
from ...checks.generic_words import WORDS
from ...net.alignment import organizational_domain
from ...text.toml import quoted
from ...text.toml_positions import Path
from ..load import Config
from ..patterns.syntax import has_nested_repeat, parse

Problem = tuple[Path, str, str]  # path, reference and text of a warning

POSTFIX_TIMEOUT, SENDMAIL_TIMEOUT = 30.0, 10.0  # seconds: milter_command_timeout; Sendmail's default for R in T=


def long_deadline(config: Config, today: date) -> Iterator[Problem]:
    """Find a deadline that is longer than an MTA waits for a milter."""
    seconds = config.milter.deadline
    if seconds >= POSTFIX_TIMEOUT:
        text = f"is not below the {POSTFIX_TIMEOUT:g} seconds after which Postfix (milter_command_timeout) gives up on a milter"
    elif seconds >= SENDMAIL_TIMEOUT:
        text = (
            f"is not below the {SENDMAIL_TIMEOUT:g} seconds after which Sendmail gives up on a milter, unless T= in"
            " INPUT_MAIL_FILTER has R:30s; Postfix waits 30"
        )
    else:
        return
    yield ("milter", "deadline"), "RFC 5321 section 4.5.3.2", f"milter.deadline = {seconds:g} {text}"


def loopback_missing(config: Config, today: date) -> Iterator[Problem]:
    """Find that loopback is not exempt, so that mail from programs on this host is judged."""
    networks = {"127.0.0.0/8": "127.0.0.1", "::1": "::1"}
    missing = [each for each, address in networks.items() if ip_address(address) not in config.exempt.networks]
    if missing:
        yield (
            ("exempt", "networks"),
            "",
            "exempt.networks lacks loopback: mail from programs on this host is judged; your list replaces the default, so add"
            f" {', '.join(map(quoted, missing))}",
        )


def wide_exceptions(config: Config, today: date) -> Iterator[Problem]:
    """Find exceptions to generic names that are too wide: a domain under which anybody can register a name, or an address pool."""
    for index, name in enumerate(config.generic.exceptions):
        if reason := _reason_against_exception(name):
            yield (
                ("generic", "exceptions", index),
                "RFC 8501 section 5.1",
                f"generic.exceptions contains {quoted(name)}, {reason}: no name below it would be generic; list the hosts that send"
                " mail instead",
            )


_EXAMPLE_ADDRESS = ip_address("192.0.2.1")
_LETTERS = re.compile(r"[a-z]+")


def _reason_against_exception(name: str) -> str:
    """Return why it is wrong to except all names below this one; "" if there is no reason."""
    domain = organizational_domain(name)
    if not domain:
        return "under which anybody can register a name"
    below = frozenset(_LETTERS.findall(name.removesuffix(domain)))
    # A weight of 2 is enough below the organizational domain, but not in it: there the word may be part of a company's name.
    if any(WORDS.get(word, 0) > (1 if word in below else 2) for word in _LETTERS.findall(name)):
        return "which itself looks like an address pool"
    return "which itself looks like an address pool" if generic(f"x.{name}", _EXAMPLE_ADDRESS).result == "yes" else ""


def nested_repetitions(config: Config, today: date) -> Iterator[Problem]:
    """Find regular expressions that a small change could make very slow."""
    for index, pattern in enumerate(config.generic.patterns):
        if has_nested_repeat(parse(pattern)):
            yield (
                ("generic", "patterns", index),
                "",
                f"generic.patterns contains {quoted(pattern.pattern)} with nested quantifiers, as in (x+)+: after a small"
                " change such a pattern may need very long for some names; possessive quantifiers, (x++)+, avoid that",
            )
