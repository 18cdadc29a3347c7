"""Lint check: conditions `client_spf` that hold for much more than the mail hosts of a provider.

Pure: the records were looked up before. A warning says what a record authorizes, and how many addresses these are.

RFC 7208 11.1 (records that authorize too much), 5.5 (`ptr`), 5.7 (`exists`), 4.6.4 (limit on lookups).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...policy.rules import Domains
from ...text.toml import quoted
from ...text.toml_positions import Path
from ..load import Config
from ..sections.spf import SpfLimits
from .spf_reach import Reach

Problem = tuple[Path, str, str]  # path, reference and text of a warning

# IPv4 addresses: as many as a /12 has. Records of large mail providers name networks from /14 on, with some hundred thousand
# addresses in all; those of clouds and hosting companies, in which anybody can rent a host, have millions.
MANY = 1 << 20
SHORTEST_IPV6 = 32  # bits of a prefix; a registry allocates these to whole networks
_MAX_NAMED = 3  # terms and networks in a message
_REFERENCE = "RFC 7208 section 11.1"


def wide_providers(config: Config, reaches: Mapping[str, Reach]) -> Iterator[Problem]:
    """Find conditions whose domain authorizes too much, or nothing. `reaches`: what each domain authorizes."""
    for index, rule in enumerate(config.policy.rules):
        for key, conditions in (("when", rule.when), ("unless", rule.unless)):
            for condition in conditions:
                if not isinstance(condition.values, Domains):
                    continue
                for domain in sorted(condition.values.names & reaches.keys()):
                    for text in _warnings(reaches[domain], config.spf):
                        yield ("rule", index, key, condition.name), _REFERENCE, f"client_spf {quoted(domain)}: {text}"


def _warnings(reach: Reach, limits: SpfLimits) -> Iterator[str]:
    if reach.problem:
        yield f"{reach.problem}: the condition does not hold for a client that needs this record"
    if reach.is_nobody:
        yield "authorizes no client: the condition never holds"
    if reach.lookups > limits.lookup_limit:
        yield (
            f"its records have {reach.lookups} terms that cause lookups, and spf.lookup_limit is {limits.lookup_limit}: the"
            " condition does not hold for clients that only the terms beyond that authorize"
        )
    if reach.voids > limits.void_limit:
        yield (
            f"its records have {reach.voids} terms whose names do not exist or have no addresses, and spf.void_limit is"
            f" {limits.void_limit}: the condition does not hold for clients that only the terms after these authorize"
        )
    count = f"{reach.ipv4_addresses:,} IPv4 addresses"
    if reach.everybody:
        yield f"authorizes every client ({reach.everybody}), beside {count} that it names: the condition always holds"
        return
    if reach.uncountable:
        terms = ", ".join(reach.uncountable[:_MAX_NAMED])
        yield f"has terms that a name server decides for each client ({terms}), so it authorizes more than the {count} it names"
    ipv4 = [str(each) for each in reach.largest if each.version == 4][:_MAX_NAMED]
    ipv6 = [str(each) for each in reach.largest if each.version == 6 and each.prefixlen < SHORTEST_IPV6][:_MAX_NAMED]
    if reach.ipv4_addresses > MANY:
        yield f"authorizes {count}, the largest networks being {', '.join(ipv4)}: other hosts than the provider's mail hosts, too"
    if ipv6:
        yield f"authorizes whole IPv6 networks: {', '.join(ipv6)}, and {count}"
