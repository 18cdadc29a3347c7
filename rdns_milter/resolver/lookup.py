"""A DNS question, its answer, and the interface through which checks ask: Lookup.

Plain data and a Protocol: sends nothing itself. In service the Lookup is resolver/bounded_lookup.py, in tests a zone in memory.
Trouble with DNS must be a status with a name of its own, never an answer without values.

RFC 1034 (questions and answers), RFC 2308 (NXDOMAIN and NODATA), RFC 8914 (why a validator answered SERVFAIL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from ..net.names import Address

Type = Literal["A", "AAAA", "PTR", "MX", "TXT"]
Status = Literal[
    "ok",
    "nxdomain",
    "nodata",
    "timeout",
    "servfail",
    "refused",
    "bogus",
    "referral",
    "lame",
    "resolver-down",
    "deadline",
    "error",
    "bad-name",
]

# Statuses of trouble: whether there are such records is not known.
TEMPORARY: frozenset[str] = frozenset(
    ("timeout", "servfail", "refused", "bogus", "referral", "lame", "resolver-down", "deadline", "error")
)
# The server has not resolved the name: its answer names other servers (referral), or nothing, from a server that is not
# responsible for the zone (lame).
UNRESOLVED: frozenset[str] = frozenset(("referral", "lame"))


class Question(NamedTuple):
    """A name and a type. The name is canonical, without the final dot; each of its characters is one byte.

    A tuple, because questions are keys of dictionaries everywhere, and the hash of a dataclass is computed in Python."""

    name: str
    type: Type


Value = str | bytes | tuple[int, str]


class Answer(NamedTuple):
    """The answer to a question.

    `values`: addresses as text for A and AAAA; names for PTR; pairs of preference and name for MX; bytes for TXT, the strings of a
    record joined. Names are in lower case, without the final dot; bytes that no host name has are escaped with a backslash.
    `status`: `ok` (at least one value); `nxdomain`, `nodata` or `bad-name` (there are no such records); or one of TEMPORARY. `ttl`:
    seconds for which the answer is valid. `cached`: True if it comes from the cache, or from a query that was under way already.
    `ms`: milliseconds until it arrived; 0.0 from the cache."""

    question: Question
    status: Status
    values: tuple[Value, ...] = ()
    ttl: float = 0.0
    ms: float = 0.0
    cached: bool = False

    @property
    def temporary(self) -> bool:
        """Whether the status is temporary trouble."""
        return self.status in TEMPORARY

    @property
    def reason(self) -> str:
        """The name of the status in facts and in the log: `servfail` also for a server that does not resolve."""
        return "servfail" if self.status in UNRESOLVED else self.status

    def names(self) -> tuple[str, ...]:
        """Return the values that are text (PTR, A, AAAA)."""
        return tuple(value for value in self.values if isinstance(value, str))


def never_enough(answer: Answer) -> bool:
    """Return False, so that `Lookup.ask` waits for all answers. This is the default."""
    return False


def forward_type(address: Address) -> Type:
    """Return the type of the records that hold addresses of this family."""
    return "A" if address.version == 4 else "AAAA"


class Lookup(Protocol):
    """The interface through which a check asks. Never raises: trouble is in the answers."""

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """Ask all at once. Return the answers in the order of the questions. Once one answer is `enough`, the other questions get a
        moment longer; those without an answer by then are answered `deadline`."""

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Ask all at once, and wait until at least one question is answered. Return the answers that are there, in any order. The
        other queries stay under way: a question asked again joins its query, or is answered from the cache, and counts once. At the
        deadline every missing answer is `deadline`."""
