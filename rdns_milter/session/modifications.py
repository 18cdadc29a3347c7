"""What is done to a message at its end: which fields go, which come, and whether it is held.

Pure: puts together what responses/headers.py says, changes nothing itself.

RFC 8601 4.1 and 5 (where results are added, and whose are removed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..checks.evidence import Evidence
from ..config.sections.mail import Headers
from ..policy.rules import QUARANTINE, REJECT, TAG, Verdict
from ..responses import headers
from ..responses.replies import Reply, compose


@dataclass(frozen=True, slots=True)
class Ending:
    """`removals`: name and number (from 1) of each field to remove, in that order. `fields`: to insert at the top, the last one
    topmost. `quarantine`: why to hold the message, or "". `reply`: the refusal of the whole message, or None."""

    removals: tuple[tuple[str, int], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    quarantine: str = ""
    reply: Reply | None = None


def ending(
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    removals: tuple[tuple[str, int], ...],
    authserv_id: str,
    options: Headers,
) -> Ending:
    """The ending of a message with these verdicts on its recipients, from which these fields are removed. One recipient's tag,
    quarantine or refusal is everyone's: there is but one message."""
    refused = next((verdict for verdict in verdicts if verdict.action == REJECT), None)
    if refused is not None:
        return Ending(reply=compose(refused, evidence))
    if evidence.exempt:
        return Ending(removals)
    fields = []
    tagged = next((verdict for verdict in verdicts if verdict.action == TAG), None)
    if tagged is not None and options.tag:
        fields.append((options.tag, headers.tag(tagged, evidence)))
    if options.received_spf and (spf := headers.received_spf(evidence, authserv_id)):
        fields.append((headers.RECEIVED_SPF, spf))
    if options.authentication_results:
        fields.append((headers.AUTHENTICATION_RESULTS, headers.authentication_results(authserv_id, evidence)))
    held = next((verdict for verdict in verdicts if verdict.action == QUARANTINE), None)
    return Ending(removals, tuple(fields), f"rdns-milter: rule {held.rule}" if held else "")
