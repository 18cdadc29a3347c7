"""The rules of a config file: from [[rule]] tables to Rule, with all that is wrong with them.

Reads no file: named lists come as an argument. Lets no rule pass that could answer DNS trouble for good, or a reply
that an MTA would not understand.

packaging/doc/rules.md; RFC 5321 4.2 (codes and texts of replies), RFC 3463 (enhanced codes), RFC 7208 8.6 (temperror).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from ..checks.evidence import TEMPERROR
from ..policy.reachability import contradiction, unreachable
from ..policy.rules import (
    ACTIONS,
    DEFAULT_RULE,
    ENHANCED_CODE,
    REFUSALS,
    REJECT,
    TEMPFAIL,
    Condition,
    Rule,
    Values,
    Words,
)
from ..resolver.lookup import TEMPORARY
from ..responses.replies import PLACEHOLDERS
from ..text.toml import quoted
from ..text.toml_positions import Path
from .condition_types import NAMES, SINGLE, TEXTUAL, Kind, read_number, read_truth
from .errors import Mistakes, dotted, nearest
from .list_files import Lists

MAX_RULES = 1000
MAX_TEXT = 400  # characters; a reply line has 512 octets at most, and placeholders grow (RFC 5321 4.5.3.1.5)

# The first digit of the codes of an action that is answered with a reply.
_REPLIES = MappingProxyType({REJECT: "5", TEMPFAIL: "4"})
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def read_rules(tables: object, lists: Lists, mistakes: Mistakes) -> tuple[Rule, ...]:
    """The rules in their order, without those that are wrong: their mistakes are noted."""
    if not isinstance(tables, list):
        mistakes.add(("rule",), "rules are written with double brackets: [[rule]]")
        return ()
    if len(tables) > MAX_RULES:
        mistakes.add(("rule", MAX_RULES), f"more than {MAX_RULES} rules")
        return ()
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    sound = True
    for index, table in enumerate(tables):
        reader = _RuleReader(index, table, lists, mistakes)
        if reader.name in lines:
            reader.complain(
                ("name",), f"{quoted(reader.name)} is already the name of the rule on line {lines[reader.name]}"
            )
        elif reader.name:
            lines[reader.name] = mistakes.positions.line(("rule", index))
        rule = reader.read()
        if rule is None:
            sound = False
            continue
        # What earlier rules leave over is only known if all of them could be read.
        why = contradiction(rule) or (unreachable(rule, rules) if sound else "")
        if why:
            reader.complain((), f"can never match: {why}")
        rules.append(rule)
    return tuple(rules)


class _RuleReader:
    """Reads one table. `name`: the rule's name, "" if it has no valid one; messages call a rule without by its number, from 1."""

    def __init__(self, index: int, table: object, lists: Lists, mistakes: Mistakes) -> None:
        self._where: Path = ("rule", index)
        self._table: dict[str, Any] = table if isinstance(table, dict) else {}
        self._is_table = isinstance(table, dict)
        self._lists, self._mistakes = lists, mistakes
        name = self._table.get("name")
        self.name = name if isinstance(name, str) and _NAME.match(name) else ""
        self._label = f"rule[{self.name or index + 1}]"

    def complain(self, path: Path, message: str) -> None:
        """Note a mistake at a key of the rule."""
        name = dotted(path)
        self._mistakes.add(self._where + path, message, f"{self._label}.{name}" if name else self._label)

    def read(self) -> Rule | None:
        """The rule; None if there is anything wrong with it."""
        before = len(self._mistakes)
        if not self._is_table:
            self.complain((), "a rule is a table: [[rule]], and its keys below it")
            return None
        found: dict[str, Any] = {"name": ""}
        for key, value in self._table.items():
            if key in _CONDITIONS:
                found[key] = self._conditions(key, value)
            elif key in _READERS:
                try:
                    found[key] = _READERS[key](value)
                except ValueError as error:
                    self.complain((key,), str(error))
            elif key in NAMES:
                self.complain((key,), f"is a condition; write when = {{ {key} = ... }}")
            else:
                self.complain((key,), f"unknown key{nearest(key, RULE_KEYS)}")
        rule = Rule(**found)
        for path, message in _faults(rule, self._table.keys(), found.keys()):
            self.complain(path, message)
        return rule if len(self._mistakes) == before else None

    def _conditions(self, key: str, table: object) -> tuple[Condition, ...]:
        if not isinstance(table, dict):
            self.complain((key,), f'wants a table of conditions, such as {{ iprev = "fail" }}, not {quoted(table)}')
            return ()
        found = []
        for name, value in table.items():
            try:
                if name in SINGLE:
                    found.append(Condition(name, SINGLE[name](value)))
                elif name in TEXTUAL:
                    found.append(Condition(name, self._values((key, name), value, TEXTUAL[name])))
                else:
                    self.complain((key, name), f"unknown condition{nearest(name, NAMES)}")
            except ValueError as error:
                self.complain((key, name), str(error))
        return tuple(found)

    def _values(self, path: Path, value: object, kind: Kind) -> Values:
        if isinstance(value, list):
            if not value:
                raise ValueError("an empty list matches nothing; name a value, or leave the condition out")
            items: list[tuple[Path, object]] = [((*path, index), item) for index, item in enumerate(value)]
        else:
            items = [(path, value)]
        single: list[Any] = []
        listed: dict[int, Any] = {}  # each list once
        for place, item in items:
            try:
                self._value(item, kind, single, listed)
            except ValueError as error:
                self.complain(place, str(error))
        parts = [*listed.values(), *([kind.gather(single)] if single or not listed else ())]
        values: Values = parts[0] if len(parts) == 1 else self._lists.combined(kind, parts)
        return values

    def _value(self, item: object, kind: Kind, single: list[Any], listed: dict[int, Any]) -> None:
        """Read one value, or take a list. Raises ValueError."""
        if not isinstance(item, str):
            hint = (
                f"; did you mean {quoted('yes' if item else 'no')}?"
                if isinstance(item, bool) and '"yes"' in kind.wants
                else ""
            )
            raise ValueError(f"wants {kind.wants}, not {quoted(item)}{hint}")
        if not item.startswith("@") or not kind.collect:
            single.append(kind.read(item))
            return
        values = self._lists.listed(item[1:], kind)
        if values is None:
            names = self._lists.names
            raise ValueError(
                f"no list is called {quoted(item)}{nearest(item[1:], names) if names else '; there is no list in [lists]'}"
            )
        listed[id(values)] = values


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError(f"{quoted(value)} is no name: 1 to 64 letters, digits, dots, hyphens and underscores")
    if value == DEFAULT_RULE:
        raise ValueError(f"{quoted(value)} is what the log says where no rule matched")
    return value


