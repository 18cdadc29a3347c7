"""What is done to a message at its end: which fields go, which come, and whether it is held.

Pure: puts together what headers.py says, changes nothing itself.

RFC 8601 4.1 and 5 (where results are added, and whose are removed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import headers
from .evidence import Evidence
from .options import Headers
from .policy import QUARANTINE, TAG, Verdict

# Whose word we take: what a host of ours says of a message stays in it.
_TRUSTED = frozenset(("network", "not-ip"))


@dataclass(frozen=True, slots=True)
class Ending:
    """`removals`: numbers of Authentication-Results fields to remove, from 1, descending. `fields`: to insert at the top, the
    last one topmost. `quarantine`: why to hold the message, or ""."""

    removals: tuple[int, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    quarantine: str = ""


def ending(
    evidence: Evidence, verdicts: Sequence[Verdict], forged: Sequence[int], authserv_id: str, options: Headers
) -> Ending:
    """The ending of a message with these verdicts on its recipients, in which the fields of these numbers are forged. One
    recipient's tag or quarantine is everyone's: there is but one message."""
    if evidence.exempt in _TRUSTED:
        return Ending()
    removals = tuple(sorted(forged, reverse=True))
    if evidence.exempt:
        return Ending(removals)
    fields = []
    tagged = next((verdict for verdict in verdicts if verdict.action == TAG), None)
    if tagged is not None and options.tag:
        fields.append((options.tag, headers.tag(tagged, evidence)))
    if options.received_spf and (spf := headers.received_spf(evidence, authserv_id)):
        fields.append(("Received-SPF", spf))
    if options.authentication_results:
        fields.append(("Authentication-Results", headers.authentication_results(authserv_id, evidence)))
    held = next((verdict for verdict in verdicts if verdict.action == QUARANTINE), None)
    return Ending(removals, tuple(fields), f"rdns-milter: rule {held.rule}" if held else "")
