"""The forms of WHAT in `rdns-milter why`, and the decisions that they find; the quick test of lines never loses one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.analysis.why.decision_filter import decision_filter
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line, parse
from tests.kit.data import decisions as examples
from tests.kit.data.strategies import decisions, hostile_text

LINES = {
    "example": examples.EXAMPLE,
    "json": line(examples.DECISION, "json"),
    "null sender": examples.EXAMPLE.replace("mailfrom=a@example.com", "mailfrom=<>"),
    "queued": examples.EXAMPLE.replace("qid=NOQUEUE", "qid=4bF31z"),
    "ipv6": examples.EXAMPLE.replace("client=192.0.2.7", "client=2001:db8::7"),
    "many": examples.EXAMPLE.replace("rcpt=b@example.net", "rcpt=x@one.example,y@two.example"),
    "quoted": examples.EXAMPLE.replace("mailfrom=a@example.com", r'mailfrom="\"a b\"@example.com"'),
}
FOUND = {
    "192.0.2.7": {"example", "json", "null sender", "queued", "many", "quoted"},
    "[192.0.2.7]": {"example", "json", "null sender", "queued", "many", "quoted"},
    "192.0.2.0/24": {"example", "json", "null sender", "queued", "many", "quoted"},
    "2001:0db8::0007": {"ipv6"},
    "2001:db8::/32": {"ipv6"},
    "a@example.com": {"example", "json", "queued", "ipv6", "many"},
    "A@Example.COM": {"example", "json", "queued", "ipv6", "many"},
    '"a b"@example.com': {"quoted"},
    "y@two.example": {"many"},
    "a@": {"example", "json", "queued", "ipv6", "many"},
    "@two.example": {"many"},
    "example.com": set(LINES),
    "mx.example.com": set(LINES),
    "two.example": {"many"},
    "ample.com": set(),
    "<>": {"null sender"},
    "4bF31z": {"queued"},
    "4bf31z": set(),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_is_found(what: str) -> None:
    search = decision_filter(what)
    found = {name for name, text in LINES.items() if search.may_match(text) and search.matches(parse(text) or {})}
    assert found == FOUND[what]


@pytest.mark.parametrize("what", ["", "x", "a b", "192.0.2.0/99", "..", "@", "no-such-id!"])
def test_what_is_none_of_the_forms(what: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decision_filter(what)


@given(decisions(hostile_text()), st.sampled_from(examples.FORMATS), st.data())
def test_the_quick_test_loses_no_decision(decision: Decision, form: str, data: st.DataObject) -> None:
    text = line(decision, form)
    fields = parse(text)
    assert fields is not None
    what = data.draw(
        st.sampled_from([fields.get(key, "") for key in ("qid", "client", "helo_name", "mailfrom", "ptr")])
    )
    try:
        search = decision_filter(what)
    except ValueError:
        return
    assert search.may_match(text) or not search.matches(fields)
