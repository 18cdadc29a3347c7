"""What another policy would have done: yesterday's log judged again, and what would change.

A stream: memory does not grow with the log. Judges nothing itself (analysis/evaluator.py does), prints nothing, opens nothing.
`until` counts
by the day that is given, today's: the question is what the policy would do with such mail from now on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..logs.decision import EXEMPT, parse, rcpts_of
from ..logs.line_prefix import KNOWN_FORMS, Beginnings
from ..monitoring.top_k import Entry, TopList
from ..net.mailboxes import parse_mailbox
from ..policy.rules import ACTIONS, LET_IN, OBSERVE, Verdict
from ..text.escape import escaped
from .evaluator import Judge

MAX_EXAMPLE = 1000  # characters
MAX_SHOWN = 160  # characters of a line that is not understood
NULL_SENDER = "<>"

Change = tuple[str, str, str, str]  # action and rule as they were, action and rule as they would be


@dataclass(slots=True)
class Movement:
    """Mail that changes sides: how many verdicts, by client and by the sender's domain."""

    count: int = 0
    clients: TopList[str] = field(default_factory=TopList)
    senders: TopList[str] = field(default_factory=TopList)

    def add(self, fields: dict[str, str], line: str) -> None:
        """One more verdict, and the line that holds it."""
        self.count += 1
        example = line[:MAX_EXAMPLE]
        self.clients.add(fields.get("client", ""), 1, example)
        self.senders.add(sender_domain(fields.get("mailfrom", "")), 1, example)

    def as_dict(self, most: int) -> dict[str, Any]:
        """For programs, with so many clients and senders."""

        def entries(top: list[Entry[str]]) -> list[dict[str, Any]]:
            return [{"name": entry.name, "count": entry.count, "example": entry.example} for entry in top]

        return {
            "count": self.count,
            "clients": entries(self.clients.top(most)),
            "senders": entries(self.senders.top(most)),
        }


def sender_domain(path: str) -> str:
    """By what senders are counted: the domain of the address, `<>` for bounces, the whole of one without a domain."""
    return parse_mailbox(path).domain or (path if path != NULL_SENDER else "") or NULL_SENDER


def repeated(line: str, beginnings: Beginnings) -> tuple[str, dict[str, str], int]:
    """What a line that is no decision stands for, where a log daemon says that one was written again: that line, what it holds,
    and how many times; 0 times where it is none. `beginnings` keeps account of all lines."""
    again, times = beginnings.repeated(line)
    beginnings.saw(again if times else line)
    fields = parse(again) if times else None
    return (again, fields, times) if fields is not None else ("", {}, 0)


def unread(beginnings: Beginnings, nothing: str) -> str:
    """Why nothing was found in a log, in a sentence. `nothing`: what there is not, where lines could be read."""
    if beginnings.known or not beginnings.unknown:
        return f"{nothing} (lines that begin with action=, as the milter writes them)"
    return f"{nothing}: {unrecognised(beginnings)}"


def unrecognised(beginnings: Beginnings) -> str:
    """That no line begins as lines of a log do, with the first of them, and the forms that are known."""
    first = escaped(escaped(beginnings.unknown, MAX_SHOWN), MAX_SHOWN)
    return f"no line begins in a way that is known; the first is: {first}; known are {KNOWN_FORMS}"


