"""What the MTA is asked to do with a message at its end: header fields to remove and to add, quarantine, or a refusal.

Pure: combines verdicts with the texts of responses/headers.py and changes nothing itself.

RFC 8601 4.1 and 5 (where results are added, and whose are removed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..checks.evidence import Evidence
from ..config.sections.headers import Headers
from ..policy.rules import QUARANTINE, REJECT, TAG, Verdict
from ..responses import headers
from ..responses.replies import Reply, compose


@dataclass(frozen=True, slots=True)
class Modifications:
    """`removals`: name and number (from 1) of each field to remove, in that order. `fields`: to insert at the top, the last one
    topmost. `quarantine`: the reason to hold the message, or "". `reply`: the refusal of the whole message, or None."""

    removals: tuple[tuple[str, int], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    quarantine: str = ""
    reply: Reply | None = None


def modifications(
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    removals: tuple[tuple[str, int], ...],
    authserv_id: str,
    options: Headers,
) -> Modifications:
    """Return the modifications of a message whose recipients have these verdicts. A tag, a quarantine or a refusal for one
    recipient holds for all, because they share the message."""
    refused = next((verdict for verdict in verdicts if verdict.action == REJECT), None)
    if refused is not None:
        return Modifications(reply=compose(refused, evidence))
    held = next((verdict for verdict in verdicts if verdict.action == QUARANTINE), None)
    quarantine = f"rdns-milter: rule {held.rule}" if held else ""
    if evidence.exempt:
        return Modifications(removals, (), quarantine)
    fields = []
    tagged = next((verdict for verdict in verdicts if verdict.action == TAG), None)
    if tagged is not None and options.tag:
        fields.append((options.tag, headers.tag(tagged, evidence)))
    if options.received_spf and (spf := headers.received_spf(evidence, authserv_id)):
        fields.append((headers.RECEIVED_SPF, spf))
    if options.authentication_results:
        fields.append((headers.AUTHENTICATION_RESULTS, headers.authentication_results(authserv_id, evidence)))
    return Modifications(removals, tuple(fields), quarantine)
