"""Forged fields are found and numbered, and the work for one message is limited."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.policy.rules import MAX_FORGED
from rdns_milter.responses import forged_results, incoming_fields
from rdns_milter.responses.incoming_fields import (
    MAX_CHARACTERS,
    MAX_FIELD,
    MAX_HEAD,
    IncomingFields,
    names_receiver,
    watched,
)
from tests.kit.data.evidence import TEXTS

OURS = "mx.test"
TAG = "X-Rdns-Milter"
RESULTS, SPF = "Authentication-Results", "Received-SPF"

RECEIVER_IS_OURS = [
    "pass (mx.test: a.example authorizes 192.0.2.1) receiver=mx.test; identity=mailfrom",
    "pass receiver=mx.test",
    "pass receiver = mx.test;",
    'pass receiver="mx.test";',
    'fail receiver="m\\x.test"; client-ip=192.0.2.1',
    "PASS RECEIVER=MX.TEST.; helo=x",
    "pass\n\treceiver=mx.test",
    "pass (mx.test: domain of a.example)",
    "pass ( MX.test : domain of a.example)",
    "pass (comment) receiver=(of ours) mx.test",
    "pass receiver=\uff4dx.test",
    "=?utf-8?q?pass_receiver=3Dmx.test?=",
    "none (nested (mx.test: x))",
]
RECEIVER_IS_NOT = [
    "",
    "pass (mx.elsewhere.example: domain of a@mx.test) receiver=mx.elsewhere.example",
    "pass receiver=mx.test.evil.example",
    "pass receiver=notmx.test; helo=mx.test",
    "pass client-ip=192.0.2.1; helo=mx.test; envelope-from=a@mx.test",
    "pass (not.mx.test: x)",
]


def fields(*added: tuple[str, str]) -> IncomingFields:
    """Return the incoming fields of a message with these fields."""
    incoming = IncomingFields((OURS,), TAG)
    for name, value in added:
        incoming.add(name, value)
    return incoming


@pytest.mark.parametrize("value", RECEIVER_IS_OURS)
def test_received_spf_of_ours(value: str) -> None:
    assert names_receiver(value, OURS)
    assert fields((SPF, value)).removals() == ((SPF, 1),)


@pytest.mark.parametrize("value", RECEIVER_IS_NOT)
def test_received_spf_of_others(value: str) -> None:
    assert not names_receiver(value, OURS)
    assert fields((SPF, value)).removals() == ()


def test_no_name_of_ours_is_nobody_s() -> None:
    assert not names_receiver("pass receiver=; (: x)", "")


def test_each_name_has_numbers_of_its_own() -> None:
    incoming = fields(
        (RESULTS, "mx.test; none"),
        (SPF, "pass receiver=other.test"),
        ("Subject", "mx.test; none"),
        ("x-rdns-milter", "tag rule=nothing"),
        (RESULTS.lower(), "other.test; none"),
        ("RECEIVED-spf", "pass receiver=mx.test"),
        (RESULTS.upper(), "mx.test; spf=pass"),
        (TAG, ""),
    )
    assert incoming.removals() == ((TAG, 2), (RESULTS, 3), (SPF, 2), (TAG, 1), (RESULTS, 1))
    assert incoming.forged == 5


def test_an_unsupported_version_is_removed_too() -> None:
    incoming = fields(*((RESULTS, f"{head}; none") for head in ("mx.test", "other.test", "other.test 2", "mx.test 1")))
    assert incoming.removals() == ((RESULTS, 4), (RESULTS, 3), (RESULTS, 1))


def test_without_a_tag_its_field_is_nobody_s() -> None:
    assert watched("") == {"authentication-results", "received-spf"}
    incoming = IncomingFields((OURS,), "")
    incoming.add(TAG, "tag")
    incoming.add("", "")
    assert incoming.removals() == ()


def test_several_names_are_ours() -> None:
    incoming = IncomingFields(("mx.test", "old.test"), TAG)
    for name in ("old.test", "mx.test", "other.test"):
        incoming.add(RESULTS, f"{name}; none")
        incoming.add(SPF, f"pass receiver={name}")
    assert incoming.removals() == ((SPF, 2), (RESULTS, 2), (SPF, 1), (RESULTS, 1))


@pytest.mark.parametrize("name", [RESULTS, SPF, TAG])
@pytest.mark.parametrize("count", [MAX_FORGED, MAX_FORGED + 1, 10_500])
def test_no_more_removals_than_the_bound(name: str, count: int) -> None:
    value = {RESULTS: "mx.test; none", SPF: "pass receiver=mx.test", TAG: "tag"}[name]
    incoming = fields(*itertools.repeat((name, value), count))
    assert incoming.forged == min(count, MAX_FORGED + 1)
    assert len(incoming.removals()) == (count if count <= MAX_FORGED else 0)


def test_a_long_field_is_ours_unless_its_head_ends_in_time() -> None:
    long = "x" * MAX_FIELD
    assert fields((RESULTS, f"other.test; {long}")).removals() == ()
    assert fields((RESULTS, f"({long}) other.test; none")).forged == 1
    assert fields((RESULTS, f"other.test ({'x' * (MAX_HEAD - 20)}) 1; {long}")).removals() == ()
    assert fields((RESULTS, f"other.test ({'x' * MAX_HEAD}) 1; {long}")).forged == 1
    assert fields((SPF, f"pass receiver=other.test; problem={long}")).forged == 1


@pytest.mark.parametrize(
    "field", ["\u3316" * (MAX_HEAD - 1) + ";", "(x) other.test;" + "\ufdfa" * MAX_FIELD, "=?utf-8?q?x?= " * 60 + ";"]
)
def test_a_message_is_looked_at_up_to_the_bound(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    really = forged_results.claims

    def counting(value: str, authserv_id: str) -> bool:
        nonlocal looked
        looked += len(value)
        return really(value, authserv_id)

    monkeypatch.setattr(incoming_fields, "claims", counting)
    incoming = fields(*itertools.repeat((RESULTS, field), 10_000_000 // len(field)))
    assert looked <= MAX_CHARACTERS
    assert incoming.forged == MAX_FORGED + 1


def test_so_many_fields_of_others_are_no_trouble() -> None:
    assert fields(*((RESULTS, f"h{number}.example; none") for number in range(3000))).forged == 0
    long = "; dkim=pass header.d=a.example" * 30
    assert fields(*((RESULTS, f"h{number}.example{long}") for number in range(3000))).forged == 0
    assert fields(*((RESULTS, f"h{number}.example (of a list){long}") for number in range(60))).forged == 0


@given(st.lists(st.tuples(st.sampled_from((RESULTS, SPF, TAG, "Subject")), TEXTS), max_size=30))
def test_any_fields(added: list[tuple[str, str]]) -> None:
    incoming = fields(*added)
    removals = incoming.removals()
    assert incoming.forged == len(removals)
    for name in (RESULTS, SPF, TAG):
        numbers = [number for each, number in removals if each == name]
        assert numbers == sorted(set(numbers), reverse=True)
        assert all(1 <= number <= sum(each == name for each, _ in added) for number in numbers)
