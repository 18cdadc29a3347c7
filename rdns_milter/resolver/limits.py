"""Limits of the resolver: those that the option section [dns] sets, and the length of a chain of CNAME records.

Plain data.

RFC 1034 3.6.2 (chains of CNAME records).
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_ALIASES = 8  # CNAMEs that are followed from response to response


@dataclass(frozen=True, slots=True)
class ResolverLimits:
    """The limits that the option section [dns] sets; times in seconds."""

    timeout: float = 2.0
    tries: int = 2
    cache_entries: int = 100_000
    cache_min_ttl: float = 5.0
    cache_max_ttl: float = 86_400.0
    negative_ttl: float = 300.0
    max_outstanding: int = 1000
