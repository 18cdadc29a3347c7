"""Responses without the requested record: the types of RFC 2308 as a table, and properties of every response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.resolver.negative_answer import NegativeAnswer, Statement, classify

# Numbers of labels of the owners, the root label included. The final name, www.sub.example, has four.
ROOT, TOP, SUB = 1, 2, 3

CASES: dict[str, tuple[NegativeAnswer, Statement]] = {
    # RFC 2308 2.1.1: name errors
    "NXDOMAIN type 1: SOA and NS": (NegativeAnswer(nxdomain=True, soa=TOP, ns=TOP), "nxdomain"),
    "NXDOMAIN type 2: SOA": (NegativeAnswer(nxdomain=True, soa=TOP), "nxdomain"),
    "NXDOMAIN type 3: nothing": (NegativeAnswer(nxdomain=True), "nxdomain"),
    "NXDOMAIN type 4: NS": (NegativeAnswer(nxdomain=True, ns=TOP), "nxdomain"),
    "NXDOMAIN behind an alias": (NegativeAnswer(nxdomain=True, aliased=True), "nxdomain"),
    "NXDOMAIN behind an alias, with SOA": (NegativeAnswer(nxdomain=True, aliased=True, soa=TOP), "nxdomain"),
    "NXDOMAIN behind an alias, with NS": (NegativeAnswer(nxdomain=True, aliased=True, other_ns=True), "nxdomain"),
    "NXDOMAIN, neither AA nor RA": (NegativeAnswer(nxdomain=True, responsible=False), "nxdomain"),
    "NXDOMAIN by another zone": (NegativeAnswer(nxdomain=True, other_soa=True), "error"),
    "NXDOMAIN behind an alias, by another zone": (NegativeAnswer(nxdomain=True, aliased=True, other_soa=True), "alias"),
    # RFC 2308 2.2.1: no data
    "NODATA type 1: SOA and NS": (NegativeAnswer(soa=TOP, ns=TOP), "nodata"),
    "NODATA type 2: SOA": (NegativeAnswer(soa=TOP), "nodata"),
    "NODATA type 3: nothing": (NegativeAnswer(), "nodata"),
    "SOA of the root": (NegativeAnswer(soa=ROOT), "nodata"),
    "SOA, NS of the root": (NegativeAnswer(soa=TOP, ns=ROOT), "nodata"),
    "SOA, NS of another zone": (NegativeAnswer(soa=TOP, other_ns=True), "nodata"),
    "SOA and another's SOA": (NegativeAnswer(soa=TOP, other_soa=True), "nodata"),
    "SOA, neither AA nor RA": (NegativeAnswer(soa=TOP, responsible=False), "nodata"),
    "SOA and more in additional": (NegativeAnswer(soa=TOP, stray=True), "nodata"),
    "SOA behind an alias": (NegativeAnswer(aliased=True, soa=TOP, ns=TOP), "nodata"),
    # referrals
    "NS of the root": (NegativeAnswer(ns=ROOT), "referral"),
    "NS of the parent": (NegativeAnswer(ns=TOP), "referral"),
    "NS below": (NegativeAnswer(ns=SUB), "referral"),
    "NS of another zone": (NegativeAnswer(other_ns=True), "referral"),
    "NS, neither AA nor RA": (NegativeAnswer(ns=ROOT, responsible=False), "referral"),
    "NS and another zone's SOA": (NegativeAnswer(ns=TOP, other_soa=True), "referral"),
    "NS below the SOA": (NegativeAnswer(soa=TOP, ns=SUB), "referral"),
    # aliases whose target needs a query of its own
    "alias alone": (NegativeAnswer(aliased=True), "alias"),
    "alias and NS": (NegativeAnswer(aliased=True, ns=TOP), "alias"),
    "alias and another zone's NS": (NegativeAnswer(aliased=True, other_ns=True), "alias"),
    "alias and another zone's SOA": (NegativeAnswer(aliased=True, other_soa=True), "alias"),
    "alias, neither AA nor RA": (NegativeAnswer(aliased=True, responsible=False), "alias"),
    "alias and NS below the SOA": (NegativeAnswer(aliased=True, soa=TOP, ns=SUB), "alias"),
    # neither
    "nothing, neither AA nor RA": (NegativeAnswer(responsible=False), "lame"),
    "another zone's SOA": (NegativeAnswer(other_soa=True), "error"),
    "additional alone": (NegativeAnswer(stray=True), "error"),
}


@pytest.mark.parametrize(("answer", "statement"), CASES.values(), ids=CASES)
def test_table(answer: NegativeAnswer, statement: Statement) -> None:
    assert classify(answer) == statement


LABELS = st.none() | st.integers(1, 5)
ANSWERS = st.builds(
    NegativeAnswer,
    st.booleans(),
    st.booleans(),
    LABELS,
    LABELS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(ANSWERS)
def test_no_such_record_needs_a_soa_or_the_absence_of_ns(answer: NegativeAnswer) -> None:
    """RFC 2308 2.2, for all other contents of the response."""
    if classify(answer) == "nodata":
        assert answer.soa is not None or (answer.ns is None and not answer.other_ns)
        assert answer.soa is not None or not (answer.aliased or answer.other_soa or answer.stray)


@given(ANSWERS)
def test_no_such_name_needs_the_rcode(answer: NegativeAnswer) -> None:
    assert (classify(answer) == "nxdomain") <= answer.nxdomain


@given(ANSWERS)
def test_an_alias_is_followed_only_where_there_is_one(answer: NegativeAnswer) -> None:
    assert (classify(answer) == "alias") <= answer.aliased
