"""The option sections of a config file: from TOML tables to the records of config/options.py, with all that is wrong with them.

Pure. What may be set, and to what, is in the table of options; here is only the reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text.toml import quoted, text
from ..text.toml_positions import Path
from .errors import Mistakes, nearest
from .option_types import Kind
from .options import SECTIONS, options_of

LISTS, RULES = OTHER_SECTIONS = ("lists", "rule")


def read_sections(tables: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """The record of each section by its name: what the file says, else the default. Mistakes are noted, unknown sections too."""
    for name, table in tables.items():
        if name not in SECTIONS and name not in OTHER_SECTIONS:
            mistakes.add((name,), _unknown_section(name, table))
    sections = {name: _section(name, tables.get(name, {}), mistakes) for name in SECTIONS}
    _check_ttls(sections, mistakes)
    return sections


def _unknown_section(name: str, table: object) -> str:
    if isinstance(table, (dict, list)):
        return f"unknown section{nearest(name, [*SECTIONS, *OTHER_SECTIONS])}"
    return f"a key outside of any section{_home(name)}"


def _home(key: str) -> str:
    """Where such a key belongs, if anywhere."""
    homes = [
        f"[{name}]" for name, section in SECTIONS.items() if any(o.key == key for o in options_of(section).values())
    ]
    return f"; it belongs below {' or '.join(homes)}" if homes else ""


def _section(name: str, table: object, mistakes: Mistakes) -> Any:
    section = SECTIONS[name]
    if not isinstance(table, dict):
        mistakes.add((name,), f"is a section and is written [{name}], with its keys below it")
        return section()
    options = {option.key: (attribute, option) for attribute, option in options_of(section).items()}
    found = {}
    for key, value in table.items():
        if key not in options:
            mistakes.add((name, key), f"unknown key{_home(key) or nearest(key, options)}")
            continue
        attribute, option = options[key]
        before = len(mistakes)
        result = _value(option.kind, value, (name, key), mistakes)
        if len(mistakes) == before:
            found[attribute] = result
    return section(**found)


def _value(kind: Kind, value: object, where: Path, mistakes: Mistakes) -> Any:
    if not kind.many:
        return _item(kind, value, where, mistakes)
    if kind.alone and isinstance(value, str):
        return kind.gather([_item(kind, value, where, mistakes)] if value else [])
    if not isinstance(value, list):
        hint = f"; write {text([value])}" if isinstance(value, str) and len(value) < 60 else ""
        mistakes.add(where, f"wants {kind.wants}, not {quoted(value)}{hint}")
        return None
    before = len(mistakes)
    items = [_item(kind, item, (*where, index), mistakes) for index, item in enumerate(value)]
    return kind.gather(items) if len(mistakes) == before else None


def _item(kind: Kind, value: object, where: Path, mistakes: Mistakes) -> Any:
    # By type and not by isinstance: True is no number here.
    if type(value) not in kind.types:
        mistakes.add(where, f"wants {kind.wants}, not {quoted(value)}")
        return None
    try:
        return kind.read(value)
    except ValueError as error:
        mistakes.add(where, str(error))
        return None


def _check_ttls(sections: Mapping[str, Any], mistakes: Mistakes) -> None:
    dns = sections["dns"]
    if dns.cache_min_ttl > dns.cache_max_ttl:
        mistakes.add(("dns", "cache_min_ttl"), f"{dns.cache_min_ttl} is above cache_max_ttl, {dns.cache_max_ttl}")
