"""Look up public suffixes in the Public Suffix List.

The list comes from one of two libraries. Releases of publicsuffixlist include a recent list. Debian has no package of it; there
python3-publicsuffix2 is used, with the system's list (package publicsuffix). publicsuffix2 from PyPI is not among the dependencies,
because its own list is of 2019. Suffixes of the list's private section (github.io) count as well. Never uses the network.

https://publicsuffix.org/list/, RFC 7489 3.2.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

Lookup = Callable[[str], str | None]

SYSTEM_LIST = "/usr/share/publicsuffix/public_suffix_list.dat"


def public_suffix(name: str) -> str:
    """Return the public suffix of a canonical name. A top-level name that is not in the list is a public suffix, by the list's
    default rule "*"."""
    return _lookup()(name) or name.rpartition(".")[2]


@functools.cache
def _lookup() -> Lookup:
    try:
        return from_publicsuffixlist()
    except ImportError:
        return from_publicsuffix2()


def from_publicsuffixlist(path: str | None = None) -> Lookup:
    """Return a lookup function of publicsuffixlist, with the list in the file at `path`; None: with the library's own list."""
    from publicsuffixlist import PublicSuffixList

    if path is None:
        return PublicSuffixList().publicsuffix
    with open(path, "rb") as file:
        return PublicSuffixList(file).publicsuffix


def from_publicsuffix2(path: str = SYSTEM_LIST) -> Lookup:
    """Return a lookup function of publicsuffix2, with the list in the file or, if it does not exist, the library's own."""
    from publicsuffix2 import PublicSuffixList

    lookup: Lookup = PublicSuffixList(path if os.path.exists(path) else None, idna=True).get_tld
    return lookup
