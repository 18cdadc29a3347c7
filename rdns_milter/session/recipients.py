"""The recipients of a message, grouped as they come: those that every condition of the policy sees alike while they wait for their
verdict, those with the same verdict and reply afterwards.

Pure. Must never grow with the number of recipients: a group is its first names and a count. Loses no verdict: recipients of which
all conditions say the same are judged alike, however many there are. A recipient for whose group there is no room is deferred; the
first hundred of a message always have room.

RFC 5321 4.5.3.1.8 (at least 100 recipients) and 4.5.3.1.10 (452 for those beyond).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..checks.evidence import Cost, Evidence
from ..logs.decision import Decision
from ..policy.decide import decide
from ..policy.rules import ACCEPT, OBSERVE, TEMPFAIL, TOO_MANY_RECIPIENTS, Mailboxes, Policy, Verdict
from ..responses.replies import Reply, compose

MAX_GROUPS = 100  # of recipients that wait, and of verdicts, in one message
MAX_NAMED = 100  # recipients of a group whose names are kept

Profile = tuple[bool, ...]


@dataclass(slots=True)
class Group:
    """Recipients that fare alike: the first names, and how many there are. `evidence`: that of the first."""

    evidence: Evidence
    names: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, names: list[str], count: int) -> None:
        """So many more, of which these names are known."""
        self.names += names[: MAX_NAMED - len(self.names)]
        self.count += count


class Recipients:
    """Of one message that is judged by `policy`; `exempt`: no rule is asked, so all are alike."""

    __slots__ = ("_asked", "_judged", "_policy", "_taken")

    def __init__(self, policy: Policy, exempt: bool = False) -> None:
        conditions = (each.values for rule in policy.rules for each in rule.when + rule.unless if each.name == "rcpt")
        self._policy = policy
        self._asked = () if exempt else tuple(values for values in conditions if isinstance(values, Mailboxes))
        self._taken: dict[Profile, Group] = {}
        self._judged: dict[tuple[Verdict, Reply | None], Group] = {}

    @property
    def first(self) -> str:
        """The first recipient that waits for its verdict, "" if none does."""
        return next((group.names[0] for group in self._taken.values()), "")

    @property
    def are_judged(self) -> bool:
        """Whether there is a verdict on any."""
        return bool(self._judged)

    def take(self, evidence: Evidence) -> Reply | None:
        """Keep this recipient to be judged at the end; the reply that defers it if there is no room."""
        profile = tuple(values.match(evidence.rcpt) for values in self._asked)
        group = self._taken.get(profile)
        if group is None:
            if len(self._taken) >= MAX_GROUPS:
                return self._note(evidence, self._no_room())
            group = self._taken[profile] = Group(evidence)
        group.add([evidence.rcpt], 1)
        return None

    def judge(self, evidence: Evidence) -> Reply | None:
        """Judge this recipient now: the reply that it gets."""
        verdict = decide(evidence, self._policy)
        if len(self._judged) >= MAX_GROUPS and (verdict, compose(verdict, evidence)) not in self._judged:
            verdict = self._no_room()
        return self._note(evidence, verdict)

    def judge_taken(self, evidence: Evidence) -> list[Verdict]:
        """Judge those that wait, by the evidence of the whole message: a verdict for each group, in their order."""
        verdicts = []
        for group in self._taken.values():
            theirs = replace(evidence, rcpt=group.names[0])
            verdicts.append(decide(theirs, self._policy))
            self._note(theirs, verdicts[-1], group)
        self._taken.clear()
        return verdicts

    def decisions(self, queue_id: str, cost: Cost) -> Iterator[Decision]:
        """One for each group of recipients with the same verdict and reply."""
        for (verdict, reply), group in self._judged.items():
            yield Decision(
                verdict=verdict,
                evidence=group.evidence,
                rcpts=tuple(group.names),
                qid=queue_id,
                mode=self._policy.mode,
                policy=self._policy.digest,
                cost=cost,
                reply="" if reply is None else str(reply),
                count=group.count,
            )

    def _note(self, evidence: Evidence, verdict: Verdict, like: Group | None = None) -> Reply | None:
        reply = compose(verdict, evidence)
        group = self._judged.setdefault((verdict, reply), Group(evidence))
        if like is None:
            group.add([evidence.rcpt], 1)
        else:
            group.add(like.names, like.count)
        return reply

    def _no_room(self) -> Verdict:
        name = TOO_MANY_RECIPIENTS.name
        if self._policy.mode == OBSERVE:
            return Verdict(ACCEPT, name, would=(TEMPFAIL,), because=TOO_MANY_RECIPIENTS)
        return Verdict(TEMPFAIL, name, because=TOO_MANY_RECIPIENTS)
