"""Replay a log: judge its decisions by another policy and count what would change.

A stream: memory does not grow with the log. Prints nothing, opens nothing; analysis/evaluator.py judges. A rule's `until` is
compared with today, because a replay shows what the policy would do with such mail from now on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..logs.decision_keys import EXEMPT
from ..logs.decision_line import parse
from ..logs.line_prefix import KNOWN_FORMS, PrefixForms
from ..logs.logged_evidence import rcpts_of
from ..monitoring.top_k import Entry, TopList
from ..net.mailboxes import parse_mailbox
from ..policy.rules import ACTIONS, LET_IN, OBSERVE, Verdict
from ..text.escape import escaped
from .evaluator import Evaluator

MAX_EXAMPLE = 1000  # characters
MAX_SHOWN = 160  # characters of a line that is not understood
NULL_SENDER = "<>"

Change = tuple[str, str, str, str]  # action and rule then, action and rule by the policy
Example = TypeVar("Example")


@dataclass(slots=True)
class Movement(Generic[Example]):
    """Mail that one policy lets in and another keeps out: the number of verdicts, in all, by client and by sender domain."""

    count: int = 0
    clients: TopList[str, Example] = field(default_factory=TopList)
    senders: TopList[str, Example] = field(default_factory=TopList)

    def add(self, client: str, mailfrom: str, example: Example, count: int = 1) -> None:
        """Count verdicts on mail of that client and sender. `example`: kept if it is the first for the client or sender domain."""
        self.count += count
        self.clients.add(client, count, example)
        self.senders.add(sender_domain(mailfrom), count, example)

    def as_dict(self, most: int, line: Callable[[Example], str]) -> dict[str, Any]:
        """Return values that `json.dumps` takes. `most`: how many clients and senders; `line`: writes an example as a log line."""

        def entries(top: list[Entry[str, Example]]) -> list[dict[str, Any]]:
            return [
                {
                    "name": entry.name,
                    "count": entry.count,
                    "example": "" if entry.example is None else line(entry.example),
                }
                for entry in top
            ]

        return {
            "count": self.count,
            "clients": entries(self.clients.top(most)),
            "senders": entries(self.senders.top(most)),
        }


def sender_domain(path: str) -> str:
    """Return the name under which a sender is counted: its domain, `<>` for bounces, the whole address if it has no domain."""
    return parse_mailbox(path).domain or (path if path != NULL_SENDER else "") or NULL_SENDER


def repeated(line: str, prefixes: PrefixForms) -> tuple[str, dict[str, str], int]:
    """Return the decision that a log daemon reports as repeated: its line, its fields and the number of repetitions. If there is
    none, the number is 0. `prefixes` takes note of every line."""
    again, times = prefixes.repeated(line)
    prefixes.note(again if times else line)
    fields = parse(again) if times else None
    return (again, fields, times) if fields is not None else ("", {}, 0)


def unread(prefixes: PrefixForms, nothing: str) -> str:
    """Return a sentence that says why nothing was found in a log. `nothing`: the sentence for a log whose lines have a known
    form."""
    if prefixes.known or not prefixes.unknown:
        return f"{nothing} (the milter's lines begin with action=)"
    return f"{nothing}: {unrecognised(prefixes)}"


def unrecognised(prefixes: PrefixForms) -> str:
    """Return a sentence that says that no line has a known form. It quotes the first line and names the known forms."""
    first = escaped(escaped(prefixes.unknown, MAX_SHOWN), MAX_SHOWN)
    return f"no line has a known form; the first is: {first}; known are {KNOWN_FORMS}"


class Replay:
    """Counts over the lines of a log, which are given one by one. A line has one verdict for each recipient that it names.

    `matrix`: verdicts by the action then and the action by the policy.
    `changes`: verdicts whose action changes, with the rules.
    `rules`: verdicts by rule and action of the policy.
    `shadows`: shadow rules with their action.
    `refused`, `admitted`: mail that the policy would newly keep out or let in.
    `missing`: verdicts that depend on a key that is not in the line, by key.
    `cut`: lines that were cut.
    `unnamed`: recipients that are not named in the line.
    `exempt`: lines of clients that were exempt then and are not now.
    `others`: lines for which another client would be judged now, because relays.networks has changed.
    `relayed`: verdicts on mail through relays, by the action that the policy calls for.
    `foreign`: lines of another policy, which may have asked other providers and DNS lists."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.lines = self.decisions = self.verdicts = 0
        self.matrix: Counter[tuple[str, str]] = Counter()
        self.rules: Counter[tuple[str, str]] = Counter()
        self.shadows: Counter[tuple[str, str]] = Counter()
        self.changes: TopList[Change, None] = TopList()
        self.policies: TopList[str, None] = TopList()
        self.refused: Movement[str] = Movement()
        self.admitted: Movement[str] = Movement()
        self.missing: Counter[str] = Counter()
        self.prefixes = PrefixForms()
        self.relayed: Counter[str] = Counter()
        self.uncertain = self.unnamed = self.exempt = self.cut = self.others = self.foreign = 0

    def add(self, line: str) -> None:
        """Count one line of the log, of whatever form."""
        self.lines += 1
        fields = parse(line)
        if fields is None:
            again, _, times = repeated(line, self.prefixes)
            for _ in range(times):
                self.add(again)
            self.lines -= times
            return
        self.prefixes.last = line
        self.decisions += 1
        self.policies.add(fields.get("policy", ""))
        self.cut += "reply" not in fields
        other = self.evaluator.judges_another(fields)
        self.foreign += self.evaluator.is_of_other_sources(fields)
        self.others += other
        if fields["rule"].startswith(EXEMPT) and not other:
            self.exempt += self.evaluator.was_exempt(fields)
        recipients = rcpts_of(fields)
        if fields.get("nrcpt", "1") != "1":
            self.unnamed += _unnamed(fields, len(recipients))
        is_unknown = not recipients and "rcpt" in self.evaluator.keys  # the line was cut, or had no room for one
        for recipient in recipients or ("",):
            verdict = None if is_unknown else self.evaluator.verdict(fields, recipient)
            if verdict is None:
                self.uncertain += 1
                self.missing.update(self.evaluator.missing(fields))
            else:
                self._count(fields, verdict, line)

    def _count(self, fields: dict[str, str], verdict: Verdict, line: str) -> None:
        was, would = fields["action"], verdict.action
        self.verdicts += 1
        self.matrix[was, would] += 1
        self.rules[verdict.rule, would] += 1
        if verdict.shadow_rules:
            self.shadows.update(_shadows(verdict))
        if fields.get("via"):
            self.relayed[verdict.withheld or would] += 1
        if was == would:
            return
        self.changes.add((was, fields["rule"], would, verdict.rule))
        if (was in LET_IN) != (would in LET_IN):
            movement = self.refused if was in LET_IN else self.admitted
            movement.add(fields.get("client", ""), fields.get("mailfrom", ""), line[:MAX_EXAMPLE])

    @property
    def changed(self) -> int:
        """The number of verdicts with another action."""
        return sum(count for (was, would), count in self.matrix.items() if was != would)

    @property
    def let_in(self) -> int:
        """The number of verdicts that let mail in then."""
        return sum(count for (was, _), count in self.matrix.items() if was in LET_IN)

    @property
    def share_refused(self) -> float | None:
        """The share of the mail let in then that would be kept out; None if no mail was let in."""
        return self.refused.count / self.let_in if self.let_in else None


