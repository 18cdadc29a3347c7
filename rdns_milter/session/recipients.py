"""Group the recipients of a message. Before the verdict, a group has the same value for every condition of the policy; after it,
the same verdict and reply.

Pure. Must never grow with the number of recipients: a group is its first names and a count. Must never lose a verdict: the
recipients of a group are judged alike, however many there are. A recipient is deferred if its group would be one too many; the
first hundred recipients of a message always find room.

RFC 5321 4.5.3.1.8 (at least 100 recipients) and 4.5.3.1.10 (452 for those beyond).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..checks.evidence import Cost, Evidence
from ..logs.decision_keys import Decision
from ..policy.decide import decide
from ..policy.rules import ACCEPT, OBSERVE, TEMPFAIL, TOO_MANY_RECIPIENTS, Mailboxes, Policy, Verdict
from ..responses.replies import Reply, compose

MAX_GROUPS = 100  # in one message: of recipients before the verdict, and of verdicts
MAX_NAMED = 100  # recipients of a group whose names are kept

Profile = tuple[bool, ...]


@dataclass(slots=True)
class Group:
    """Recipients that are judged alike: the first names, and the number of all. `evidence`: of the first recipient."""

    evidence: Evidence
    names: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, names: list[str], count: int) -> None:
        """Add `count` recipients. `names`: the names of those that are known."""
        self.names += names[: MAX_NAMED - len(self.names)]
        self.count += count


class Recipients:
    """The recipients of one message. `policy`: its rules; `exempt`: no rule is evaluated, so all recipients are one group."""

    __slots__ = ("_conditions", "_judged", "_policy", "_taken")

    def __init__(self, policy: Policy, exempt: bool = False) -> None:
        conditions = (each.values for rule in policy.rules for each in rule.when + rule.unless if each.name == "rcpt")
        self._policy = policy
        self._conditions = () if exempt else tuple(values for values in conditions if isinstance(values, Mailboxes))
        self._taken: dict[Profile, Group] = {}
        self._judged: dict[tuple[Verdict, Reply | None], Group] = {}

    @property
    def first(self) -> str:
        """The first recipient that has no verdict yet; "" if there is none."""
        return next((group.names[0] for group in self._taken.values()), "")

    @property
    def are_judged(self) -> bool:
        """True if any recipient has a verdict."""
        return bool(self._judged)

    def take(self, evidence: Evidence) -> Reply | None:
        """Keep this recipient until the end of the message. If there is no room, return the reply that defers it, otherwise
        None."""
        profile = tuple(values.match(evidence.rcpt) for values in self._conditions)
        group = self._taken.get(profile)
        if group is None:
            if len(self._taken) >= MAX_GROUPS:
                return self._note(evidence, self._no_room(evidence))
            group = self._taken[profile] = Group(evidence)
        group.add([evidence.rcpt], 1)
        return None

    def judge(self, evidence: Evidence) -> Reply | None:
        """Judge this recipient now. Return its reply."""
        verdict = decide(evidence, self._policy)
        if len(self._judged) >= MAX_GROUPS and (verdict, compose(verdict, evidence)) not in self._judged:
            verdict = self._no_room(evidence)
        return self._note(evidence, verdict)

    def judge_taken(self, evidence: Evidence) -> list[Verdict]:
        """Judge the recipients that have no verdict yet, by the evidence of the whole message. Return one verdict for each group,
        in the order of the groups."""
        verdicts = []
        for group in self._taken.values():
            first = group.names[0]
            of_group = evidence if evidence.rcpt == first else replace(evidence, rcpt=first)
            verdicts.append(decide(of_group, self._policy))
            self._note(of_group, verdicts[-1], group)
        self._taken.clear()
        return verdicts

    def decisions(self, queue_id: str, cost: Cost) -> Iterator[Decision]:
        """Yield one decision for each group of recipients with the same verdict and reply."""
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

    def _note(self, evidence: Evidence, verdict: Verdict, whole: Group | None = None) -> Reply | None:
        reply = compose(verdict, evidence)
        group = self._judged.setdefault((verdict, reply), Group(evidence))
        if whole is None:
            group.add([evidence.rcpt], 1)
        else:
            group.add(whole.names, whole.count)
        return reply

    def _no_room(self, evidence: Evidence) -> Verdict:
        name = TOO_MANY_RECIPIENTS.name
        if self._policy.mode == OBSERVE or evidence.via is not None:
            return Verdict(ACCEPT, name, would=(TEMPFAIL,), because=TOO_MANY_RECIPIENTS, withheld=TEMPFAIL)
        return Verdict(TEMPFAIL, name, because=TOO_MANY_RECIPIENTS)
