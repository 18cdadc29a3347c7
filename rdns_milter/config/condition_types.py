"""What the conditions of a rule are compared with: how an admin writes it, and what it becomes.

Pure. Knows no file. Rules and list files share the readers named here, so that a value means the same in both.

packaging/doc/rules.md (Conditions).
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
from ..policy.rules import Mailboxes, Names, Values, Words
from ..text.compact_set import text_set
from ..text.toml import quoted
from .collectors import Collector, MailboxCollector, NameCollector, NetworkCollector, mailboxes_of, names_of
from .errors import nearest
from .value_parsers import read_greeting, read_mailbox, read_name, read_network, read_recipient


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
    """How many entries a set has."""
    if isinstance(values, Networks):
        return len(values)
    if isinstance(values, Names):
        return len(values.exact) + len(values.suffixes)
    return len(values.addresses) + len(values.locals) + size(values.domains)


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a condition are read. `wants`: what they are, for messages; `read`: one of them (raises ValueError);
    `gather`: all of them; `union`: several sets as one; `collect`: begins the set of what stands in a list file, None where
    they may stand in none."""

    wants: str
    read: Callable[[str], Any]
    gather: Callable[[Iterable[Any]], Values]
    union: Callable[[Sequence[Any]], Values]
    collect: Callable[[], Collector] | None = None


def _fact(words: tuple[str, ...]) -> Kind:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{quoted(text)} is no value of it{nearest(text, words)}")
        return text

    return Kind(f"one or more of {', '.join(map(quoted, words))}", read, lambda found: Words(frozenset(found)), _only)


def _only(parts: Sequence[Any]) -> Any:
    (part,) = parts
    return part


def _name_kind(read: Callable[[str], str]) -> Kind:
    def collect() -> NameCollector:
        return NameCollector(read)

    return Kind("names, suffixes or an @list", read, lambda found: names_of([*found]), _union_of_names, collect)


def _mailbox_kind(wants: str, read: Callable[[str], str]) -> Kind:
    def collect() -> MailboxCollector:
        return MailboxCollector(read)

    return Kind(wants, read, lambda found: mailboxes_of([*found]), _union_of_mailboxes, collect)


NETWORKS = Kind("addresses, networks or an @list", read_network, Networks, Networks.union, NetworkCollector)
PTR_NAMES = _name_kind(read_name)
GREETINGS = _name_kind(read_greeting)
SENDERS = _mailbox_kind('"user@dom", "user@", "dom", ".dom", "<>" or an @list', read_mailbox)
RECIPIENTS = _mailbox_kind('"user@dom", "user@", "dom", ".dom" or an @list', read_recipient)

# The conditions whose values are one text or a list of texts.
TEXTUAL: Mapping[str, Kind] = MappingProxyType(
    {
        **{name: _fact(fact.words) for name, fact in FACTS.items()},
        "client": NETWORKS,
        "ptr": PTR_NAMES,
        "helo_name": GREETINGS,
        "mailfrom": SENDERS,
        "rcpt": RECIPIENTS,
    }
)


def read_truth(value: Any) -> bool:
    """True or false. Raises ValueError for anything else."""
    if isinstance(value, bool):
        return value
    meant = _MEANT.get(value) if isinstance(value, str) else None
    raise ValueError(f"wants true or false, not {quoted(value)}{f'; did you mean {meant}?' if meant else ''}")


_MEANT = MappingProxyType({"yes": "true", "true": "true", "no": "false", "false": "false"})


def read_number(value: Any) -> float:
    """A finite number of reasonable size. Raises ValueError for anything else, True and False included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"wants a number, not {quoted(value)}")
    if not abs(value) <= 1e6:  # NaN too
        raise ValueError(f"{quoted(value)} is outside -1000000 to 1000000")
    return float(value)


# The conditions that have exactly one value.
SINGLE: Mapping[str, Callable[[Any], bool | float]] = MappingProxyType(
    {"authenticated": read_truth, "tls": read_truth, "min_score": read_number}
)

# All conditions that a rule may name, facts first.
NAMES: tuple[str, ...] = (*FACTS, *CONDITIONS)
assert TEXTUAL.keys() | SINGLE.keys() == set(NAMES)
