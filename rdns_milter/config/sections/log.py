"""The section [log]: where decisions are logged, in which form, and which of them.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from ...policy.rules import REFUSALS, TAG, TEMPFAIL
from ..option_types import one_of, option

# The actions, done or only logged, that each value of `decisions` lets through; None: all.
LOGGED: Mapping[str, frozenset[str] | None] = MappingProxyType(
    {"all": None, "not-accepted": frozenset((TAG, TEMPFAIL, *REFUSALS)), "refused": frozenset((TEMPFAIL, *REFUSALS))}
)


@dataclass(frozen=True, slots=True)
class Log:
    """[log]"""

    doc: ClassVar[str] = "The log: one line for each decision, with all facts that it is based on."

    target: str = option(
        "target",
        one_of("auto", "syslog", "stderr"),
        "auto",
        '"syslog" (facility mail), "stderr", or "auto": standard error if it is a terminal or if there is no syslog, else syslog.',
    )
    format: str = option("format", one_of("logfmt", "json"), "logfmt", '"logfmt" (key=value) or "json".')
    decisions: str = option(
        "decisions",
        one_of(*LOGGED),
        "all",
        'Which decisions are logged: "all" (needed for `rdns-milter replay`), "not-accepted" (all actions but accept) or "refused"'
        " (reject, quarantine and tempfail).",
    )
