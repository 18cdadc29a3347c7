"""Load the configuration from its file.

All errors in a file are reported at once, with their lines. A file that has an error or is empty gives no configuration at all, so
that at a reload the old one stays in force.

TOML 1.0.0.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..policy.digest import digest
from ..policy.rules import Policy, asked_by
from ..text.input_file import UnreadableError, read_text
from ..text.toml import quoted, text
from ..text.toml_positions import Positions
from .errors import ConfigError as ConfigError
from .errors import Error as Error
from .errors import ErrorCollector
from .hints.toml_hints import syntax_error
from .list_files import ListFile, Lists
from .option_reader import LISTS, RULES, read_sections
from .patterns.timing import check_patterns
from .rule_reader import RULE_KEYS, read_rules
from .sample import sample
from .sections.dns import Dns
from .sections.dns_lists import DNS_LISTS, read_dns_lists
from .sections.exempt import Exempt
from .sections.generic import GenericNames
from .sections.headers import Headers
from .sections.log import Log
from .sections.metrics import Metrics
from .sections.milter import Milter
from .sections.relays import Relays
from .sections.spf import SpfLimits

DEFAULT_PATH = "/etc/rdns-milter/rdns-milter.toml"
BUILT_IN = ""  # the path of the built-in configuration
MAX_BYTES = 1_000_000
_WARN_DAYS = 7  # before the last day of a rule


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration. `path`: its file, "" for the built-in one; `lists`: the list files; `unused_lists`: those that no rule
    uses; `dns_lists`: name and zone of each DNS list; `rules`: the rules as TOML, with the values as written in the file; `policy`:
    the rules and the mode by which messages are judged."""

    path: str = BUILT_IN
    milter: Milter = field(default_factory=Milter)
    dns: Dns = field(default_factory=Dns)
    exempt: Exempt = field(default_factory=Exempt)
    relays: Relays = field(default_factory=Relays)
    spf: SpfLimits = field(default_factory=SpfLimits)
    generic: GenericNames = field(default_factory=GenericNames)
    headers: Headers = field(default_factory=Headers)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    lists: tuple[ListFile, ...] = ()
    unused_lists: tuple[str, ...] = ()
    dns_lists: tuple[tuple[str, str], ...] = ()
    rules: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)


def load(path: str | None = None) -> Config:
    """Return the configuration in the file `path`. Without `path` the file is DEFAULT_PATH; if that does not exist, return the
    built-in configuration, which is the sample. Raises ConfigError, also for a file without any option, list or rule."""
    file = path or DEFAULT_PATH
    try:
        document = read_text(file, MAX_BYTES)
    except UnreadableError as error:
        if path is None and error.missing:
            return parse(sample(), BUILT_IN)
        raise ConfigError([Error(file, error.line, "", str(error))]) from None
    today = date.today()
    if not any(_tables(document, file, today).values()):
        raise ConfigError([Error(file, 0, "", "is empty: it sets no option and has no rule")])
    return parse(document, file, today)


def parse(document: str, path: str, today: date | None = None) -> Config:
    """Return the configuration in a TOML document, which may be empty. Reads the lists that it names. `path`: the document's file,
    for messages and for relative paths of lists; `today`: for messages about dates, by default by this host's clock. Raises
    ConfigError."""
    today = today or date.today()
    tables = _tables(document, path, today)
    errors = ErrorCollector(path, Positions(document))
    sections = read_sections(tables, errors)
    check_patterns(sections["generic"].patterns, ("generic", "patterns"), errors)
    lists = Lists(tables.get(LISTS, {}), errors)
    dns_lists = read_dns_lists(tables.get(DNS_LISTS, {}), errors)
    rules = read_rules(tables.get(RULES, []), lists, errors, today, dns_lists)
    errors.raise_if_any()
    return Config(
        path=path,
        **sections,
        lists=lists.files,
        unused_lists=lists.unused,
        dns_lists=tuple(dns_lists.items()),
        rules=tuple(map(_rule_text, tables.get(RULES, []))),
        policy=Policy(rules, sections["milter"].mode, digest(rules), *asked_by(rules)),
    )


def warnings(config: Config, today: date) -> tuple[str, ...]:
    """Return warnings about a valid configuration: a rule ends within a week or has ended, or there is no rule."""
    found = [] if config.policy.rules else ["there is no rule: every message is accepted"]
    for rule in config.policy.rules:
        if rule.until is None or (rule.until - today).days > _WARN_DAYS:
            continue
        days = (rule.until - today).days
        when = "today" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
        ending = f"ended on {rule.until} and is no longer in force" if days < 0 else f"ends {when}, on {rule.until}"
        found.append(f"rule {quoted(rule.name)} {ending}")
    return tuple(found)


def _tables(document: str, path: str, today: date) -> dict[str, Any]:
    try:
        document.encode()
        return tomllib.loads(document)
    except UnicodeEncodeError as error:
        raise ConfigError([Error(path, document.count("\n", 0, error.start) + 1, "", "is not Unicode text")]) from None
    except RecursionError:
        raise ConfigError([Error(path, 0, "", "lists or tables are nested too deeply")]) from None
    except ValueError as error:
        raise ConfigError([syntax_error(document, path, str(error), today)]) from None


def _rule_text(table: Mapping[str, Any]) -> str:
    """Return a rule as TOML: keys in the order of the manual page, values as written in the file."""
    width = max((len(name) for name in table), default=0)
    return "\n".join(("[[rule]]", *(f"{name:<{width}} = {text(table[name])}" for name in RULE_KEYS if name in table)))
