"""What a DNS question is, what its answer is, and the one door through which a check may ask.

Knows no resolver and asks nothing itself: in service the door is the resolver, in tests a zone in a dict. That DNS was in
trouble is a status with its own name, never an empty answer.

RFC 1034 (questions and answers), RFC 2308 (NXDOMAIN and NODATA), RFC 8914 (why a validator said SERVFAIL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

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

# DNS has spoken: there is nothing of that kind.
ABSENT: frozenset[str] = frozenset(("nxdomain", "nodata", "bad-name"))
# DNS has not spoken: whether there is something is not known.
TEMPORARY: frozenset[str] = frozenset(
    ("timeout", "servfail", "refused", "bogus", "referral", "lame", "resolver-down", "deadline", "error")
)
# The server has not resolved the name: it has only named other servers, or nothing, and is responsible for nothing.
UNRESOLVED: frozenset[str] = frozenset(("referral", "lame"))


@dataclass(frozen=True, slots=True)
class Question:
    """A name, canonical, without the final dot, and a type. Each character of the name is one octet."""

    name: str
    type: Type


Value = str | bytes | tuple[int, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    `values`: A and AAAA: addresses as text; PTR: names; MX: (preference, name); TXT: octets, the strings of a record joined.
    Names are lower case, without the final dot; octets that no host name has stand escaped with a backslash.
    `status`: `ok` (at least one value), one of ABSENT, or one of TEMPORARY.
    `ttl`: seconds for which the answer holds. `ms`: milliseconds until it came; 0.0 out of the cache, then `cached`.
    """

    question: Question
    status: Status
    values: tuple[Value, ...] = ()
    ttl: float = 0.0
    ms: float = 0.0
    cached: bool = False

    @property
    def temporary(self) -> bool:
        """Whether it is trouble that may pass: no answer, or one that says nothing."""
        return self.status in TEMPORARY

    @property
    def reason(self) -> str:
        """The status, as facts and log name it: a server that does not resolve has failed."""
        return "servfail" if self.status in UNRESOLVED else self.status

    def names(self) -> tuple[str, ...]:
        """The values that are text (PTR, A, AAAA)."""
        return tuple(value for value in self.values if isinstance(value, str))


def never_enough(answer: Answer) -> bool:
    """The default of `ask`: no single answer makes the others needless."""
    return False


def forward_type(address: Address) -> Type:
    """The type of the record that leads from a name to such an address."""
    return "A" if address.version == 4 else "AAAA"


class Lookup(Protocol):
    """The door. Never raises: trouble is in the answers."""

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """Ask all at once; the answers in the order of the questions. When one answer is `enough`, the others get a
        moment longer; what has not come by then is `deadline`."""

    def expect(self, questions: Sequence[Question]) -> None:
        """Begin questions that will probably be asked soon; nobody waits for them."""

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Ask all at once and wait only until one is answered: the answers that are in by then, at least one (if there is a
        question), in any order. The others stay under way: asked again, they are joined or come from memory, and count
        once. At the deadline all that is missing is answered `deadline`."""
