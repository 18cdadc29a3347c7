"""Let each client send its message, show the result, and compare it with the expected one.

Judges nothing itself: the result is what Postfix answers and what the mail log holds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from environment import Environment
from output import DIM, GREEN, RED, Output
from scenarios import SCENARIOS, Scenario

from rdns_milter.logs.decision_line import parse
from tests.kit.smtp.smtp_client import Dialogue, send

LOG_SECONDS = 15.0
OURS = ("Authentication-Results", "Received-SPF", "X-Rdns-Milter")
ABSENT = {"none": ""}  # what an absent value is in the log, and after parsing


@dataclass(frozen=True, slots=True)
class Verdict:
    """A line of the milter in the mail log, and its values."""

    line: str
    values: Mapping[str, str]


def run_scenarios(environment: Environment, output: Output) -> int:
    """Run all scenarios. Return the number of clients that did not get the expected result."""
    wrong = 0
    for number, scenario in enumerate(SCENARIOS, 1):
        faults = run_scenario(number, scenario, environment, output)
        for fault in faults:
            output.line("    " + output.paint(f"NOT AS EXPECTED: {fault}", RED))
        if not faults:
            output.line("    " + output.paint("as expected", GREEN))
        wrong += bool(faults)
    return wrong


def run_scenario(number: int, scenario: Scenario, environment: Environment, output: Output) -> list[str]:
    """Run one scenario and show it. Return the differences from the expected result."""
    client = scenario.client
    login = f", logged in as {client.login}" if client.login else ""
    output.title(f"{number:>2}. {scenario.title}")
    output.labelled("    client:   ", f"{client.address}{login}, HELO {scenario.helo}, sender {scenario.mailfrom}")
    dialogue = send(
        environment.postfix.address, client, helo=scenario.helo, mailfrom=scenario.mailfrom, rcpts=scenario.rcpts,
        headers=_sent(scenario),
    )  # fmt: skip
    for who, reply in _answers(scenario, dialogue):
        label = "    Postfix:  " if len(scenario.rcpts) == 1 or not who else f"    to {who}: "
        output.labelled(label, reply)
    verdicts = _verdicts(scenario, environment)
    for verdict in verdicts:
        output.log_line("    mail log: ", verdict.line)
    header = _header(dialogue, environment)
    if scenario.header:
        _show_header(scenario, header, output)
    return [*_wrong_replies(scenario, dialogue), *_wrong_verdicts(scenario, verdicts), *_wrong_header(scenario, header)]


def _answers(scenario: Scenario, dialogue: Dialogue) -> list[tuple[str, str]]:
    """Return Postfix's answers: to each recipient, if that was refused or there are several, and to the end of the message."""
    answers = [
        (rcpt, str(reply))
        for rcpt, reply in zip(scenario.rcpts, dialogue.rcpts, strict=False)
        if not reply.ok or len(scenario.rcpts) > 1
    ]
    end = dialogue.reply("end")
    return [*answers, *([("", str(end))] if end else [])] or [("", str(dialogue.verdict))]


def _verdicts(scenario: Scenario, environment: Environment) -> list[Verdict]:
    """Return the log lines about this client, as soon as all expected lines are there."""
    until = time.monotonic() + LOG_SECONDS
    while True:
        # The last line may be incomplete.
        lines = ((line, parse(line)) for line in environment.postfix.log().split("\n")[:-1])
        found = [Verdict(line, read) for line, read in lines if read and read["client"] == scenario.client.address]
        if len(found) >= len(scenario.verdicts) or time.monotonic() > until:
            return found
        time.sleep(0.02)


def _sent(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """Return the header of the message as it is sent."""
    return (*scenario.fields, ("From", scenario.mailfrom), ("To", ", ".join(scenario.rcpts)), ("Subject", "Hello"))


def _header(dialogue: Dialogue, environment: Environment) -> str:
    """Return the header of the message in the queue; "" if the message is not there."""
    if not dialogue.queue_id:
        return ""
    return "\n".join(f"{name}: {value}" for name, value in environment.postfix.headers(dialogue.queue_id))


def _show_header(scenario: Scenario, header: str, output: Output) -> None:
    """Show the fields that the milter removed and added, and the other fields if the scenario wants all."""
    output.line("    header as queued, + added, - removed:")
    for name, value in scenario.fields:
        if f"{name}: {value}" not in header:
            output.line(output.paint(f"    - {name}: {value}", RED))
    sent = {f"{name}: {value}" for name, value in _sent(scenario)}
    added = False
    for line in header.split("\n"):
        if line[:1] not in (" ", "\t"):
            added = line not in sent and line.partition(":")[0] in OURS
        if added or scenario.header == "all":
            text = f"    {'+' if added else ' '} {line}".replace("\t", "      ")
            output.line(output.paint(text, GREEN if added else DIM))


def _wrong_replies(scenario: Scenario, dialogue: Dialogue) -> list[str]:
    replies = [str(reply) for reply in dialogue.rcpts] or [str(dialogue.verdict)]
    if len(replies) == 1 and dialogue.reply("end"):
        replies = [str(dialogue.verdict)]
    if len(replies) == len(scenario.replies) and all(map(str.startswith, replies, scenario.replies)):
        return []
    return [f"the answers should begin with {', '.join(scenario.replies)}"]


def _wrong_verdicts(scenario: Scenario, verdicts: list[Verdict]) -> list[str]:
    if len(verdicts) != len(scenario.verdicts):
        return [f"{len(verdicts)} lines in the mail log, not {len(scenario.verdicts)}"]
    wrong = []
    for wanted, verdict in zip(scenario.verdicts, verdicts, strict=True):
        pairs = (pair.partition("=") for pair in wanted.split())
        missing = [f"{key}={value}" for key, _, value in pairs if verdict.values[key] not in (value, ABSENT.get(value))]
        if missing:
            wrong.append(f"the log should say {' '.join(missing)}")
    return wrong


def _wrong_header(scenario: Scenario, header: str) -> list[str]:
    flat = " ".join(header.split())
    return [
        *(f"the header still has {text}" for text in scenario.gone if text in flat),
        *(f"the header lacks {text}" for text in scenario.stays if text not in flat),
    ]
