"""Write the effective values of a configuration as TOML, for `config --show`.

Must never write a value that does not read back as the same.

TOML 1.0.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..text.toml import key, text
from .load import BUILT_IN, Config, parse
from .options import SECTIONS, options_of
from .sample import sample
from .sections.dns_lists import DNS_LISTS


def show(config: Config, only_changed: bool = False) -> str:
    """Return the effective values as TOML, which parses to an equal configuration. `only_changed`: leave out options that have
    their default, and rules that are identical to a default rule."""
    note = ": what is changed" if only_changed else ""
    parts = [f"# {text(config.path) if config.path else 'the built-in defaults'}, policy {config.policy.digest}{note}"]
    for name, section in SECTIONS.items():
        record, default = getattr(config, name), section()
        lines = [
            f"{option.key} = {option.toml(getattr(record, item))}"
            for item, option in options_of(section).items()
            if not only_changed or getattr(record, item) != getattr(default, item)
        ]
        if lines:
            parts.append("\n".join((f"[{name}]", *lines)))
    if config.lists:
        parts.append("\n".join(("[lists]", *(f"{key(item.name)} = {text(item.path)}" for item in config.lists))))
    if config.dns_lists:
        parts.append("\n".join((f"[{DNS_LISTS}]", *(f"{key(name)} = {text(zone)}" for name, zone in config.dns_lists))))
    return "\n\n".join((*parts, *(_changed_rules(config) if only_changed else config.rules))) + "\n"


def _changed_rules(config: Config) -> Iterator[str]:
    default = parse(sample(), BUILT_IN)
    kept = [rule for rule in config.rules if rule in default.rules]
    if kept != list(default.rules):
        names = {rule.name for rule in config.policy.rules}
        missing = [rule.name for rule in default.policy.rules if rule.name not in names]
        if missing:
            yield f"# default rules that are not there: {', '.join(missing)}"
        if kept != [rule for rule in default.rules if rule in kept]:
            yield "# the default rules stand in another order"
    yield from (rule for rule in config.rules if rule not in default.rules)
