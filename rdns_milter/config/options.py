"""All options: their sections in one table, with the names, types, defaults and descriptions of the options.

The reader, the sample file, `config --show` and the manual page are made from this table. No I/O: nothing here tests whether a
file, a user or a host exists. Sections, keys, their order and the defaults are part of the public interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from .option_types import Option
from .sections.dns import Dns
from .sections.exempt import Exempt
from .sections.generic import GenericNames
from .sections.headers import Headers
from .sections.log import Log
from .sections.metrics import Metrics
from .sections.milter import Milter
from .sections.relays import Relays
from .sections.spf import SpfLimits

# The sections in the order of the file.
SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "milter": Milter,
        "dns": Dns,
        "exempt": Exempt,
        "relays": Relays,
        "spf": SpfLimits,
        "generic": GenericNames,
        "headers": Headers,
        "log": Log,
        "metrics": Metrics,
    }
)


def options_of(section: type[Any]) -> Mapping[str, Option]:
    """Return the options of a section in their order, by the name of the attribute that holds the value."""
    return {item.name: item.metadata["option"] for item in fields(section)}
