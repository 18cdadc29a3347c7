"""Any text as a configuration file gives a Config, or a ConfigError with a printable message."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rdns_milter.config.load import ConfigError, Error, parse
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.sample import sample
from rdns_milter.config.show import show

PATH = "/etc/x/rdns.toml"


def survives(text: str) -> None:
    """Check that the text gives a Config that can be shown, or a ConfigError with printable messages."""
    errors: tuple[Error, ...] = ()
    try:
        config = parse(text, PATH)
    except ConfigError as error:
        errors = error.errors
    else:
        assert parse(show(config), PATH) == config
    assert all(len(str(one).splitlines()) == 1 and one.message for one in errors)
    assert all(0 <= one.line <= text.count("\n") + 1 for one in errors)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
@example("\ud800")
@example("[" * 3000)
@example("rule = " + "[" * 300 + "]" * 300)
def test_any_text(text: str) -> None:
    survives(text)


KEYS = [
    "when",
    "unless",
    "name",
    "action",
    "score",
    "code",
    "until",
    "text",
    "iprev",
    "client",
    "ptr",
    "rcpt",
    "tls",
    "min_score",
]
SCALARS = st.one_of(
    st.sampled_from(
        ["'fail'", "'@x'", "''", "'<>'", "'a@'", "'.a'", "'::/0'", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"]
    ),
    st.sampled_from(["true", "0", "-1", "1e400", "nan", "0xffffffffffffffffffff", "'''\n'''", '"\\u0000"']),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
        ),
    ),
    max_leaves=6,
)
HEADS = st.sampled_from(
    ["[[rule]]", "[rule]", "[lists]", "[[milter]]", *(f"[{name}]" for name in SECTIONS), "[rule.when]", "[a.b]"]
)
OPTION_KEYS = st.sampled_from(
    [*KEYS, *(option.key for cls in SECTIONS.values() for option in options_of(cls).values())]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(HEADS, st.dictionaries(OPTION_KEYS, VALUES, max_size=4)), max_size=4))
def test_any_toml(tables: list[tuple[str, dict[str, str]]]) -> None:
    survives(
        "".join(f"{head}\n" + "".join(f"{key} = {value}\n" for key, value in pairs.items()) for head, pairs in tables)
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_the_sample_with_a_few_slips_of_the_keyboard(seed: int) -> None:
    rng = random.Random(seed)
    letters = list(sample())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(letters))
        letters[at : at + rng.randint(0, 3)] = rng.choice(
            ['"', "'", "[", "]", "{", "}", "=", "\n", "\x00", "é", "1", "#", ",", ".", "x", ""]
        )
    survives("".join(letters))
