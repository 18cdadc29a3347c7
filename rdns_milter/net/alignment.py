"""Compare names by alignment: they are the same, have the same organizational domain, or neither (`helo_match`, `mailfrom_match`).

Pure: no DNS, no socket, no clock. Must never raise on text from the network.

RFC 7489 3.1 (alignment), 3.2 (organizational domain).
"""

from __future__ import annotations

import functools

from .names import is_domain
from .public_suffixes import public_suffix


@functools.lru_cache(maxsize=4096)
def organizational_domain(name: str) -> str:
    """Return the organizational domain (RFC 7489 3.2): the public suffix and one label more. "" if the name is itself a public
    suffix, or is not a domain."""
    if not is_domain(name):
        return ""
    suffix = public_suffix(name)
    labels = name.split(".")
    return ".".join(labels[-2 - suffix.count(".") :]) if len(labels) > suffix.count(".") + 1 else ""


@functools.lru_cache(maxsize=4096)
def alignment(name: str, others: tuple[str, ...]) -> str:
    """Compare a canonical name with others: `same` if it is one of them, `aligned` if it has the organizational domain of one of
    them, else `different`; `none` without a name or without others."""
    if not name or not others:
        return "none"
    if name in others:
        return "same"
    domain = organizational_domain(name)
    if domain and any(organizational_domain(other) == domain for other in others):
        return "aligned"
    return "different"
