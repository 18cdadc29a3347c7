"""Look up which clients the providers authorize that rules ask about (`client_spf`), for `config --lint`.

Makes DNS queries, within a time limit for each provider. Must never raise for anything that DNS answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ..config.lint_checks.spf_reach import Reach, spf_reach
from ..config.load import Config
from ..resolver.bounded_lookup import BoundedLookup
from ..resolver.nameservers import NoNameservers, nameservers
from ..session.dns_thread import DnsThread

SECONDS = 10  # for each provider


def provider_reaches(config: Config) -> Mapping[str, Reach]:
    """Return, for each provider that the rules ask about, which clients it authorizes."""
    providers = config.policy.providers
    if not providers:
        return {}
    try:
        servers = nameservers(config.dns.nameservers)
    except NoNameservers as error:
        return {domain: Reach(problem=f"its record could not be looked up ({error})") for domain in providers}
    with DnsThread(config, servers, lambda name, error: None) as dns:

        async def reach(domain: str) -> Reach:
            lookup = BoundedLookup(dns.resolver, SECONDS)
            try:
                return await spf_reach(lookup, domain)
            finally:
                lookup.close()

        async def reach_all() -> list[Reach]:
            return await asyncio.gather(*map(reach, providers))

        found = asyncio.run_coroutine_threadsafe(reach_all(), dns.loop).result()
    return dict(zip(providers, found, strict=True))
