"""Print the explanations of `rdns-milter why`, and return them as JSON: the order of the parts, their titles and their words.

Explains nothing itself (explanation.py does). The words for the sender are in text_for_sender.py. Text from the log is escaped for
the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os.path import dirname
from typing import Any

from rich.console import Console
from rich.text import Text

from ...config.load import DEFAULT_PATH
from ...logs.decision_keys import EXEMPT, NULL_PATH
from ...logs.logged_evidence import reply_of, withheld_by_relay
from ...text.escape import escaped
from ...text.terminal import heading, word
from .explanation import OUTCOMES, Explanation, queue_id, recipients
from .text_for_sender import MAX, minute, sentence, text_for_sender


def as_dict(found: Sequence[Explanation], count: int, path: str) -> dict[str, Any]:
    """Return the explanations for programs. `count`: how many decisions match in all; `path`: the config file, "" if there is
    none."""
    return {"matches": count, "config": path or None, "decisions": [_as_dict(each, path) for each in found]}


def _as_dict(each: Explanation, path: str) -> dict[str, Any]:
    fields = each.match.fields
    source = each.rule
    return {
        "time": each.match.moment.isoformat(timespec="minutes") if each.match.moment else None,
        "action": fields["action"],
        "would": each.would or None,
        "outcome": each.outcome,
        "rule": {
            "name": each.rule_name,
            "file": path or None,
            "line": source.line if source else None,
            "comment": list(source.comment) if source else [],
            "note": each.rule_note or None,
        },
        "decision": dict(fields),
        "facts": [{"fact": fact, "value": value, "sentence": sentence} for fact, value, sentence in each.facts],
        "reply": reply_of(fields) or None,
        "advice": [str(advice) for advice in each.advice],
        "let_in": list(each.let_in),
    }


def show(found: Sequence[Explanation], count: int, kind: str, path: str, console: Console) -> None:
    """Print the newest decisions: first one line for each, then the explanation of each."""
    more = f", the newest {len(found)} of them here (--last)" if count > len(found) else ""
    _line(console, f"{count} decision{'' if count == 1 else 's'} on {kind}{more}.")
    if len(found) > 1:
        console.print()
        for number, each in enumerate(found, 1):
            _print(console, _summary(number, each))
    for number, each in enumerate(found, 1):
        _show_one(number, len(found), each, path, console)


def _summary(number: int, each: Explanation) -> Text:
    fields = each.match.fields
    text = Text(f"  {number:>3}  {minute(each.match)}  ").append(word(fields["action"]))
    text.append(
        f"  {_sender(fields['mailfrom']) if 'mailfrom' in fields else '?'} -> {escaped(recipients(fields), MAX)}"
    )
    return text.append(f"  {escaped(fields.get('client', ''))}  {escaped(each.rule_name)}", style="dim")


def _show_one(number: int, total: int, each: Explanation, path: str, console: Console) -> None:
    fields = each.match.fields
    place = f"{number} of {total}: " if total > 1 else ""
    heading(console, f"{place}{minute(each.match)}, {each.outcome}")
    for name, text in (
        ("from", _sender(fields.get("mailfrom", ""))),
        ("to", escaped(recipients(fields), MAX)),
        ("queue id", escaped(queue_id(fields)) or "none (the message was not taken into the queue)"),
        ("client", _client(each)),
    ):
        _print(console, Text(f"  {name:<9} ").append(text))
    if each.would:
        outcomes = ", ".join(OUTCOMES.get(action, action) for action in each.would.split(","))
        _line(console, f"  {_condition(fields)} it would have been {outcomes}.")
    _show_rule(each, path, console)
    if each.facts:
        _head(console, "What was found")
        for fact, value, sentence in each.facts:
            _print(console, Text(f"    {escaped(sentence, 600)} ").append(f"{fact}={escaped(value)}", style="dim"))
    if reply := reply_of(fields):
        _head(console, "What the sender's server was told")
        _line(console, f"    {escaped(reply, 600)}")
    _show_advice(each, console)
    _show_let_in(each, path, console)


def _condition(fields: Mapping[str, str]) -> str:
    """Return the condition under which the action in `would` would have been taken."""
    if withheld_by_relay(fields):
        return f"Without the relay {escaped(fields.get('via', ''))}, which had taken the message already,"
    shadows = fields.get("shadow_rule", "")
    if fields.get("mode") == "observe" and shadows in ("", "none"):
        return "In enforce mode"
    return f"With the shadow rule {escaped(shadows)} in force"


def _show_rule(each: Explanation, path: str, console: Console) -> None:
    _head(console, "Why")
    if each.rule is None:
        _line(console, f"    {sentence(each.rule_note)}" if each.rule_note else f"    Rule {escaped(each.rule_name)}.")
        return
    place = f"The rule {escaped(each.rule_name)}, {escaped(path)} line {each.rule.line}"
    _line(console, f"    {place if path else f'The built-in rule {escaped(each.rule_name)}'}:")
    for line in (*(f"# {comment}" for comment in each.rule.comment), *each.rule.text):
        _print(console, Text(f"      {escaped(line)}", style="dim"))
    if each.rule_note:
        _print(console, Text(f"    {sentence(each.rule_note)}", style="yellow"))


def _show_advice(each: Explanation, console: Console) -> None:
    lines = text_for_sender(each)
    if lines:
        _head(console, "What to tell the sender")
    for line in lines:
        _line(console, f"    {line}")


def _show_let_in(each: Explanation, path: str, console: Console) -> None:
    if not each.let_in:
        return
    where = (
        f"{escaped(path)}, above line {each.rule.line}"
        if each.rule
        else escaped(path) or "the config file, above all rules"
    )
    if each.rule and not path:
        _head(console, "To let such mail in, write the built-in rules, which are in force, to a file first")
        _line(console, f"      mkdir -p {dirname(DEFAULT_PATH)}")
        _line(console, f"      rdns-milter config --sample > {DEFAULT_PATH}")
        _line(console, f"    then put into it, above line {each.rule.line}")
    else:
        _head(console, f"To let such mail in, put into {where}")
    for line in each.let_in:
        _line(console, f"      {escaped(line)}")
    _line(console, "    then: systemctl reload rdns-milter")


def _client(each: Explanation) -> str:
    fields = each.match.fields
    host = fields.get("ptr", "") if fields.get("iprev") == "pass" else "no confirmed name"
    address, greeting = escaped(fields.get("client", "")), escaped(fields.get("helo_name", ""))
    if fields["rule"] == f"{EXEMPT}relay":
        return f"{address}, a relay of our own"
    behind = f", behind our relay {escaped(relay)}" if (relay := fields.get("via", "")) else ""
    return f"{address or '(no IP address)'} ({escaped(host)}), greeted as {greeting or '(nothing)'}{behind}"


def _sender(mailfrom: str) -> str:
    return "<> (the null sender: a bounce)" if mailfrom == NULL_PATH else escaped(mailfrom, MAX)


def _head(console: Console, title: str) -> None:
    console.print()
    _print(console, Text(f"  {title}", style="bold"))


def _line(console: Console, text: str) -> None:
    _print(console, Text(text))


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=True)