def _action(value: object) -> str:
    if not isinstance(value, str) or value not in ACTIONS:
        raise ValueError(f"{quoted(value)} is no action{nearest(value if isinstance(value, str) else '', ACTIONS)}")
    return value


def _score(value: object) -> float:
    score = read_number(value)
    if score == 0:
        raise ValueError("a score of 0 changes nothing")
    return score


def _code(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not (400 <= value <= 459 or 500 <= value <= 559):
        raise ValueError(f"wants a number such as 550 or 451, not {quoted(value)}")
    return value


def _enhanced(value: object) -> str:
    if not isinstance(value, str) or not ENHANCED_CODE.match(value):
        raise ValueError(f'wants an enhanced status code such as "5.7.25", not {quoted(value)}')
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("wants the text of a reply")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a reply is one line of printable ASCII")
    if len(value) > MAX_TEXT:
        raise ValueError(f"has {len(value)} characters; {MAX_TEXT} are the most")
    for match in _BRACES.finditer(value):
        if match[1] is None:
            raise ValueError(f"a brace that belongs to no placeholder{nearest('', _SHOWN_PLACEHOLDERS)}")
        if match[1] not in PLACEHOLDERS:
            raise ValueError(f"unknown placeholder {quoted(match[0])}{nearest(match[0], _SHOWN_PLACEHOLDERS)}")
    return value


def _until(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _DAY.match(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"wants a day such as 2026-12-31, not {quoted(value)}")


_SHOWN_PLACEHOLDERS = tuple(f"{{{name}}}" for name in PLACEHOLDERS)
_CONDITIONS = ("when", "unless")
_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "name": _name,
        "action": _action,
        "score": _score,
        "shadow": read_truth,
        "code": _code,
        "enhanced": _enhanced,
        "text": _text,
        "until": _until,
    }
)
RULE_KEYS = ("name", "when", "unless", "action", "score", "shadow", "code", "enhanced", "text", "until")


def _faults(rule: Rule, written: Collection[str], read: Collection[str]) -> Iterator[tuple[Path, str]]:
    """What is wrong with the keys of a rule together. `written`: the keys that it has; `read`: those whose value is right."""
    if "name" not in written:
        yield (), "has no name"
    if "action" not in written and "score" not in written:
        yield (), "has neither action nor score"
    if "action" in written and "score" in written:
        yield ("score",), "a rule with an action decides, and its score would never count"
    if rule.shadow and "action" not in written:
        yield ("shadow",), "a shadow rule only says what its action would be, and this one has none"
    if "action" in read or "action" not in written:
        yield from _reply_faults(rule, [key for key in ("code", "enhanced", "text") if key in read])
    if rule.action in REFUSALS:
        yield from _promise_faults(rule)


def _reply_faults(rule: Rule, keys: Sequence[str]) -> Iterator[tuple[Path, str]]:
    digit = _REPLIES.get(rule.action)
    for key in keys:
        if digit is None:
            what = f"action {quoted(rule.action)}" if rule.action else "a rule without action"
            yield (key,), f"{what} has no reply of its own; only reject and tempfail have"
        elif key != "text" and not str(getattr(rule, key)).startswith(digit):
            yield (
                (key,),
                f"{quoted(getattr(rule, key))} does not fit action {quoted(rule.action)}, whose codes begin with {digit}",
            )


def _promise_faults(rule: Rule) -> Iterator[tuple[Path, str]]:
    """DNS trouble is no reason to refuse for good."""
    for condition in rule.when:
        if not isinstance(condition.values, Words):
            continue
        temporary = {TEMPERROR} if condition.name != "iprev_reason" else TEMPORARY
        named = sorted(temporary & condition.values.words)
        if named:
            words = ", ".join(map(quoted, named))
            yield (
                ("when", condition.name),
                f"{words} is DNS trouble and may pass: {rule.action} must not rest on it; use tempfail",
            )
