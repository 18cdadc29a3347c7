"""Types of conditions: which values a condition of a rule may have, and what they become.

Pure: reads no file. Rules and list files use the same functions to read a value, so it means the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

from ..checks.evidence import FACTS
from ..net.networks import Networks
from ..policy.decide import CONDITIONS
from ..policy.rules import Domains, Mailboxes, Names, Values, Words
from ..text.compact_set import text_set
from ..text.toml import quoted
from .hints.did_you_mean import suggestion
from .hints.value_hints import MAILBOX, NAME, NETWORK, hint
from .set_collectors import Collector, MailboxCollector, NameCollector, NetworkCollector, mailboxes_of, names_of
from .value_parsers import read_domain, read_greeting, read_mailbox, read_name, read_network, read_recipient


def _union_of_names(parts: Sequence[Names]) -> Names:
    return Names(
        text_set(chain.from_iterable(part.exact for part in parts)),
        text_set(chain.from_iterable(part.suffixes for part in parts)),
    )


def _union_of_mailboxes(parts: Sequence[Mailboxes]) -> Mailboxes:
    return Mailboxes(
        text_set(chain.from_iterable(part.addresses for part in parts)),
        text_set(chain.from_iterable(part.locals for part in parts)),
        _union_of_names([part.domains for part in parts]),
        any(part.null for part in parts),
    )


def size(values: Networks | Names | Mailboxes) -> int:
    """Return the number of entries of a set."""
    if isinstance(values, Networks):
        return len(values)
    if isinstance(values, Names):
        return len(values.exact) + len(values.suffixes)
    return len(values.addresses) + len(values.locals) + size(values.domains)


@dataclass(frozen=True, slots=True)
class ConditionType:
    """One type of condition.

    `expected`: a valid value, in words, for messages and the manual page.
    `read`: reads one value. Raises ValueError.
    `combine`: makes a set of the values.
    `union`: makes one set of several.
    `collector`: creates a collector for the entries of a list file; None if the condition cannot use lists.
    `hint`: returns the end of the message about a value that cannot be read."""

    expected: str
    read: Callable[[str], Any]
    combine: Callable[[Iterable[Any]], Values]
    union: Callable[[Sequence[Any]], Values]
    collector: Callable[[], Collector] | None = None
    hint: Callable[[str], str] = lambda text: ""


def _fact(words: tuple[str, ...]) -> ConditionType:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{quoted(text)} is not one of its values{suggestion(text, words)}")
        return text

    expected = f"one of {', '.join(map(quoted, words))}"
    return ConditionType(expected, read, lambda found: Words(frozenset(found)), _only)


def _only(parts: Sequence[Any]) -> Any:
    (part,) = parts
    return part


def _hint(kind: str, read: Callable[[str], Any]) -> Callable[[str], str]:
    return lambda text: hint(text, kind, read)


def _names(expected: str, read: Callable[[str], str]) -> ConditionType:
    def collector() -> NameCollector:
        return NameCollector(read)

    return ConditionType(
        expected, read, lambda found: names_of([*found]), _union_of_names, collector, _hint(NAME, read)
    )


def _mailboxes(expected: str, read: Callable[[str], str]) -> ConditionType:
    def collector() -> MailboxCollector:
        return MailboxCollector(read)

    return ConditionType(
        expected, read, lambda found: mailboxes_of([*found]), _union_of_mailboxes, collector, _hint(MAILBOX, read)
    )


_NAME = 'a name without those below it ("mx.example.com"), a suffix for all names below it (".example.com")'
_MAILBOX = (
    'a mailbox ("user@dom"), a local part in any domain ("user@"), a domain without those below it ("dom"), a suffix for the'
    ' domains below (".dom")'
)

NETWORKS = ConditionType(
    "an address, a network or an @list",
    read_network,
    Networks,
    Networks.union,
    NetworkCollector,
    _hint(NETWORK, read_network),
)
PTR_NAMES = _names(f"{_NAME} or an @list", read_name)
GREETINGS = _names(f"{_NAME}, an address, an address literal or an @list", read_greeting)
SENDERS = _mailboxes(f'{_MAILBOX}, the null sender ("<>") or an @list', read_mailbox)
RECIPIENTS = _mailboxes(f"{_MAILBOX} or an @list", read_recipient)

PROVIDERS = ConditionType(
    'a domain with an SPF record ("_spf.example.com")', read_domain, lambda found: Domains(frozenset(found)), _only
)

# The conditions whose value is a string or a list of strings. The type of `dnslist` depends on [dnslists]: see dns_list_type.
STRING_CONDITIONS: Mapping[str, ConditionType] = MappingProxyType(
    {
        **{name: _fact(fact.words) for name, fact in FACTS.items()},
        "client": NETWORKS,
        "ptr": PTR_NAMES,
        "helo_name": GREETINGS,
        "mailfrom": SENDERS,
        "rcpt": RECIPIENTS,
        "client_spf": PROVIDERS,
    }
)


def read_boolean(value: Any) -> bool:
    """Read true or false. Raises ValueError for anything else."""
    if isinstance(value, bool):
        return value
    meant = _BOOLEANS.get(value) if isinstance(value, str) else None
    raise ValueError(f"must be true or false, not {quoted(value)}{f'; did you mean {meant}?' if meant else ''}")


_BOOLEANS = MappingProxyType({"yes": "true", "true": "true", "no": "false", "false": "false"})


def read_number(value: Any) -> float:
    """Read a number from -1000000 to 1000000. Raises ValueError for anything else, also for a boolean."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, not {quoted(value)}")
    if not abs(value) <= 1e6:  # also true of NaN
        raise ValueError(f"{quoted(value)} is outside -1000000 to 1000000")
    return float(value)


# The conditions with exactly one value, which is not a string.
SINGLE_CONDITIONS: Mapping[str, Callable[[Any], bool | float]] = MappingProxyType(
    {"authenticated": read_boolean, "tls": read_boolean, "min_score": read_number}
)

# The names of all conditions, facts first.
NAMES: tuple[str, ...] = (*FACTS, *CONDITIONS)
assert STRING_CONDITIONS.keys() | SINGLE_CONDITIONS.keys() | {"dnslist"} == set(NAMES)
