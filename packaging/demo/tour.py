"""The tour: each client sends its message, and what came of it is shown, and compared with what had to come.

Judges nothing itself: the milter does, Postfix answers, and the mail log tells.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from guests import GUESTS, Guest
from speech import DIM, GREEN, RED, Speech
from stage import Stage

from rdns_milter.logs.decision import parse
from tests.kit.smtp.smtp_client import Dialogue, send

LOG_SECONDS = 15.0
OURS = ("Authentication-Results", "Received-SPF", "X-Rdns-Milter")
ABSENT = {"none": ""}  # how the log calls what is not there, and how that is read back


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of the mail log that is the milter's, and what stands in it."""

    line: str
    values: Mapping[str, str]


def tour(stage: Stage, speech: Speech) -> int:
    """Show all of it; returns how many clients did not get what they had to get."""
    wrong = 0
    for number, guest in enumerate(GUESTS, 1):
        faults = visit(number, guest, stage, speech)
        for fault in faults:
            speech.line("    " + speech.paint(f"NOT AS IT SHOULD BE: {fault}", RED))
        if not faults:
            speech.line("    " + speech.paint("as it should be", GREEN))
        wrong += bool(faults)
    return wrong


def visit(number: int, guest: Guest, stage: Stage, speech: Speech) -> list[str]:
    """One client: its message, Postfix's answers, the lines of the log. Returns what is not as it should be."""
    client = guest.client
    login = f", logged in as {client.login}" if client.login else ""
    speech.title(f"{number:>2}. {guest.title}")
    speech.said("    client:   ", f"{client.address}{login}, greets as {guest.helo}, from {guest.mailfrom}")
    dialogue = send(
        stage.postfix.address, client, helo=guest.helo, mailfrom=guest.mailfrom, rcpts=guest.rcpts,
        headers=_sent(guest),
    )  # fmt: skip
    for who, reply in _answers(guest, dialogue):
        label = "    Postfix:  " if len(guest.rcpts) == 1 or not who else f"    to {who}: "
        speech.said(label, reply)
    verdicts = _verdicts(guest, stage)
    for verdict in verdicts:
        speech.log_line("    mail log: ", verdict.line)
    header = _header(dialogue, stage)
    if guest.header:
        _show_header(guest, header, speech)
    return [*_wrong_replies(guest, dialogue), *_wrong_verdicts(guest, verdicts), *_wrong_header(guest, header)]


def _answers(guest: Guest, dialogue: Dialogue) -> list[tuple[str, str]]:
    """What Postfix said: to each recipient where that decided, and after the end of the message."""
    answers = [
        (rcpt, str(reply))
        for rcpt, reply in zip(guest.rcpts, dialogue.rcpts, strict=False)
        if not reply.ok or len(guest.rcpts) > 1
    ]
    end = dialogue.reply("end")
    return [*answers, *([("", str(end))] if end else [])] or [("", str(dialogue.verdict))]


def _verdicts(guest: Guest, stage: Stage) -> list[Verdict]:
    """The log's lines about this client, once there are as many as there should be."""
    until = time.monotonic() + LOG_SECONDS
    while True:
        # The last line may not be written to its end yet.
        lines = ((line, parse(line)) for line in stage.postfix.log().split("\n")[:-1])
        found = [Verdict(line, read) for line, read in lines if read and read["client"] == guest.client.address]
        if len(found) >= len(guest.verdicts) or time.monotonic() > until:
            return found
        time.sleep(0.02)


def _sent(guest: Guest) -> tuple[tuple[str, str], ...]:
    """The header of the message as it is sent."""
    return (*guest.fields, ("From", guest.mailfrom), ("To", ", ".join(guest.rcpts)), ("Subject", "Hello"))


def _header(dialogue: Dialogue, stage: Stage) -> str:
    """The header of the message as it lies in the queue; "" if it does not."""
    if not dialogue.queue_id:
        return ""
    return "\n".join(f"{name}: {value}" for name, value in stage.postfix.headers(dialogue.queue_id))


def _show_header(guest: Guest, header: str, speech: Speech) -> None:
    """What the milter took out of the header and put in, and the rest, if all is to be shown."""
    speech.line("    header as queued, + added, - removed:")
    for name, value in guest.fields:
        if f"{name}: {value}" not in header:
            speech.line(speech.paint(f"    - {name}: {value}", RED))
    sent = {f"{name}: {value}" for name, value in _sent(guest)}
    added = False
    for line in header.split("\n"):
        if line[:1] not in (" ", "\t"):
            added = line not in sent and line.partition(":")[0] in OURS
        if added or guest.header == "all":
            text = f"    {'+' if added else ' '} {line}".replace("\t", "      ")
            speech.line(speech.paint(text, GREEN if added else DIM))


def _wrong_replies(guest: Guest, dialogue: Dialogue) -> list[str]:
    replies = [str(reply) for reply in dialogue.rcpts] or [str(dialogue.verdict)]
    if len(replies) == 1 and dialogue.reply("end"):
        replies = [str(dialogue.verdict)]
    if len(replies) == len(guest.replies) and all(map(str.startswith, replies, guest.replies)):
        return []
    return [f"the answers should begin with {', '.join(guest.replies)}"]


def _wrong_verdicts(guest: Guest, verdicts: list[Verdict]) -> list[str]:
    if len(verdicts) != len(guest.verdicts):
        return [f"{len(verdicts)} lines in the mail log, not {len(guest.verdicts)}"]
    wrong = []
    for wanted, verdict in zip(guest.verdicts, verdicts, strict=True):
        pairs = (pair.partition("=") for pair in wanted.split())
        missing = [f"{key}={value}" for key, _, value in pairs if verdict.values[key] not in (value, ABSENT.get(value))]
        if missing:
            wrong.append(f"the log should say {' '.join(missing)}")
    return wrong


def _wrong_header(guest: Guest, header: str) -> list[str]:
    flat = " ".join(header.split())
    return [
        *(f"the header still holds {text}" for text in guest.gone if text in flat),
        *(f"the header lacks {text}" for text in guest.stays if text not in flat),
    ]
