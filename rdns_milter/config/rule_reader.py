"""Read the rules of a configuration file: [[rule]] tables become records of policy/rules.py.

Reads no file: named lists are an argument. Must never accept a rule that refuses mail permanently because of a temporary DNS error,
nor a reply that is not valid SMTP.

RFC 5321 4.2 (codes and texts of replies), RFC 3463 (enhanced status codes), RFC 7208 8.6 (temperror).
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
    asked_by,
)
from ..resolver.lookup import TEMPORARY
from ..responses.replies import PLACEHOLDERS
from ..text.toml import quoted
from ..text.toml_positions import Path
from .condition_types import NAMES, SINGLE_CONDITIONS, STRING_CONDITIONS, ConditionType, read_boolean, read_number
from .errors import ErrorCollector, dotted
from .hints.date_hints import date_hint
from .hints.did_you_mean import suggestion
from .list_files import Lists
from .sections.dns_lists import MAX_PROVIDERS, dns_list_type

MAX_RULES = 1000
MAX_TEXT = 400  # characters; a reply line has at most 512 octets (RFC 5321 4.5.3.1.5), and placeholders need more space

# The first digit of the codes of each action that has a reply.
_REPLIES = MappingProxyType({REJECT: "5", TEMPFAIL: "4"})
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def read_rules(
    tables: object,
    lists: Lists,
    errors: ErrorCollector,
    today: date,
    dns_lists: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Rule, ...]:
    """Return the valid rules in their order, and add errors for the others. `today`: for messages about dates; `dns_lists`: the
    zones of the DNS lists, by name."""
    if not isinstance(tables, list):
        errors.add(("rule",), "write rules with double brackets: [[rule]]")
        return ()
    if len(tables) > MAX_RULES:
        errors.add(("rule", MAX_RULES), f"more than {MAX_RULES} rules")
        return ()
    rules: list[Rule] = []
    lines: dict[str, int] = {}
    all_valid = True
    types = {**STRING_CONDITIONS, "dnslist": dns_list_type(dns_lists)}
    for index, table in enumerate(tables):
        reader = _RuleReader(index, table, lists, errors, today, types)
        if reader.name in lines:
            reader.add_error(
                ("name",), f"{quoted(reader.name)} is already the name of the rule on line {lines[reader.name]}"
            )
        elif reader.name:
            lines[reader.name] = errors.positions.line(("rule", index))
        rule = reader.read()
        if rule is None:
            all_valid = False
            continue
        # Whether a rule is reachable is known only if all earlier rules are valid.
        reason = contradiction(rule) or (unreachable(rule, rules) if all_valid else "")
        if reason:
            reader.add_error((), f"can never match: {reason}")
        rules.append(rule)
    providers, _ = asked_by(rules)
    if len(providers) > MAX_PROVIDERS:
        errors.add(("rule",), f"ask client_spf of {len(providers)} domains; the maximum is {MAX_PROVIDERS}")
    return tuple(rules)


class _RuleReader:
    """Reads one table. `name`: the rule's name; "" if it has no valid one. Messages use the rule's number, from 1, if it has no
    name."""

    def __init__(
        self,
        index: int,
        table: object,
        lists: Lists,
        errors: ErrorCollector,
        today: date,
        types: Mapping[str, ConditionType],
    ) -> None:
        self._where: Path = ("rule", index)
        self._table: dict[str, Any] = table if isinstance(table, dict) else {}
        self._is_table = isinstance(table, dict)
        self._lists, self._errors, self._today, self._types = lists, errors, today, types
        name = self._table.get("name")
        self.name = name if isinstance(name, str) and _NAME.match(name) else ""
        self._label = f"rule[{self.name or index + 1}]"

    def add_error(self, path: Path, message: str) -> None:
        """Add an error at a key of the rule."""
        name = dotted(path)
        self._errors.add(self._where + path, message, f"{self._label}.{name}" if name else self._label)

    def read(self) -> Rule | None:
        """Return the rule; None if it has an error."""
        before = len(self._errors)
        if not self._is_table:
            self.add_error((), "a rule is a table: write [[rule]] and put its keys below")
            return None
        found: dict[str, Any] = {"name": ""}
        for key, value in self._table.items():
            if key in _CONDITIONS:
                found[key] = self._conditions(key, value)
            elif key in _READERS or key == "until":
                try:
                    found[key] = _READERS[key](value) if key in _READERS else _until(value, self._today)
                except ValueError as error:
                    self.add_error((key,), str(error))
            elif key in NAMES:
                self.add_error((key,), f"is a condition: write when = {{ {key} = ... }}")
            else:
                self.add_error((key,), f"unknown key{suggestion(key, RULE_KEYS)}")
        rule = Rule(**found)
        for path, message in _combination_errors(rule, self._table.keys(), found.keys()):
            self.add_error(path, message)
        return rule if len(self._errors) == before else None

    def _conditions(self, key: str, table: object) -> tuple[Condition, ...]:
        if not isinstance(table, dict):
            self.add_error((key,), f'must be a table of conditions, such as {{ iprev = "fail" }}, not {quoted(table)}')
            return ()
        found = []
        for name, value in table.items():
            try:
                if name in SINGLE_CONDITIONS:
                    found.append(Condition(name, SINGLE_CONDITIONS[name](value)))
                elif name in self._types:
                    found.append(Condition(name, self._values((key, name), value, self._types[name])))
                else:
                    self.add_error((key, name), f"unknown condition{suggestion(name, NAMES)}")
            except ValueError as error:
                self.add_error((key, name), str(error))
        return tuple(found)

    def _values(self, path: Path, value: object, condition_type: ConditionType) -> Values:
        if isinstance(value, list):
            if not value:
                raise ValueError("an empty list matches nothing; add a value, or remove the condition")
            items: list[tuple[Path, object]] = [((*path, index), item) for index, item in enumerate(value)]
        else:
            items = [(path, value)]
        single: list[Any] = []
        listed: dict[int, Any] = {}  # each list once
        for place, item in items:
            try:
                self._value(item, condition_type, single, listed)
            except ValueError as error:
                self.add_error(place, str(error))
        parts = [*listed.values(), *([condition_type.combine(single)] if single or not listed else ())]
        values: Values = parts[0] if len(parts) == 1 else self._lists.combined(condition_type, parts)
        return values

    def _value(self, item: object, condition_type: ConditionType, single: list[Any], listed: dict[int, Any]) -> None:
        """Read one value, or look up a list. Raises ValueError."""
        if not isinstance(item, str):
            hint = (
                f"; did you mean {quoted('yes' if item else 'no')}?"
                if isinstance(item, bool) and '"yes"' in condition_type.expected
                else ""
            )
            raise ValueError(f"must be {condition_type.expected}, not {quoted(item)}{hint}")
        if not item.startswith("@") or not condition_type.collector:
            if item in self._lists.names and condition_type.collector and "." not in item:
                raise ValueError(f"{quoted(item)} is the name of a list; write {quoted(f'@{item}')}")
            single.append(condition_type.read(item))
            return
        values = self._lists.listed(item[1:], condition_type)
        if values is None:
            raise ValueError(f"there is no list {quoted(item)}{self._list_hint(item, condition_type)}")
        listed[id(values)] = values

    def _list_hint(self, item: str, condition_type: ConditionType) -> str:
        written, names = item.lstrip("@ ").rstrip(), self._lists.names
        similar = suggestion(written, names) if names else ""
        if (
            "." in written or ":" in written
        ) and "." not in similar:  # the name of a list seldom has them, all other values do
            try:
                condition_type.read(written)
            except ValueError:
                if "/" in written:
                    return f'; a file gets a name in [lists], NAME = {quoted(written)}, and is used as "@NAME"'
            else:
                return (
                    condition_type.hint(item) if "write" in condition_type.hint(item) else f"; write {quoted(written)}"
                )
        if "did you mean" in similar:
            return similar.replace('"', '"@', 1)
        return similar or "; [lists] is empty"


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError(f"{quoted(value)} is not a valid name: 1 to 64 letters, digits, dots, hyphens and underscores")
    if value == DEFAULT_RULE:
        raise ValueError(f"{quoted(value)} is reserved: the log has it for messages that no rule matches")
    return value


def _action(value: object) -> str:
    if not isinstance(value, str) or value not in ACTIONS:
        raise ValueError(
            f"{quoted(value)} is not an action{suggestion(value if isinstance(value, str) else '', ACTIONS)}"
        )
    return value


def _score(value: object) -> float:
    score = read_number(value)
    if score == 0:
        raise ValueError("a score of 0 has no effect")
    return score


def _code(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not (400 <= value <= 459 or 500 <= value <= 559):
        raise ValueError(f"must be a number such as 550 or 451, not {quoted(value)}")
    return value


def _enhanced(value: object) -> str:
    if not isinstance(value, str) or not ENHANCED_CODE.match(value):
        raise ValueError(f'must be an enhanced status code such as "5.7.25", not {quoted(value)}')
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be the text of a reply")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be one line of printable ASCII")
    if len(value) > MAX_TEXT:
        raise ValueError(f"has {len(value)} characters; the maximum is {MAX_TEXT}")
    for match in _BRACES.finditer(value):
        if match[1] is None:
            raise ValueError(f"has a brace that is not part of a placeholder{suggestion('', _SHOWN_PLACEHOLDERS)}")
        if match[1] not in PLACEHOLDERS:
            raise ValueError(f"unknown placeholder {quoted(match[0])}{suggestion(match[0], _SHOWN_PLACEHOLDERS)}")
    return value


def _until(value: object, today: date) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _DAY.match(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"must be a date such as 2026-12-31, not {quoted(value)}{date_hint(value, today)}")


_SHOWN_PLACEHOLDERS = tuple(f"{{{name}}}" for name in PLACEHOLDERS)
_CONDITIONS = ("when", "unless")
_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "name": _name,
        "action": _action,
        "score": _score,
        "shadow": read_boolean,
        "code": _code,
        "enhanced": _enhanced,
        "text": _text,
    }
)
RULE_KEYS = ("name", "when", "unless", "action", "score", "shadow", "code", "enhanced", "text", "until")


def _combination_errors(rule: Rule, written: Collection[str], valid: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield path and message of each invalid combination of keys. `written`: all keys of the rule; `valid`: the keys whose value is
    valid."""
    if "name" not in written:
        yield (), "has no name"
    if "action" not in written and "score" not in written:
        yield (), "has neither action nor score"
    if "action" in written and "score" in written:
        yield ("score",), "has no effect beside an action: a rule with an action decides"
    if rule.shadow and "action" not in written:
        yield ("shadow",), "has no effect without an action: a shadow rule logs what its action would be"
    if "action" in valid or "action" not in written:
        yield from _reply_errors(rule, [key for key in ("code", "enhanced", "text") if key in valid])
    if rule.action in REFUSALS:
        yield from _temporary_errors(rule)


def _reply_errors(rule: Rule, keys: Sequence[str]) -> Iterator[tuple[Path, str]]:
    digit = _REPLIES.get(rule.action)
    for key in keys:
        if digit is None:
            subject = f"action {quoted(rule.action)}" if rule.action else "a rule without action"
            yield (key,), f"{subject} has no reply; only reject and tempfail have one"
        elif key != "text" and not str(getattr(rule, key)).startswith(digit):
            yield (
                (key,),
                f"{quoted(getattr(rule, key))} does not fit action {quoted(rule.action)}, whose codes begin with {digit}",
            )


def _temporary_errors(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Yield an error for each condition that makes a permanent refusal depend on a temporary DNS error."""
    for condition in rule.when:
        if not isinstance(condition.values, Words):
            continue
        temporary = {TEMPERROR} if condition.name != "iprev_reason" else TEMPORARY
        named = sorted(temporary & condition.values.words)
        if named:
            words = ", ".join(map(quoted, named))
            yield (
                ("when", condition.name),
                f"{words} is a temporary DNS error, for which {rule.action} is not allowed; use tempfail",
            )
