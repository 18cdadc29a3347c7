"""The section [log]: where decisions are logged, in which form, and which of them.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..option_types import one_of, option


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
        one_of("all", "not-accepted", "refused"),
        "all",
        'Which decisions are logged: "all" (needed for `rdns-milter replay`), "not-accepted" (all actions but accept) or "refused"'
        " (reject, quarantine and tempfail).",
    )