class Replay:
    """Give it the lines of a log, one by one. `verdicts`: how many could be judged, one for each recipient that a line names.

    `matrix`: action as it was and as it would be; `changes`: the same with rules, where anything but the rule's name changes;
    `rules`: rule and action as they would be; `shadows`: shadow rule and what it would do; `refused`, `admitted`: mail that
    changes sides. `lacking`: verdicts that hang on a key which the line lacks, by the key; `cut`: lines that were cut;
    `unnamed`: recipients that no line names; `exempt`: lines of clients that were exempt then, and are no longer."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.lines = self.decisions = self.verdicts = 0
        self.matrix: Counter[tuple[str, str]] = Counter()
        self.rules: Counter[tuple[str, str]] = Counter()
        self.shadows: Counter[tuple[str, str]] = Counter()
        self.changes: TopList[Change] = TopList()
        self.policies: TopList[str] = TopList()
        self.refused, self.admitted = Movement(), Movement()
        self.lacking: Counter[str] = Counter()
        self.beginnings = Beginnings()
        self.uncertain = self.unnamed = self.exempt = self.cut = self.observed = 0

    def add(self, line: str) -> None:
        """One more line of the log, whatever it is."""
        self.lines += 1
        fields = parse(line)
        if fields is None:
            again, _, times = repeated(line, self.beginnings)
            for _ in range(times):
                self.add(again)
            self.lines -= times
            return
        self.beginnings.last = line
        self.decisions += 1
        self.policies.add(fields.get("policy", ""))
        self.cut += "reply" not in fields
        self.observed += fields.get("mode") == OBSERVE
        if fields["rule"].startswith(EXEMPT):
            self.exempt += self.judge.was_exempt(fields)
        recipients = rcpts_of(fields)
        if fields.get("nrcpt", "1") != "1":
            self.unnamed += _unnamed(fields, len(recipients))
        nobody = not recipients and "rcpt" in self.judge.asks  # cut off, or there was no room for one
        for recipient in recipients or ("",):
            verdict = None if nobody else self.judge.verdict(fields, recipient)
            if verdict is None:
                self.uncertain += 1
                self.lacking.update(self.judge.asks - fields.keys())
            else:
                self._count(fields, verdict, line)

    def _count(self, fields: dict[str, str], verdict: Verdict, line: str) -> None:
        was, would = fields["action"], verdict.action
        self.verdicts += 1
        self.matrix[was, would] += 1
        self.rules[verdict.rule, would] += 1
        if verdict.shadow_rules:
            self.shadows.update(_shadows(verdict))
        if was == would:
            return
        self.changes.add((was, fields["rule"], would, verdict.rule))
        if was in LET_IN and would not in LET_IN:
            self.refused.add(fields, line)
        elif was not in LET_IN and would in LET_IN:
            self.admitted.add(fields, line)

    @property
    def changed(self) -> int:
        """Verdicts with another action."""
        return sum(count for (was, would), count in self.matrix.items() if was != would)

    @property
    def let_in(self) -> int:
        """Verdicts that let mail in."""
        return sum(count for (was, _), count in self.matrix.items() if was in LET_IN)

    @property
    def share_refused(self) -> float | None:
        """Of what was let in, the part that would be kept out; None where nothing was let in."""
        return self.refused.count / self.let_in if self.let_in else None


def _unnamed(fields: dict[str, str], named: int) -> int:
    count = fields["nrcpt"]
    return max(0, int(count) - named) if len(count) < 7 and count.isascii() and count.isdecimal() else 0


def _shadows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The shadow rules that matched, and what each would do."""
    names, actions = verdict.shadow_rules, verdict.would
    # In observe mode `would` may speak of enforcement instead.
    yield from zip(names, actions if len(actions) == len(names) else ("",) * len(names), strict=True)


def warnings(replay: Replay) -> tuple[str, ...]:
    """What one should know before believing the numbers, a sentence each."""
    judge, found = replay.judge, []
    if not replay.decisions:
        found.append(unread(replay.beginnings, "there is no decision in the log"))
    elif not replay.let_in:
        found.append('the log holds no mail that was let in; with log.decisions = "all" it would')
    if judge.policy.mode == OBSERVE:
        found.append('the policy has mode = "observe", and so refuses nobody; --enforce judges as if it had not')
    if judge.untold:
        found.append(
            f"no line tells whether a client had logged in or used TLS; judged as if it had not: {_rules(judge.untold)}"
        )
    for key, count in replay.lacking.most_common():
        found.append(f"{_verdicts(count)} left out: they hang on {key}, which the line does not hold")
    for count, text in (
        (replay.cut, "were cut by a log daemon; what was behind the cut is not known"),
        (replay.exempt, "are of clients that were exempt then and would be judged now; nothing is known of them"),
    ):
        if count:
            found.append(f"{_lines(count)} {text}")
    if replay.unnamed and "rcpt" in judge.asks:
        found.append(f"{replay.unnamed} recipients stand in no line, for want of room, and were not judged")
    if replay.refused.clients.missed or replay.admitted.clients.missed:
        found.append("there are so many clients that the counts of single ones may be a little too low")
    return tuple(found)


def _rules(names: tuple[str, ...]) -> str:
    return f"rule{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _verdicts(count: int) -> str:
    return "1 verdict was" if count == 1 else f"{count} verdicts were"


def _lines(count: int) -> str:
    return "1 of the lines" if count == 1 else f"{count} lines"


def as_dict(replay: Replay, most: int, troubles: Sequence[str] = ()) -> dict[str, Any]:
    """All of it for programs; `most`: how many clients and senders."""
    policy = replay.judge.policy
    share = replay.share_refused
    return {
        "policy": policy.digest,
        "mode": policy.mode,
        "lines": replay.lines,
        "decisions": replay.decisions,
        "verdicts": replay.verdicts,
        "uncertain": replay.uncertain,
        "changed": replay.changed,
        "let_in": replay.let_in,
        "share_refused": None if share is None else round(share, 6),
        "matrix": {was: {would: replay.matrix[was, would] for would in ACTIONS} for was in ACTIONS},
        "changes": [
            {"was": {"action": was, "rule": rule}, "would": {"action": would, "rule": new}, "count": entry.count}
            for entry in replay.changes.top()
            for was, rule, would, new in (entry.name,)
        ],
        "rules": [{"rule": rule, "action": action, "count": n} for (rule, action), n in replay.rules.most_common()],
        "shadow": [{"rule": rule, "would": action, "count": n} for (rule, action), n in replay.shadows.most_common()],
        "newly_refused": replay.refused.as_dict(most),
        "newly_let_in": replay.admitted.as_dict(most),
        "policies": [{"policy": entry.name, "lines": entry.count} for entry in replay.policies.top(most)],
        "warnings": [*warnings(replay), *troubles],
    }
