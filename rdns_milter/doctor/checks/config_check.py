"""Look at the configuration: its errors, its warnings, those of `config --lint`, and files that the service's user cannot read.

Reads only. Never raises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from shlex import quote

from ...config.lint import LintWarning, lint
from ...config.load import MAX_BYTES, Config, ConfigError, Error, load, warnings
from ...daemon.privileges import NotPossible, service_account, unreadable
from ...net.networks import parse_network
from ...text.input_file import UnreadableError, read_text
from ...text.toml import text as toml
from ...text.toml_positions import Positions
from ..finding import Finding, bad, ok, warn
from ..remedies import RELOAD

_LOOPBACK = ("127.0.0.0/8", "::1")
# A mistyped word, and the valid one, in the message of an error in the config.
_MISTYPED = re.compile(r'(?:"([\w-]+)".*)?; did you mean "([\w-]+)"\?')


def check_config(path: str | None, day: date) -> tuple[Config | None, list[Finding]]:
    """Return the configuration with the findings on it. The configuration is None if it is not valid."""
    try:
        config = load(path)
    except ConfigError as error:
        return None, [bad("config", str(each), *_correction(each)) for each in error.errors]
    name = config.path or "the built-in default"
    found = [ok("config", f"{name} is valid: {len(config.policy.rules)} rules, mode {config.milter.mode}")]
    found += [warn("config", text) for text in warnings(config, day)]
    try:
        text = read_text(config.path, MAX_BYTES) if config.path else ""
    except UnreadableError:
        text = ""
    found += [
        warn("config", f"{name}:{each.line}: {each}" if each.line else f"{name}: {each}", *_lint_remedy(each, config))
        for each in lint(config, day, Positions(text))
    ]
    return config, [*found, *_unreadable(config)]


def _correction(error: Error) -> tuple[str, ...]:
    """Return the commands that correct a mistyped word and check the file. Otherwise return only the one that checks it."""
    check = f"rdns-milter config --check -c {quote(error.file)}"
    match = _MISTYPED.search(error.message)
    wrong = match and (match[1] or error.key.rpartition(".")[2])
    if not match or not wrong or not error.line or not re.fullmatch(r"[\w-]+", wrong):
        return (check,)
    return (rf"sed -i '{error.line}s/\b{wrong}\b/{match[2]}/' {quote(error.file)}", check, RELOAD)


def _lint_remedy(warning: LintWarning, config: Config) -> tuple[str, ...]:
    """Return the line that adds loopback to exempt.networks. Return () for other warnings."""
    networks = list(map(str, config.exempt.networks))
    missing = [each for each in _LOOPBACK if parse_network(each).network_address not in config.exempt.networks]
    if warning.path != ("exempt", "networks") or not missing:
        return ()
    return (f"in the config file, section [exempt]: networks = {toml([*missing, *networks])}", RELOAD)


def _unreadable(config: Config) -> Iterator[Finding]:
    if os.geteuid() != 0 or not config.path:
        return
    try:
        user = service_account(config.milter.user)
        paths = (config.path, *(each.path for each in config.lists))
        for found in unreadable(paths, user) if user else ():
            path = found.partition(":")[0]
            yield bad(
                "config",
                f"the user {user.pw_name if user else ''}, as whom the service runs, cannot read {found}",
                f"chmod a+r {path}",
                RELOAD,
            )
    except (NotPossible, OSError) as error:
        yield bad("config", str(error))
