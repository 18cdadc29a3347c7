"""What the conditions of a rule are compared with: how an admin writes it, and what it becomes.

Pure. Knows no file. Rules and list files share the readers named here, so that a value means the same in both.

DESIGN section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from .evidence import FACTS
from .mistakes import nearest
from .networks import Networks
from .policy import CONDITIONS, Mailboxes, Names, Values, Words
from .toml import quoted
from .values import read_greeting, read_mailbox, read_name, read_network, read_recipient


def _names(values: Iterable[str]) -> Names:
    every = frozenset(values)
    suffixes = frozenset(name for name in every if name.startswith("."))
    return Names(every - suffixes, suffixes)


def _mailboxes(values: Iterable[str]) -> Mailboxes:
    every = frozenset(values)
    whole = frozenset(value for value in every if "@" in value and not value.endswith("@"))
    local = frozenset(value[:-1] for value in every if value.endswith("@"))
    domains = (value for value in every if "@" not in value and value != "<>")
    return Mailboxes(whole, local, _names(domains), "<>" in every)


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of a condition are read. `wants`: what they are, for messages; `read`: one of them (raises ValueError);
    `gather`: all of them; `listed`: whether they may stand in a list file."""

    wants: str
    read: Callable[[str], Any]
    gather: Callable[[Iterable[Any]], Values]
    listed: bool = True


def _fact(words: tuple[str, ...]) -> Kind:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{quoted(text)} is no value of it{nearest(text, words)}")
        return text

    return Kind(
        f"one or more of {', '.join(map(quoted, words))}", read, lambda found: Words(frozenset(found)), listed=False
    )


NETWORKS = Kind("addresses, networks or an @list", read_network, Networks)
PTR_NAMES = Kind("names, suffixes or an @list", read_name, _names)
GREETINGS = Kind("names, suffixes or an @list", read_greeting, _names)
SENDERS = Kind('"user@dom", "user@", "dom", ".dom", "<>" or an @list', read_mailbox, _mailboxes)
RECIPIENTS = Kind('"user@dom", "user@", "dom", ".dom" or an @list', read_recipient, _mailboxes)

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
