"""`config --lint`: rules that have no effect, or not the one that was meant, because of their place or of an option."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rdns_milter.config.lint import lint
from rdns_milter.config.load import parse
from rdns_milter.config.sample import sample
from rdns_milter.text.toml_positions import Positions

TODAY = date(2026, 11, 29)
LATE, SCORE, EXEMPT, LIST = "accepts only what", "its score has no effect", "never matches", "is not used"


def rule(name: str, body: str) -> str:
    return f'[[rule]]\nname = "{name}"\n{body}\n'


FAIL = 'when = { iprev = ["fail", "permerror"] }\n'
REFUSE = rule("refuse", f'{FAIL}action = "reject"')
FORGED = rule("forged", 'when = { helo_own = "yes" }\naction = "reject"')
TAG = rule("tag", 'when = { generic = "yes" }\naction = "tag"')
WHOLE = sample()


def warnings(document: str, words: str, path: str = "c.toml") -> list[str]:
    found = lint(parse(document, path), TODAY, Positions(document))
    return [f"{warning.line}: {warning}" for warning in found if words in str(warning)]


IDENTITIES = [
    'client = "192.0.2.7"',
    'ptr = ".good.example"',
    'helo_name = "mx.good.example", helo = "pass"',
    'mailfrom = "good.example", spf_mailfrom = "pass"',
    'mailfrom = "anna@good.example"',
    'rcpt = "anna@"',
    'rcpt = "example.org"',
]


@pytest.mark.parametrize("when", [each for each in IDENTITIES if not each.startswith("ptr")])
@pytest.mark.parametrize("action", ["reject", "tempfail", "quarantine"])
def test_an_exception_behind_the_rule(when: str, action: str) -> None:
    exception = rule("x", f'when = {{ {when} }}\naction = "accept"')
    refuse = rule("refuse", f'{FAIL}action = "{action}"')
    (warning,) = warnings(refuse + exception, LATE)
    assert warning.startswith('5: rule "x": ')
    assert 'move it before "refuse"' in warning
    assert warnings(exception + refuse, LATE) == []
    assert len(warnings(refuse + exception + TAG, LATE)) == 1
    assert len(warnings(FORGED + refuse + exception + TAG, LATE)) == 1


@pytest.mark.parametrize("when", IDENTITIES)
def test_an_exception_at_the_end_of_the_default_rules(when: str) -> None:
    exception = rule("x", f'when = {{ {when} }}\naction = "accept"')
    (warning,) = warnings(f"{WHOLE}\n{exception}", LATE)
    assert 'move it before "forged-own-name"' in warning
    options, heading, rules = WHOLE.partition("\n[[rule]]\n")
    assert warnings(f"{options}\n{exception}{heading}{rules}", LATE) == []


def test_an_exception_to_tags() -> None:
    exception = rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"')
    (warning,) = warnings(TAG + exception, LATE)
    assert 'before "tag"' in warning
    assert warnings(exception + TAG, LATE) == []


NO_EXCEPTION = [
    ("cannot-match-both", REFUSE + rule("x", 'when = { ptr = "mx.good.example" }\naction = "accept"')),
    ("excepted-already", rule("refuse", f'{FAIL}unless = {{ client = "192.0.2.0/24" }}\naction = "reject"')
     + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"')),
    ("other-client", rule("refuse", 'when = { client = "198.51.100.0/24" }\naction = "reject"')
     + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"')),
    ("behind-a-shadow", rule("refuse", f'{FAIL}action = "reject"\nshadow = true')
     + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"')),
    ("behind-one-that-has-ended", rule("refuse", f'{FAIL}action = "reject"\nuntil = 2026-01-01')
     + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"')),
    ("everything-else", REFUSE + rule("x", 'action = "accept"')),
    ("forged-names-first", FORGED + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"') + REFUSE),
    ("one-client-first", rule("bad", 'when = { client = "192.0.2.9", helo = "fail" }\naction = "reject"')
     + rule("x", 'when = { rcpt = "anna@" }\naction = "accept"') + REFUSE),
    ("good-before-the-rest", REFUSE + rule("x", 'when = { generic = "no" }\naction = "accept"')
     + rule("rest", 'when = { helo = ["fail", "permerror"] }\naction = "tag"')),
]  # fmt: skip


@pytest.mark.parametrize(("name", "document"), NO_EXCEPTION)
def test_no_exception(name: str, document: str) -> None:
    assert warnings(document, LATE) == []


def test_many_rules_are_not_all_named() -> None:
    tests = ['iprev = "fail"', 'iprev = "permerror"', 'helo = "fail"', 'helo = "permerror"']
    refusing = "".join(rule(f"r{n}", f'when = {{ {test} }}\naction = "reject"') for n, test in enumerate(tests))
    (warning,) = warnings(refusing + rule("x", 'when = { client = "192.0.2.7" }\naction = "accept"'), LATE)
    assert '"r0", "r1", "r2" and 1 more' in warning


def test_scores() -> None:
    score, test = rule("s", f"{FAIL}score = 2"), rule("t", 'when = { min_score = 2 }\naction = "tag"')
    assert warnings(score + test, SCORE) == []
    assert warnings(score, SCORE) == ['1: rule "s": its score has no effect: no rule after it tests min_score']
    late = rule("late", 'when = { client = "192.0.2.7" }\nscore = -3')
    (warning,) = warnings(score + test + late, SCORE)
    assert 'rule "late"' in warning
    unless = rule("u", f'{FAIL}unless = {{ min_score = 2 }}\naction = "tag"')
    assert warnings(score + unless, SCORE) == []


@pytest.mark.parametrize(
    ("options", "when", "option"),
    [
        ("", 'client = "10.1.2.3"', "exempt.networks"),
        ("", 'client = ["192.168.0.0/16", "::1"]', "exempt.networks"),
        ("", 'client = ["192.168.0.0/16", "192.0.2.1"]', ""),
        ("[exempt]\nnetworks = []\n", 'client = "10.1.2.3"', ""),
        ("", "authenticated = true", "exempt.authenticated = true"),
        ("", "authenticated = false", ""),
        ("[exempt]\nauthenticated = false\n", "authenticated = true", ""),
    ],
)
def test_clients_that_are_not_judged(options: str, when: str, option: str) -> None:
    found = warnings(f"{options}{rule('x', f'when = {{ {when} }}{chr(10)}action = {chr(34)}tag{chr(34)}')}", EXEMPT)
    assert [f"never matches: {option} exempts" in warning for warning in found] == ([True] if option else [])


def test_dns_lists() -> None:
    lists = '[dnslists]\nused = "a.example"\nspare = "b.example"\n'
    found = warnings(lists + rule("x", 'when = { dnslist = "used:127.0.0.2" }\naction = "tag"'), "is not asked")
    assert found == ['3: the DNS list "spare" is not asked: no rule has dnslist = "spare"']


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("192.0.2.1\n")
    lists = '[lists]\nused = "l"\nspare = "l"\nother = "l"\n'
    document = lists + rule(
        "x", 'when = { iprev = "fail" }\nunless = { client = ["@used", "192.0.2.2"] }\naction = "tag"'
    )
    found = warnings(document, LIST, str(tmp_path / "c.toml"))
    assert found == [
        '3: the list "spare" is not used: no rule has "@spare"',
        '4: the list "other" is not used: no rule has "@other"',
    ]
