"""Read the option sections of a configuration file: TOML tables become the records of config/options.py.

Pure. Contains no option: which ones exist, and their valid values, is in the table of config/options.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text.toml import quoted, text
from ..text.toml_positions import Path
from .errors import ErrorCollector
from .hints.did_you_mean import suggestion
from .option_types import OptionType
from .options import SECTIONS, options_of
from .sections.dns_lists import DNS_LISTS

LISTS, RULES = "lists", "rule"
OTHER_SECTIONS = (LISTS, RULES, DNS_LISTS)


def read_sections(tables: Mapping[str, Any], errors: ErrorCollector) -> dict[str, Any]:
    """Return the record of each section by the section's name. Options that the file does not set have their defaults. Adds errors
    to `errors`, also for unknown sections."""
    for name, table in tables.items():
        if name not in SECTIONS and name not in OTHER_SECTIONS:
            errors.add((name,), _unknown_section(name, table))
    sections = {name: _section(name, tables.get(name, {}), errors) for name in SECTIONS}
    _check_ttls(sections, errors)
    return sections


def _unknown_section(name: str, table: object) -> str:
    if isinstance(table, (dict, list)):
        return f"unknown section{suggestion(name, [*SECTIONS, *OTHER_SECTIONS])}"
    return f"a key outside any section{_right_section(name)}"


def _right_section(key: str) -> str:
    """Return the end of a message about a key that only other sections have; "" if no section has it."""
    sections = [
        f"[{name}]" for name, section in SECTIONS.items() if any(o.key == key for o in options_of(section).values())
    ]
    return f"; it belongs in {' or '.join(sections)}" if sections else ""


def _section(name: str, table: object, errors: ErrorCollector) -> Any:
    section = SECTIONS[name]
    if not isinstance(table, dict):
        errors.add((name,), f"is a section: write [{name}] and put its keys below")
        return section()
    options = {option.key: (attribute, option) for attribute, option in options_of(section).items()}
    found = {}
    for key, value in table.items():
        if key not in options:
            errors.add((name, key), f"unknown key{_right_section(key) or suggestion(key, options)}")
            continue
        attribute, option = options[key]
        before = len(errors)
        result = _value(option.type, value, (name, key), errors)
        if len(errors) == before:
            found[attribute] = result
    return section(**found)


def _value(option_type: OptionType, value: object, path: Path, errors: ErrorCollector) -> Any:
    if not option_type.is_list:
        return _item(option_type, value, path, errors)
    if option_type.allows_string and isinstance(value, str):
        return option_type.combine([_item(option_type, value, path, errors)] if value else [])
    if not isinstance(value, list):
        hint = f"; write {text([value])}" if isinstance(value, str) and len(value) < 60 else ""
        errors.add(path, f"must be {option_type.expected}, not {quoted(value)}{hint}")
        return None
    before = len(errors)
    items = [_item(option_type, item, (*path, index), errors) for index, item in enumerate(value)]
    return option_type.combine(items) if len(errors) == before else None


def _item(option_type: OptionType, value: object, path: Path, errors: ErrorCollector) -> Any:
    # Not isinstance: True must not pass for a number.
    if type(value) not in option_type.toml_types:
        errors.add(path, f"must be {option_type.expected}, not {quoted(value)}")
        return None
    try:
        return option_type.read(value)
    except ValueError as error:
        errors.add(path, str(error))
        return None


def _check_ttls(sections: Mapping[str, Any], errors: ErrorCollector) -> None:
    dns = sections["dns"]
    if dns.cache_min_ttl > dns.cache_max_ttl:
        errors.add(("dns", "cache_min_ttl"), f"{dns.cache_min_ttl} is above cache_max_ttl, {dns.cache_max_ttl}")
