"""Load the configuration from its file, and write its effective values as TOML.

All errors in a file are reported at once, with their lines. A file with an error, and an empty file, gives no configuration at all,
so that at a reload the old one stays in force.

TOML 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..policy.digest import digest
from ..policy.rules import Policy, asked_by
from ..text.toml import key, quoted, text
from ..text.toml_positions import Positions
from .errors import ConfigError as ConfigError
from .errors import Error as Error
from .errors import ErrorCollector
from .hints.date_hints import date_hint
from .list_files import ListFile, Lists
from .option_reader import LISTS, RULES, read_sections
from .options import SECTIONS, options_of
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
from .textfile import UnreadableError, read_text

DEFAULT_PATH = "/etc/rdns-milter/rdns-milter.toml"
BUILT_IN = ""  # the path of the built-in configuration
MAX_BYTES = 1_000_000
_WARN_DAYS = 7  # before the last day of a rule

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_UNTIL = re.compile(r"\s*until\s*=\s*([^\"'#]*?)\s*(?:#.*)?\Z")
# Common mistakes in TOML: the start of the parser's message, the text at the position that it names, and a hint.
_HINTS = (
    ("Invalid value", re.compile(r"[A-Za-z@/.]"), "write strings in quotes"),
    ("Expected newline", re.compile(r"(?<=[= ]0)[0-7]+"), "write octal numbers with 0o, as in 0o660"),
    ("Expected newline", re.compile(r"[0-9A-Za-z.:/]"), "write strings in quotes, addresses too"),
    ("Invalid initial character", re.compile(r"\s*(?:#.*)?\Z"), "write a table in braces on one line"),
    ("Unclosed inline table", re.compile(r"\s*(?:#.*)?\Z"), "write a table in braces on one line"),
)


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
    """Return the configuration in a file. None: that in DEFAULT_PATH or, if this file does not exist, the built-in configuration,
    which is the sample. Raises ConfigError, also for a file without any option, list or rule."""
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


def show(config: Config, only_changed: bool = False) -> str:
    """Return the effective values as TOML, which parses to an equal configuration. `only_changed`: those that differ from the
    defaults, the lists, and the rules that are not among the default rules in the same words."""
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


def warnings(config: Config, today: date) -> tuple[str, ...]:
    """Return warnings about a valid configuration: rules that end within a week or have ended, and that there is no rule."""
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
        raise ConfigError([_syntax_error(document, path, str(error), today)]) from None


def _syntax_error(document: str, path: str, message: str, today: date) -> Error:
    """Return the error for a message of the parser, with the line that it is about and a hint."""
    place = _PLACE.search(message)
    if place is None:
        return Error(path, 0, "", f"not valid TOML: {message}")
    problem, lines = message[: place.start()], document.split("\n")
    if place[1] is None:
        return Error(
            path, len(document.rstrip("\n").split("\n")), "", f"not valid TOML: {problem}, and the file ends here"
        )
    line, column = int(place[1]), int(place[2])
    written = lines[line - 1] if line <= len(lines) else ""
    hints = (hint for start, found, hint in _HINTS if problem.startswith(start) and found.match(written, column - 1))
    hint = f" ({hint})" if "=" in written[:column] and (hint := next(hints, "")) else ""
    if (until := _UNTIL.match(written)) and "date" not in problem.lower().partition("expected")[0]:
        hint = date_hint(until[1], today)
    return Error(path, line, "", f"not valid TOML: {problem} at column {column}{hint}: {quoted(written.strip())}")


def _rule_text(table: Mapping[str, Any]) -> str:
    """Return a rule as TOML: keys in the order of the manual page, values as written in the file."""
    width = max((len(name) for name in table), default=0)
    return "\n".join(("[[rule]]", *(f"{name:<{width}} = {text(table[name])}" for name in RULE_KEYS if name in table)))