def _unnamed(fields: dict[str, str], named: int) -> int:
    count = fields["nrcpt"]
    return max(0, int(count) - named) if len(count) < 7 and count.isascii() and count.isdecimal() else 0


def _shadows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield each shadow rule that matched, with its action. The action is "" if `would` is the action of the deciding rule
    instead."""
    names = verdict.shadow_rules
    yield from zip(names, ("",) * len(names) if verdict.withheld else verdict.would, strict=True)


def warnings(replay: Replay) -> tuple[str, ...]:
    """Return what limits the numbers, one sentence each."""
    evaluator, found = replay.evaluator, []
    if not replay.decisions:
        found.append(unread(replay.prefixes, "the log contains no decision"))
    elif not replay.let_in:
        found.append('the log contains no mail that was let in; log.decisions = "all" logs it too')
    if evaluator.policy.mode == OBSERVE:
        found.append(OBSERVE_WARNING)
    if evaluator.unlogged_rules:
        names = ", ".join(evaluator.unlogged_rules)
        found.append(
            f"rules that test authenticated or tls, which are not logged, and are judged as if both were false: {names}"
        )
    for key, count in replay.missing.most_common():
        found.append(f"verdicts left out because they depend on {key}, which is not in the line: {count:,}")
    if replay.cut:
        found.append(f"lines cut by a log daemon, of which the keys after the cut are not known: {replay.cut:,}")
    if replay.exempt:
        found.append(
            f"lines of clients that were exempt then and would be judged now, whose facts are not known: {replay.exempt:,}"
        )
    if replay.foreign:
        found.append(
            f"lines of other policies, in which {' and '.join(evaluator.sources)} names what held of what those asked; what it does"
            f" not name is taken as not holding, even if it was not asked: {replay.foreign:,}"
        )
    if replay.others:
        found.append(
            "lines left out because relays.networks was another then, so that another client would be judged now, the one behind a"
            f" relay or the relay itself: {replay.others:,}"
        )
    if replay.unnamed and "rcpt" in evaluator.keys:
        found.append(f"recipients that did not fit into their lines and were not judged: {replay.unnamed:,}")
    if replay.refused.clients.missed or replay.admitted.clients.missed:
        found.append(MANY_CLIENTS_WARNING)
    return tuple(found)


OBSERVE_WARNING = 'the policy has mode = "observe" and refuses nothing; --enforce judges as if it had mode = "enforce"'
MANY_CLIENTS_WARNING = "there are so many clients that the counts of single clients may be slightly too low"


def as_dict(replay: Replay, most: int, troubles: Sequence[str] = ()) -> dict[str, Any]:
    """Return the result as values that `json.dumps` takes. `most`: how many clients and senders."""
    policy = replay.evaluator.policy
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
        "relayed": {action: replay.relayed[action] for action in ACTIONS if replay.relayed[action]},
        "newly_refused": replay.refused.as_dict(most, str),
        "newly_let_in": replay.admitted.as_dict(most, str),
        "policies": [{"policy": entry.name, "lines": entry.count} for entry in replay.policies.top(most)],
        "warnings": [*warnings(replay), *troubles],
    }
