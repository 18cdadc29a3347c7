"""The command line: options may stand anywhere among the other arguments of a command."""

from __future__ import annotations

import argparse
import itertools
import shlex

import pytest

from rdns_milter.cli.main import parser

# Command, its other arguments, and options of it. Each order of them means the same.
CASES = [
    ("why", ["a@b.example", "one.log", "two.log"], [["-c", "x.toml"], ["--last", "3"], ["--json"]]),
    ("replay", ["one.log", "two.log"], [["-c", "x.toml"], ["--csv"], ["--top", "3"]]),
    ("forecast", ["one.log", "two.log"], [["--limit=7"], ["--dns", "127.0.0.1:53"], ["--enforce"]]),
    ("report", ["one.log", "two.log"], [["--since", "7d"], ["--html", "x.html"], ["--top", "3"]]),
    ("check", ["192.0.2.1"], [["--helo", "mx.example"], ["--from", "a@b.example"], ["--json"]]),
]


def parsed(command: str, arguments: list[str]) -> argparse.Namespace:
    return parser().parse_args([command, *arguments])


@pytest.mark.parametrize(("command", "arguments", "options"), CASES, ids=[case[0] for case in CASES])
def test_options_stand_anywhere(command: str, arguments: list[str], options: list[list[str]]) -> None:
    expected = parsed(command, [*itertools.chain.from_iterable(options), *arguments])
    pieces = [*options, *([argument] for argument in arguments)]
    orders = 0
    for order in itertools.permutations(pieces):
        if [piece[0] for piece in order if piece[0] in arguments] != arguments:
            continue  # the order of the logs has a meaning
        orders += 1
        assert parsed(command, [*itertools.chain.from_iterable(order)]) == expected
    assert orders >= 24


@pytest.mark.parametrize(
    ("written", "what", "logs"),
    [("why -- -x one.log", "-x", ["one.log"]), ("why a@b.example -- -one.log", "a@b.example", ["-one.log"])],
)
def test_after_two_hyphens_nothing_is_an_option(written: str, what: str, logs: list[str]) -> None:
    options = parser().parse_args(shlex.split(written))
    assert (options.what, options.logs) == (what, logs)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("report", "the following arguments are required: LOG"),
        ("config", "one of the arguments --check"),
        ("replay one.log --json two.log --csv", "not allowed with argument --json"),
        ("why a@b.example --no-such one.log", "unrecognized arguments: --no-such"),
        ("run one.log", "unrecognized arguments: one.log"),
        ("doctor --json 192.0.2.2", "unrecognized arguments: 192.0.2.2"),
    ],
)
def test_errors(written: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(shlex.split(written))
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
