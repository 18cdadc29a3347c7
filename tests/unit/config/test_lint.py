"""`config --lint`: a case for each warning, with rule, line and reference, and cases without any."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, seed, settings

from rdns_milter.checks.evidence import Evidence
from rdns_milter.cli.main import main
from rdns_milter.config.lint import LintWarning, lint
from rdns_milter.config.load import Config, load, parse
from rdns_milter.config.sample import sample
from rdns_milter.config.sections.milter import Milter
from rdns_milter.policy.decide import decide
from rdns_milter.policy.reachability import covering_rule
from rdns_milter.policy.rules import Policy, Rule
from rdns_milter.text.toml_positions import Positions
from tests.kit.data import documents
from tests.kit.data.strategies import SEEDS, evidences, policies, possible

TODAY = date(2026, 11, 21)
SPARED = '[[rule]]\nname = "pm"\nwhen = { rcpt = ["postmaster@", "abuse@"] }\naction = "accept"\n'


def linted(document: str) -> tuple[LintWarning, ...]:
    return lint(parse(document, "c.toml"), TODAY, Positions(document))


def rule(name: str, body: str) -> str:
    return f'[[rule]]\nname = "{name}"\n{body}\n'


HELO, SOFTFAIL, BOUNCE = "RFC 5321 section 4.1.4", "RFC 7208 section 8.5", "RFC 2505 section 2.6.1"
NEUTRAL, POSTMASTER, CLAIM = "RFC 7208 section 8.2", "RFC 5321 section 4.5.1", "RFC 5321 section 7.1"
FAIL, POOL, DEADLINE = "RFC 8601 section 2.7.3", "RFC 8501 section 5.1", "RFC 5321 section 4.5.3.2"

# Title, document (after a rule that accepts postmaster), rule, start of the line, reference, part of the text.
WARNINGS: list[tuple[str, str, str, str, str, str]] = [
    ("helo", rule("x", 'when = { helo = "fail" }\naction = "reject"'), "x", "[[rule]]", HELO, "MUST NOT"),
    ("helo-match", rule("x", 'when = { helo_match = ["aligned", "different"] }\naction = "tempfail"'), "x", "[[rule]]", HELO,
     "HELO name does not match"),
    ("helo-and-no-proof", rule("x", 'when = { helo = "fail", spf_mailfrom = ["none", "neutral"] }\naction = "reject"'), "x",
     "[[rule]]", HELO, "only fault"),
    ("helo-by-score", rule("s", "when = { helo = [\"fail\", \"permerror\"] }\nscore = 2.5")
     + rule("x", 'when = { min_score = 2 }\naction = "reject"'), "x", "[[rule]]", HELO, "only fault"),
    ("helo-negated", rule("x", 'unless = { helo = "pass" }\naction = "reject"'), "x", "[[rule]]", HELO, "only fault"),
    ("helo-shadow", rule("x", 'when = { helo = "fail" }\naction = "reject"\nshadow = true'), "x", "[[rule]]", HELO, "only fault"),
    ("helo-literal", rule("x", 'when = { helo_kind = "literal", helo = "fail" }\naction = "reject"'), "x", "[[rule]]", HELO,
     "only fault"),
    ("softfail", rule("x", 'when = { spf_mailfrom = ["fail", "softfail"] }\naction = "reject"'), "x", "[[rule]]", SOFTFAIL,
     "SHOULD NOT"),
    ("softfail-of-helo", rule("x", 'when = { spf_helo = "softfail" }\nunless = { client = "192.0.2.1" }\naction = "reject"'), "x",
     "[[rule]]", SOFTFAIL, "softfail alone"),
    ("null-sender", rule("x", 'when = { mailfrom = "<>" }\naction = "reject"'), "x", "[[rule]]", BOUNCE, "bounces"),
    ("neutral", rule("x", 'when = { spf_mailfrom = ["neutral", "fail"] }\naction = "tag"'), "x", "when =", NEUTRAL,
     "neutral without none"),
    ("none", rule("x", 'action = "tag"\nunless = { spf_helo = ["none", "pass"] }'), "x", "unless =", NEUTRAL,
     "none without neutral"),
    ("postmaster-after", rule("x", 'when = { iprev = ["fail", "permerror"] }\naction = "reject"') + SPARED, "x", "[[rule]]",
     POSTMASTER, "can refuse mail to postmaster"),
    ("postmaster-never", rule("x", 'when = { generic = "yes" }\naction = "quarantine"'), "x", "[[rule]]", POSTMASTER,
     "postmaster@"),
    ("postmaster-in-one-case", rule("pm", 'when = { rcpt = "postmaster@", iprev = "pass" }\naction = "accept"')
     + rule("x", 'when = { helo_own = "yes" }\naction = "tempfail"'), "x", "[[rule]]", POSTMASTER, "postmaster"),
    ("helo-name-accepted", rule("x", 'when = { helo_name = ".example.com" }\naction = "accept"'), "x", "when =", CLAIM,
     'require helo = "pass"'),
    ("helo-name-of-a-proper-host", rule("x", 'when = { helo_name = ".example.com", iprev = "pass" }\naction = "accept"'), "x",
     "when =", CLAIM, "anybody can"),
    ("sender-accepted", rule("x", 'when = { mailfrom = "example.com" }\naction = "accept"'), "x", "when =", CLAIM,
     'require spf_mailfrom = "pass"'),
    ("helo-name-scored", rule("x", 'when = { helo_name = "mx.example.com" }\nscore = -3')
     + rule("t", 'unless = { min_score = 0 }\naction = "tag"'), "x", "when =", CLAIM, "favours"),
    ("helo-name-spared", rule("x", 'when = { generic = "yes" }\nunless = { helo_name = "mx.example.com" }\naction = "reject"'), "x",
     "unless =", CLAIM, "spares every client that claims this helo_name"),
    ("sender-spared", rule("x", 'when = { generic = "yes" }\nunless = { mailfrom = ".m.example.com" }\naction = "tempfail"'), "x",
     "unless =", CLAIM, "spares every client that claims this mailfrom"),
    ("eclipsed", rule("a", 'when = { iprev = ["fail", "permerror"] }\naction = "tag"')
     + rule("x", 'when = { iprev = "fail", helo = "fail" }\naction = "reject"'), "x", "[[rule]]", "",
     'the earlier rule "a" matches every message'),
    ("eclipsed-by-another-fact", rule("a", 'when = { helo_match = "none" }\naction = "tag"')
     + rule("x", 'when = { iprev = ["fail", "permerror"] }\naction = "tag"'), "x", "[[rule]]", "", "never decides"),
    ("eclipsed-with-texts", rule("a", 'when = { client = "192.0.2.0/24" }\nunless = { rcpt = "a@" }\naction = "tag"')
     + rule("x", 'when = { client = ["192.0.2.7", "192.0.2.8/29"], generic = "yes" }\nunless = { rcpt = ["a@", "b@"] }\n'
            'action = "tag"'), "x", "[[rule]]", "", "never decides"),
    ("ended", rule("x", 'when = { helo_own = "yes" }\naction = "tag"\nuntil = 2026-11-20'), "x", "until =", "",
     "ended on 2026-11-20"),
    ("fail-only", rule("x", 'when = { iprev = "fail" }\naction = "reject"'), "x", "when =", FAIL, '"permerror"'),
]  # fmt: skip


@pytest.mark.parametrize("case", WARNINGS, ids=lambda case: case[0])
def test_each_warning(case: tuple[str, str, str, str, str, str]) -> None:
    title, document, name, on_line, reference, words = case
    document = document if title.startswith("postmaster") else SPARED + document
    found = linted(document)
    assert len(found) == 1, [str(warning) for warning in found]
    (warning,) = found
    assert (warning.rule, warning.reference) == (name, reference)
    assert words in str(warning)
    lines = document.split("\n")
    assert lines[warning.line - 1].startswith(on_line)
    # The warning is at the rule itself, not at an earlier one.
    following = next(
        line for line in lines[warning.line - 1 :: -1] + lines if line.startswith("name") or line == "[[rule]]"
    )
    at = lines.index(f'name = "{name}"')
    assert at <= warning.line <= at + 6 or (following == "[[rule]]" and warning.line == at)


def test_nested_quantifiers() -> None:
    document = SPARED + "[generic]\npatterns = [\n  '^[0-9]+-',\n  '^([0-9]+-)+dyn',\n  '^([0-9]++-)+dyn',\n]\n"
    (warning,) = linted(document)
    assert (warning.rule, warning.reference) == ("", "")
    assert document.split("\n")[warning.line - 1] == "  '^([0-9]+-)+dyn',"
    assert "with nested quantifiers" in str(warning)


CORRECT = [
    ("sample", sample()),
    ("helo-that-leads-nowhere", SPARED + rule("x", 'when = { helo = "permerror" }\naction = "reject"')),
    ("helo-tagged", SPARED + rule("x", 'when = { helo = "fail" }\naction = "tag"')),
    ("helo-beside-another-fault", SPARED + rule("x", 'when = { helo = "fail", iprev = ["fail", "permerror"] }\naction = "reject"')),
    ("helo-of-somebody", SPARED + rule("x", 'when = { helo = "fail", client = "192.0.2.0/24" }\naction = "reject"')),
    ("helo-as-one-score-of-two", SPARED + rule("s", 'when = { helo = "fail" }\nscore = 1')
     + rule("t", 'when = { generic = "yes" }\nscore = 1') + rule("x", 'when = { min_score = 2 }\naction = "reject"')),
    ("everybody", SPARED + rule("x", 'action = "reject"')),
    ("softfail-deferred", SPARED + rule("x", 'when = { spf_mailfrom = "softfail" }\naction = "tempfail"')),
    ("softfail-and-no-name", SPARED + rule("x", 'when = { spf_mailfrom = "softfail", iprev = "permerror" }\naction = "reject"')),
    ("neutral-and-none", SPARED + rule("x", 'when = { spf_mailfrom = ["none", "neutral"], generic = "yes" }\naction = "reject"')),
    ("postmaster-of-us", rule("pm", 'when = { rcpt = "postmaster@example.com" }\naction = "accept"')
     + rule("x", 'when = { generic = "yes" }\naction = "reject"')),
    ("postmaster-excepted", rule("x", 'when = { generic = "yes" }\nunless = { rcpt = "postmaster@" }\naction = "reject"')),
    ("postmaster-refused-to-somebody", rule("x", 'when = { client = "192.0.2.0/24" }\naction = "reject"')),
    ("helo-name-that-is-true", rule("x", 'when = { helo_name = ".example.com", helo = "pass" }\naction = "accept"')),
    ("helo-name-by-spf", rule("x", 'when = { helo_name = ".example.com", spf_helo = "pass" }\naction = "accept"')),
    ("sender-that-is-true", rule("x", 'when = { mailfrom = "example.com", spf_mailfrom = "pass" }\naction = "accept"')),
    ("sender-from-somebody", rule("x", 'when = { mailfrom = "example.com", client = "192.0.2.1" }\naction = "accept"')),
    ("sender-by-ptr", rule("x", 'when = { mailfrom = "example.com", ptr = ".example.com" }\naction = "accept"')),
    ("sender-logged-in", "[exempt]\nauthenticated = false\n"
     + rule("x", 'when = { mailfrom = "example.com", authenticated = true }\naction = "accept"')),
    ("sender-refused", SPARED + rule("x", 'when = { mailfrom = "example.com" }\naction = "reject"')),
    ("sender-not-tagged", rule("x", 'unless = { mailfrom = "example.com" }\naction = "tag"')),
    ("until-today", rule("x", 'when = { helo_own = "yes" }\naction = "tag"\nuntil = 2026-11-21')),
    ("after-a-rule-that-ends", rule("a", 'when = { generic = "yes" }\naction = "accept"\nuntil = 2030-01-01')
     + rule("x", 'when = { generic = "yes" }\naction = "tag"')),
    ("after-a-shadow", rule("a", 'when = { generic = "yes" }\naction = "tempfail"\nshadow = true')
     + rule("pm", 'when = { rcpt = "postmaster@" }\naction = "accept"') + rule("x", 'when = { generic = "yes" }\naction = "tag"')),
    ("after-a-lower-score", rule("a", 'when = { min_score = -1 }\naction = "tag"') + rule("s", "score = 5")
     + rule("x", 'when = { min_score = 2 }\naction = "tag"')),
    ("fail-here-permerror-there", SPARED + rule("a", 'when = { iprev = "fail" }\naction = "reject"')
     + rule("b", 'when = { iprev = "permerror" }\naction = "tag"')),
    ("permerror-only", SPARED + rule("a", 'when = { iprev = "permerror" }\naction = "reject"')),
]  # fmt: skip


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case[0])
def test_no_warning(case: tuple[str, str]) -> None:
    name, document = case
    found = [str(warning) for warning in linted(document)]
    if name == "after-a-shadow":  # enforced, the shadow rule would refuse postmaster
        assert not any("never decides" in text for text in found)
    else:
        assert found == []


def test_observe_mode_is_linted_as_if_enforced() -> None:
    document = '[milter]\nmode = "observe"\n' + SPARED + rule("x", 'when = { helo = "fail" }\naction = "reject"')
    assert [warning.reference for warning in linted(document)] == [HELO]


def test_rules_that_have_ended_are_not_evaluated() -> None:
    document = rule("x", 'when = { helo = "fail" }\naction = "reject"\nuntil = 2020-01-01')
    assert [warning.reference for warning in linted(document)] == [""]


def test_no_rule() -> None:
    (warning,) = linted("")
    assert (warning.rule, warning.line) == ("", 0)
    assert "every message is accepted" in str(warning)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (6.0, ""),
        (9.9, ""),
        (10.0, "Sendmail"),
        (25.0, "Postfix waits 30"),
        (30.0, "milter_command_timeout"),
        (300.0, "Postfix"),
    ],
)
def test_deadline(seconds: float, words: str) -> None:
    found = lint(replace(load(), milter=Milter(deadline=seconds)), TODAY)
    assert [warning.reference for warning in found] == ([DEADLINE] if words else [])
    assert all(words in str(warning) for warning in found)


@pytest.mark.parametrize(
    ("networks", "missing"),
    [
        ('"127.0.0.0/8", "::1"', ""),
        ('"0.0.0.0/0", "::/0"', ""),
        ('"127.0.0.1", "::1", "192.0.2.0/24"', ""),
        ('"192.0.2.0/24"', '"127.0.0.0/8", "::1"'),
        ('"127.0.0.0/8"', '"::1"'),
        ("", '"127.0.0.0/8", "::1"'),
    ],
)
def test_loopback(networks: str, missing: str) -> None:
    document = SPARED + f"[exempt]\nnetworks = [{networks}]\n"
    found = linted(document)
    assert [str(warning).rpartition("so add ")[2] for warning in found] == ([missing] if missing else [])
    for warning in found:
        assert (warning.rule, warning.reference) == ("", "")
        assert document.split("\n")[warning.line - 1].startswith("networks = ")


@pytest.mark.parametrize(
    ("network", "warning"),
    [
        ("198.51.0.0/16", ""),
        ("10.0.0.0/8", ""),
        ("2001:db8::/32", ""),
        ("2a00:1::/48", ""),
        ("198.51.100.7", ""),
        ("8.0.0.0/14", "more than your own hosts"),
        ("0.0.0.0/0", "more than your own hosts"),
        ("2a00::/32", "more than your own hosts"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
    ],
)
def test_relays(network: str, warning: str) -> None:
    found = linted(f'{SPARED}[relays]\nnetworks = ["203.0.113.7", "{network}"]\n')
    assert len(found) == bool(warning)
    for each in found:
        assert f"relays.networks contains {network}" in str(each)
        assert warning in str(each)
        assert (each.path, each.line > 0) == (("relays", "networks", 1), True)


def test_the_line_of_an_option() -> None:
    document = SPARED + '[milter]\nmode = "enforce"\ndeadline = 12.5\n'
    (warning,) = linted(document)
    assert document.split("\n")[warning.line - 1] == "deadline = 12.5"


POOLS = [
    "dyn.example.net",
    "pool.isp.example.com",
    "dsl.example.co.uk",
    "dynamic.de",
    "cust.static.example.com",
    "co.uk",
    "com",
]
FIRMS = ["mail.example.org", "example.com", "mobile.de", "amazonses.com", "mx.isp.example.net", "bounces.example.co.uk"]


@pytest.mark.parametrize("name", POOLS + FIRMS)
def test_exceptions(name: str) -> None:
    document = SPARED + f'[generic]\nexceptions = [\n"ok.example.com",\n".{name}",\n]\n'
    found = linted(document)
    assert [warning.reference for warning in found] == ([POOL] if name in POOLS else [])
    for warning in found:
        assert document.split("\n")[warning.line - 1] == f'".{name}",'
        assert f'"{name}"' in str(warning)


def test_warnings_are_in_the_order_of_the_file() -> None:
    document = "[milter]\ndeadline = 12\n" + "".join(case[1] for case in WARNINGS[:2]).replace('"x"', '"y"', 1)
    found = linted(document)
    assert [warning.line for warning in found] == sorted(warning.line for warning in found)
    assert [warning.rule for warning in found] == ["", "y", "y", "x"]


@given(policies())
def test_any_policy_can_be_linted(policy: Policy) -> None:
    named = replace(policy, rules=tuple(replace(r, name=f"r{i}") for i, r in enumerate(policy.rules)))
    for warning in lint(replace(Config(), policy=named), TODAY):
        assert str(warning).isprintable()
        assert re.fullmatch(r"(RFC \d+ section [\d.]+)?", warning.reference)


@given(policies(), evidences(), SEEDS)
def test_a_rule_covered_by_an_earlier_one_never_decides(policy: Policy, evidence: Evidence, number: int) -> None:
    rules = tuple(replace(r, name=f"r{i}", until=None) for i, r in enumerate(policy.rules))
    evidence = possible(evidence, number)
    for index, each in enumerate(rules):
        other = covering_rule(each, rules[:index])
        if other is not None and not each.shadow:
            verdict = decide(evidence, Policy(rules))
            assert verdict.because is not each


def test_random_policies_have_covered_rules() -> None:
    """The test above compares something."""
    seen: list[Rule | None] = []

    @settings(max_examples=200, database=None)
    @seed(1)
    @given(policies())
    def count(policy: Policy) -> None:
        seen.extend(covering_rule(each, policy.rules[:index]) for index, each in enumerate(policy.rules))

    count()
    assert sum(other is not None for other in seen) > 10


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.toml"
    path.write_text(SPARED + WARNINGS[0][1])
    assert main(["config", "--lint", "-c", str(path)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert re.match(rf'{re.escape(str(path))}:5: rule "x": refuses .* \({HELO}\)$', first)
    assert last == f"{path}: 1 warning"
    path.write_text(sample())
    assert main(["config", "--lint", "-c", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: no warnings\n"
    path.write_text("[milter]\ndeadline = 99\n")
    assert main(["config", "--lint", "-c", str(path)]) == 78


@pytest.mark.parametrize("number", range(len(documents.blocks("toml"))))
def test_the_examples_of_the_documents_have_no_warning(number: int, tmp_path: Path) -> None:
    (tmp_path / "partners.cidr").write_text("192.0.2.0/24\n")
    document = SPARED + documents.blocks("toml")[number].replace("/etc/rdns-milter/", f"{tmp_path}/")
    assert [str(warning) for warning in linted(document)] == []
