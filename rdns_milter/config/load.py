"""What is set: reads the file, and reports all that is wrong with it at once, with lines.

A file with any mistake gives no configuration at all, so that on a reload the old one can stay in force.

TOML 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from ..policy.digest import digest
from ..policy.rules import Policy
from ..text.toml import key, quoted, text
from ..text.toml_positions import Positions
from .errors import ConfigError as ConfigError
from .errors import Error as Error
from .errors import Mistakes
from .list_files import ListFile, Lists
from .option_reader import LISTS, RULES, read_sections
from .options import SECTIONS, Dns, Exempt, GenericNames, Headers, Log, Metrics, Milter, SpfLimits, options_of
from .patterns.timing import check_patterns
from .rule_reader import RULE_KEYS, read_rules
from .sample import sample
from .textfile import UnreadableError, read_text

DEFAULT_PATH = "/etc/rdns-milter/rdns-milter.toml"
BUILT_IN = ""  # the path of the configuration that is in no file
MAX_OCTETS = 1_000_000
_WARN_DAYS = 7  # before a rule ends

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
# What admins write that TOML does not know: how the parser's message begins, what stands at its place, and what to write.
_HINTS = (
    ("Invalid value", re.compile(r"[A-Za-z@/.]"), "a text is written in quotes"),
    ("Expected newline", re.compile(r"(?<=[= ]0)[0-7]+"), "an octal number is written with 0o, as in 0o660"),
    ("Expected newline", re.compile(r"[0-9A-Za-z.:/]"), "a text, an address too, is written in quotes"),
    ("Invalid initial character", re.compile(r"\s*(?:#.*)?\Z"), "a table in braces stands on one line"),
    ("Unclosed inline table", re.compile(r"\s*(?:#.*)?\Z"), "a table in braces stands on one line"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration in force. `path`: the file it is from, "" for the built-in one. `lists`: the list files. `rules`: the
    rules as TOML, in the words of the file; `policy`: the same rules, and the mode, as messages are judged by."""

    path: str = BUILT_IN
    milter: Milter = field(default_factory=Milter)
    dns: Dns = field(default_factory=Dns)
    exempt: Exempt = field(default_factory=Exempt)
    spf: SpfLimits = field(default_factory=SpfLimits)
    generic: GenericNames = field(default_factory=GenericNames)
    headers: Headers = field(default_factory=Headers)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    lists: tuple[ListFile, ...] = ()
    rules: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)

    @property
    def sets_nothing(self) -> bool:
        """Whether it is what an empty file gives."""
        return replace(self, path=BUILT_IN, policy=Policy()) == Config() and not self.policy.rules


def load(path: str | None = None) -> Config:
    """The configuration in a file; for None the one in DEFAULT_PATH or, where there is no such file, the built-in one, which
    is the sample. Raises ConfigError."""
    try:
        return parse(read_text(path or DEFAULT_PATH, MAX_OCTETS), path or DEFAULT_PATH)
    except UnreadableError as error:
        if path is None and error.missing:
            return parse(sample(), BUILT_IN)
        raise ConfigError([Error(path or DEFAULT_PATH, error.line, "", str(error))]) from None


def parse(document: str, path: str) -> Config:
    """The configuration in a TOML document; `path` is the file that it is from, for messages and for lists beside it. Reads
    the lists that it names. Raises ConfigError."""
    tables = _tables(document, path)
    mistakes = Mistakes(path, Positions(document))
    sections = read_sections(tables, mistakes)
    check_patterns(sections["generic"].patterns, ("generic", "patterns"), mistakes)
    lists = Lists(tables.get(LISTS, {}), mistakes)
    rules = read_rules(tables.get(RULES, []), lists, mistakes)
    mistakes.check()
    return Config(
        path=path,
        **sections,
        lists=lists.files,
        rules=tuple(map(_rule_text, tables.get(RULES, []))),
        policy=Policy(rules, sections["milter"].mode, digest(rules)),
    )


def show(config: Config) -> str:
    """The effective values as TOML; parsed, it gives an equal configuration."""
    parts = [f"# {text(config.path) if config.path else 'the built-in defaults'}, policy {config.policy.digest}"]
    for name, section in SECTIONS.items():
        record = getattr(config, name)
        lines = [f"{option.key} = {option.toml(getattr(record, item))}" for item, option in options_of(section).items()]
        parts.append("\n".join((f"[{name}]", *lines)))
    if config.lists:
        parts.append("\n".join(("[lists]", *(f"{key(item.name)} = {text(item.path)}" for item in config.lists))))
    return "\n\n".join((*parts, *config.rules)) + "\n"


def warnings(config: Config, today: date) -> tuple[str, ...]:
    """What is no mistake, but should be said: rules that end within a week or have ended, and that there is no rule."""
    found = [] if config.policy.rules else ["there is no rule: every message is accepted"]
    for rule in config.policy.rules:
        if rule.until is None or (rule.until - today).days > _WARN_DAYS:
            continue
        left = (rule.until - today).days
        when = "today" if left == 0 else f"in {left} day{'s' if left > 1 else ''}"
        how = f"ended on {rule.until} and is no longer in force" if left < 0 else f"ends {when}, on {rule.until}"
        found.append(f"rule {quoted(rule.name)} {how}")
    return tuple(found)


def _tables(document: str, path: str) -> dict[str, Any]:
    try:
        document.encode()
        return tomllib.loads(document)
    except UnicodeEncodeError as error:
        raise ConfigError([Error(path, document.count("\n", 0, error.start) + 1, "", "is not Unicode text")]) from None
    except RecursionError:
        raise ConfigError([Error(path, 0, "", "lists or tables are nested too deeply")]) from None
    except ValueError as error:
        raise ConfigError([_syntax_error(document, path, str(error))]) from None


def _syntax_error(document: str, path: str, message: str) -> Error:
    place = _PLACE.search(message)
    if place is None:
        return Error(path, 0, "", f"no valid TOML: {message}")
    what, lines = message[: place.start()], document.split("\n")
    if place[1] is None:
        return Error(path, len(document.rstrip("\n").split("\n")), "", f"no valid TOML: {what}, and the file ends here")
    line, column = int(place[1]), int(place[2])
    written = lines[line - 1] if line <= len(lines) else ""
    found = (advice for begin, sign, advice in _HINTS if what.startswith(begin) and sign.match(written, column - 1))
    hint = f" ({advice})" if "=" in written[:column] and (advice := next(found, "")) else ""
    return Error(path, line, "", f"no valid TOML: {what} at column {column}{hint}: {quoted(written.strip())}")


def _rule_text(table: Mapping[str, Any]) -> str:
    """A rule in one spelling: keys in the order of the manual, conditions as they were written."""
    width = max((len(name) for name in table), default=0)
    return "\n".join(("[[rule]]", *(f"{name:<{width}} = {text(table[name])}" for name in RULE_KEYS if name in table)))
