"""Write the part "What to tell the sender" of `rdns-milter why`: a text that can be copied into a mail to the sender.

The faults and the remedies are those of responses/advice.py. Must never promise that mail will be taken. Text from the log is
escaped for the terminal.
"""

from __future__ import annotations

import re

from ...policy.rules import LET_IN, TEMPFAIL
from ...text.escape import escaped
from .explanation import Explanation, recipients
from .search import Match

MAX = 200  # characters of an address or a name
_UNKNOWN_TIME = "(no date)"
_RECORD = re.compile(r"\. (?:A|AAAA|PTR|TXT) ")
_NO_REMEDY = ("This can be temporary", "Nothing is wrong")


def text_for_sender(each: Explanation) -> list[str]:
    """Return the lines of the text. There are none if the mail was accepted and would also be if all rules were enforced."""
    fields = each.match.fields
    if not each.let_in and not each.would and fields["action"] == "accept":
        return []
    if not each.advice:
        return ["Nothing is wrong with the set-up of the sender's mail server."]
    done = each.outcome.partition(":")[0]
    lines = [f"Your message to {escaped(recipients(fields), MAX)} was {done} on {minute(each.match)}."]
    lines += _cause(fields["action"], escaped(fields.get("client", "")))
    for advice in each.advice:
        lines += (f"- {sentence(escaped(advice.fault, 600))}", f"  {_to_do(sentence(escaped(advice.remedy, 600)))}")
    if any(_RECORD.search(advice.remedy) for advice in each.advice):
        lines.append(
            "(Names followed by A, AAAA, PTR or TXT are entries for the DNS, which that administrator can make.)"
        )
    return [*lines, "Please pass this on to the administrator of that mail server."]


def _cause(action: str, server: str) -> tuple[str, ...]:
    """Return the lines that introduce the faults of this server."""
    if action in LET_IN:
        return (f"But the set-up of the mail server that sent it, {server}, is not in order:",)
    if action == TEMPFAIL:
        return (
            "Nothing is lost: the mail server that sent it tries again by itself. If that goes on for hours:",
            f"This was noticed about that mail server, {server}:",
        )
    return (f"The cause is the set-up of the mail server that sent it, {server}:",)


def _to_do(remedy: str) -> str:
    return remedy if remedy.startswith(_NO_REMEDY) else f"To mend it: {remedy[:1].lower()}{remedy[1:]}"


def minute(match: Match) -> str:
    """Return the minute of a decision."""
    return f"{match.moment:%Y-%m-%d %H:%M}" if match.moment else _UNKNOWN_TIME


def sentence(text: str) -> str:
    """Return the text with a full stop and, unless it begins with a host name, a capital letter."""
    word = text.split(" ", 1)[0]
    first = text[:1] if "." in word else text[:1].upper()
    return f"{first}{text[1:]}{'' if text.endswith('.') else '.'}"
