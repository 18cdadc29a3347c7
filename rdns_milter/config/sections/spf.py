"""The section [spf]: limits on the evaluation of SPF.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..option_types import option, whole_number


@dataclass(frozen=True, slots=True)
class SpfLimits:
    """[spf]"""

    doc: ClassVar[str] = (
        "Limits on the evaluation of SPF (RFC 7208 section 4.6.4). If a record exceeds one of them, the result is permerror."
    )

    lookup_limit: int = option(
        "lookup_limit",
        whole_number(1, 40),
        10,
        "The maximum number of terms that cause DNS queries: include, a, mx, ptr, exists and redirect.",
    )
    void_limit: int = option(
        "void_limit", whole_number(0, 40), 2, "The maximum number of void lookups: queries that find no record."
    )
