"""The Public Suffix List: which part of a name is a public suffix.

Knows which library holds the list: publicsuffixlist, whose releases carry a list a few days old, or, on Debian, which does not
package it, python3-publicsuffix2 with the system's list (package publicsuffix). publicsuffix2 from PyPI is not used by itself:
its list is of 2019. Private suffixes (github.io) count as public ones. Asks no network.

https://publicsuffix.org/list/, RFC 7489 3.2.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

Reader = Callable[[str], str | None]

SYSTEM_LIST = "/usr/share/publicsuffix/public_suffix_list.dat"


def public_suffix(name: str) -> str:
    """The public suffix of a canonical name of at least one label. A top-level name that the list does not hold is one by the
    list's default rule, "*"."""
    return _reader()(name) or name.rpartition(".")[2]


@functools.cache
def _reader() -> Reader:
    try:
        return from_publicsuffixlist()
    except ImportError:
        return from_publicsuffix2()


def from_publicsuffixlist(path: str | None = None) -> Reader:
    """Return a reader by publicsuffixlist, of its own list or of the file."""
    from publicsuffixlist import PublicSuffixList

    if path is None:
        return PublicSuffixList().publicsuffix
    with open(path, "rb") as file:
        return PublicSuffixList(file).publicsuffix


def from_publicsuffix2(path: str = SYSTEM_LIST) -> Reader:
    """Return a reader by publicsuffix2, of the file or, if there is none, of the library's own list."""
    from publicsuffix2 import PublicSuffixList

    reader: Reader = PublicSuffixList(path if os.path.exists(path) else None, idna=True).get_tld
    return reader
