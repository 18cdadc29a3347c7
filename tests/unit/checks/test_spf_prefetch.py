"""Prefetch: the waiting time depends on the depth of the tree of records, not its size; what is certainly unused is not asked."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter.checks.spf import CheckHostResult, Limits, check_host
from rdns_milter.checks.spf_address_matcher import AddressMatcher
from rdns_milter.checks.spf_evaluation import Evaluation, EvaluationResult
from rdns_milter.checks.spf_prefetch import MAX_HOSTS, Prefetch, record_text
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Answer, Question
from tests.kit.dns.virtual_time_lookup import SILENCE, VirtualTimeLookup
from tests.kit.dns.zone import Zone

CLIENT, CLIENT6 = "192.0.2.1", "2001:db8::1"
TRIP = 0.02
REVERSE = "1.2.0.192.in-addr.arpa"


def walk(
    zone: str, client: str = CLIENT, ahead: bool = True, **options: Any
) -> tuple[CheckHostResult, VirtualTimeLookup]:
    """Return the result for a@v.example and the lookup. `ahead`: whether to prefetch."""
    lookup = VirtualTimeLookup(Zone(zone), delay=TRIP, **options)
    check = check_host(lookup, ip_address(client), Mailbox("a", "v.example"), "mx.v.example", limits=Limits())
    if ahead:
        return run(check), lookup
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prefetch, "wanted", lambda self, known: [])
        return run(check), lookup


WIDE = "v.example TXT v=spf1 " + " ".join(f"include:i{n}.v.example" for n in range(8)) + f" ip4:{CLIENT} -all\n"
WIDE += "".join(f"i{n}.v.example TXT v=spf1 ip4:10.0.0.{n} -all\n" for n in range(8))
GOOGLE = "v.example TXT v=spf1 redirect=_spf.v.example\n"
GOOGLE += "_spf.v.example TXT v=spf1 " + " ".join(f"include:_n{n}.v.example" for n in range(3)) + " ~all\n"
GOOGLE += "".join(f"_n{n}.v.example TXT v=spf1 ip4:10.0.{n}.0/24 ~all\n" for n in range(3))
HOSTS = "v.example TXT v=spf1 mx:m.example mx:n.example a:x.example -all\nx.example A 10.0.0.9\n"
HOSTS += "".join(
    f"{m}.example MX {n} {m}{n}.example\n{m}{n}.example A 10.0.0.{n}\n" for m in "mn" for n in range(MAX_HOSTS)
)
MIXED = (
    "v.example TXT v=spf1 a mx include:s.example exists:%{ir}.list.example ptr:p.example -all\nv.example A 10.0.0.1\n"
)
MIXED += "v.example MX 1 m.example\nm.example A 10.0.0.2\ns.example TXT v=spf1 include:t.example a:u.example ~all\n"
MIXED += (
    f"t.example TXT v=spf1 ip4:10.0.0.0/8 ~all\nu.example A 10.0.0.3\n{CLIENT} PTR p.example\np.example A {CLIENT}\n"
)


@pytest.mark.parametrize(
    ("zone", "trips", "questions", "result"),
    [
        (WIDE, 2, 9, "pass"),
        (GOOGLE, 3, 5, "softfail"),
        (HOSTS, 3, 24, "fail"),
        (MIXED, 3, 10, "pass"),
        ("", 1, 1, "none"),
        (f"v.example TXT v=spf1 ip4:{CLIENT} -all", 1, 1, "pass"),
        ("v.example TXT v=spf1 a:x.example a:y.example a:z.example -all", 2, 4, "permerror"),
    ],
    ids=["wide", "nested", "hosts", "mixed", "none", "literal", "void"],
)
def test_wait_is_the_depth(zone: str, trips: int, questions: int, result: str) -> None:
    checked, lookup = walk(zone)
    assert checked.spf.result == result
    assert lookup.waits == trips
    assert lookup.now == pytest.approx(trips * TRIP)
    assert len(lookup.begun) == questions


def test_without_asking_ahead_the_wait_is_the_number() -> None:
    for zone, trips in ((WIDE, 9), (GOOGLE, 5), (HOSTS, 24)):
        assert walk(zone, ahead=False)[1].waits == trips


def test_ipv6_client() -> None:
    zone = f"v.example TXT v=spf1 mx a:x.example -all\nv.example MX 1 m.example\nm.example AAAA {CLIENT6}\n"
    checked, lookup = walk(zone + "x.example AAAA 2001:db8::2", CLIENT6)
    assert checked.spf.result == "pass"
    assert lookup.waits == 3
    assert {question.type for question in lookup.begun} == {"TXT", "MX", "AAAA"}


def test_what_is_not_needed_is_not_waited_for() -> None:
    zone = f"v.example TXT v=spf1 include:fast.example include:slow.example -all\nfast.example TXT v=spf1 ip4:{CLIENT} -all\n"
    checked, lookup = walk(zone + "slow.example SILENT")
    assert checked.spf.result == "pass"
    assert checked.unused == 1
    assert lookup.now == pytest.approx(2 * TRIP)


def test_deeper_levels_are_asked_while_an_earlier_answer_is_awaited() -> None:
    zone = "v.example TXT v=spf1 include:slow.example include:d1.example -all\nslow.example TXT v=spf1 -all\n"
    zone += "".join(f"d{n}.example TXT v=spf1 include:d{n + 1}.example -all\n" for n in range(1, 6))
    zone += f"d6.example TXT v=spf1 ip4:{CLIENT} -all"
    checked, lookup = walk(zone, delays={Question("slow.example", "TXT"): 6 * TRIP}.get)
    assert checked.spf.result == "pass"
    assert lookup.now == pytest.approx(7 * TRIP)


def test_a_dead_zone_that_is_needed_costs_one_silence_not_one_each() -> None:
    zone = "v.example TXT v=spf1 ptr a -all\nv.example A 10.0.0.1\n"
    zone += "".join(f"{CLIENT} PTR p{n}.v.example\np{n}.v.example SILENT\n" for n in range(10))
    checked, lookup = walk(zone)
    assert checked.spf.result == "fail"
    assert lookup.now == pytest.approx(2 * TRIP + SILENCE)


# The evaluation ends at a silent name's question, or before it: at a limit, with an error, or at a macro.
NEEDLESS = {
    "void limit": ("a:x.example a:y.example a:z.example include:dead.example -all", "permerror"),
    "match": (f"a:m.example include:dead.example ip4:{CLIENT} -all", "pass"),
    "macro": ("exists:%{i}.m.example include:dead.example -all", "pass"),
    "validated name": ("exists:%{p}.n.example include:dead.example -all", "pass"),
    "explanation": ("-a:m.example exp=dead.example", "fail"),
    "error": ("include:none.example include:dead.example -all", "permerror"),
}
DEAD = f"m.example A {CLIENT}\n{CLIENT}.m.example A {CLIENT}\nunknown.n.example A {CLIENT}\ndead.example SILENT\n"


@pytest.mark.parametrize(("record", "result"), NEEDLESS.values(), ids=NEEDLESS)
def test_an_answer_that_is_not_needed_is_not_waited_for(record: str, result: str) -> None:
    checked, lookup = walk(f"{DEAD}v.example TXT v=spf1 {record}")
    assert checked.spf.result == result
    assert lookup.now < 1 < SILENCE


@pytest.mark.parametrize("zone", [WIDE, GOOGLE], ids=["wide", "nested"])
def test_one_evaluation_is_enough(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, run_once = [], Evaluation.run

    def counted(self: Evaluation) -> EvaluationResult | None:
        runs.append(self)
        return run_once(self)

    monkeypatch.setattr(Evaluation, "run", counted)
    walk(zone)
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("record", "ahead"),
    [
        # Nothing is asked after a certain match
        (f"ip4:{CLIENT} include:x.example", set()),
        ("ip4:192.0.0.0/8 a mx ptr", set()),
        ("-all include:x.example", set()),
        ("ip6:::/0 include:x.example", {("x.example", "TXT")}),
        ("ip4:10.0.0.1 include:x.example all a", {("x.example", "TXT")}),
        # Questions that will be needed
        ("a", {("v.example", "A")}),
        ("a:x.example/24//64", {("x.example", "A")}),
        ("mx", {("v.example", "MX")}),
        ("mx:x.example/24", {("x.example", "MX")}),
        ("ptr", {(REVERSE, "PTR")}),
        ("exists:%{ir}._spf.%{d}", {("1.2.0.192._spf.v.example", "A")}),
        ("exists:%{l}.%{h}.example", {("a.mx.v.example.example", "A")}),
        ("exists:%{p}.example a", {(REVERSE, "PTR"), ("v.example", "A")}),
        ("redirect=x.example", {("x.example", "TXT")}),
        ("redirect=x.example all", set()),
        ("INCLUDE:X.Example. Redirect=y.example", {("x.example", "TXT"), ("y.example", "TXT")}),
        ("unknown=x a", {("v.example", "A")}),
        ("a REDIRECT=x.example", {("v.example", "A"), ("x.example", "TXT")}),
        ("redirect=x.example a:y.example -all", {("y.example", "A")}),
        ("a rr=e rr=f op=x op=y", {("v.example", "A")}),
        # Explanations, if the result can be fail
        ("a -all exp=e.example", {("v.example", "A"), ("e.example", "TXT")}),
        ("exp=e.example -a ~all", {("v.example", "A"), ("e.example", "TXT")}),
        ("a ~all exp=e.example", {("v.example", "A")}),
        (f"ip4:{CLIENT} -all exp=e.example", set()),
        # An invalid record ends the evaluation
        ("a moo", set()),
        ("a:%{x}.example", set()),
        ("a/33", set()),
        ("ip4:1.2.3", set()),
        ("a exists:%{c}.example", set()),
        ("a -exists", set()),
        ("a ?include", set()),
        ("a ptr:", set()),
        ("a exp=", set()),
        ("a Redirect=", set()),
        ("a redirect=x.example Redirect=x.example", set()),
        ("a op=%", set()),
        # Names that cannot be or are not looked up
        ("include:%{l} a", set()),
        ("exists:%{l9999999999}..%{d} a", {("v.example", "A")}),
        ("a:x..example include:y.example", {("y.example", "TXT")}),
        # Terms beyond the limit are an error and not asked for
        (" ".join(f"a:x{n}.example" for n in range(20)), {(f"x{n}.example", "A") for n in range(10)}),
    ],
)
def test_what_is_asked_ahead(record: str, ahead: set[tuple[str, str]]) -> None:
    top = Question("v.example", "TXT")
    known = {top: Answer(top, "ok", (f"v=spf1 {record}".encode(),), 60.0)}
    assert {(question.name, question.type) for question in prefetch().wanted(known)} == ahead


def prefetch() -> Prefetch:
    """Return the Prefetch of a check of a@v.example."""
    client = ip_address(CLIENT)
    letters = {"l": "a", "h": "mx.v.example", "i": CLIENT, "v": "in-addr", "s": "a@v.example", "o": "v.example"}
    return Prefetch(client, AddressMatcher(client), "v.example", letters, 10)


def test_at_first_the_record_is_asked() -> None:
    assert prefetch().wanted({}) == [Question("v.example", "TXT")]


@pytest.mark.parametrize("status", ["servfail", "timeout", "nxdomain", "nodata"])
def test_without_a_record_nothing_is_asked(status: Any) -> None:
    top = Question("v.example", "TXT")
    assert prefetch().wanted({top: Answer(top, status)}) == []


def test_hosts_of_an_mx_that_is_an_error_are_not_asked() -> None:
    top, mx = Question("v.example", "TXT"), Question("v.example", "MX")
    known = {
        top: Answer(top, "ok", (b"v=spf1 mx -all",)),
        mx: Answer(mx, "ok", tuple((n, f"m{n}.example") for n in range(11))),
    }
    assert prefetch().wanted(known) == []
    known[mx] = Answer(mx, "ok", tuple((n, f"m{n}.example") for n in range(10)))
    assert len(prefetch().wanted(known)) == 10


def test_a_loop_of_includes_ends() -> None:
    checked, lookup = walk("v.example TXT v=spf1 include:w.example\nw.example TXT v=spf1 include:v.example")
    assert checked.spf.result == "permerror"
    assert len(lookup.begun) == 2


@pytest.mark.parametrize(
    ("texts", "policy"),
    [
        ((b"v=spf1 -all",), "v=spf1 -all"),
        ((b"x", b"V=SPF1"), "V=SPF1"),
        ((b"v=spf10 -all", b"v=spf1-all"), ""),
        ((b"v=spf1 -all", b"v=spf1 +all"), ""),
        ((b"v=spf1 \xff",), ""),
        ((b"v=spf1 " + b"a" * 4089,), "v=spf1 " + "a" * 4089),
        ((b"v=spf1 " + b"a" * 4090,), ""),
        ((), ""),
    ],
)
def test_which_record_it_is(texts: tuple[bytes, ...], policy: str) -> None:
    assert record_text(Answer(Question("v.example", "TXT"), "ok", texts)) == policy


def test_neighbours() -> None:
    four, six = AddressMatcher(ip_address(CLIENT)), AddressMatcher(ip_address(CLIENT6))
    assert four.matches("192.0.2.1", 32)
    assert not four.matches("192.0.2.2", 32)
    assert four.matches("192.0.2.2", 24)
    assert four.matches("10.0.0.1", 0)
    assert six.matches("2001:DB8::2", 64)
    assert not six.matches("2001:db8::2", 128)
    for text, prefix in (("2001:db8::1", 32), ("192.0.2", 32), ("192.0.2.1", 33)):
        with pytest.raises(ValueError, match=r".+"):
            four.matches(text, prefix)


NAMES = [f"{label}.example" for label in "vwxyz"]
TERMS = st.one_of(
    st.sampled_from([f"include:{name}" for name in NAMES]),
    st.sampled_from([f"{kind}:{name}" for kind in ("a", "mx", "-a", "~mx", "exists", "ptr") for name in NAMES]),
    st.sampled_from(
        ["a", "mx", "ptr", "-ptr", "ip4:192.0.2.0/24", "ip4:10.0.0.0/8", "-all", "?all", "exists:%{l}.%{d}", "a:%{p}"]
    ),
    st.sampled_from(["exp=x.example", "redirect=w.example", "redirect=z.example", "a:%{h}", "a:a..example", "x=y"]),
)
RARE = st.sampled_from([(), (), (), (), (), ("moo",), ("a:%{x}",)])
RECORDS = st.builds(
    lambda terms, rare: " ".join(["TXT v=spf1", *terms, *rare]), st.lists(TERMS, min_size=1, max_size=6), RARE
)
ADDRESSES = st.sampled_from([("A 192.0.2.1",), ("A 10.0.0.1", "A 192.0.2.1"), ("A 10.0.0.1",), ("A 10.0.0.2",), ()])
HOSTS_OF = st.lists(st.sampled_from([f"MX 1 {name}" for name in NAMES]), max_size=3).map(tuple)
TROUBLE = st.sampled_from([(), (), (), (), (), ("A!SERVFAIL",), ("TXT!SERVFAIL",), ("MX!SERVFAIL",), ("TXT!SILENT",)])
OWNERS = st.tuples(RECORDS.map(lambda record: (record,)), ADDRESSES, HOSTS_OF, TROUBLE)
ZONES = st.fixed_dictionaries(dict.fromkeys(NAMES, OWNERS))
POINTERS = st.lists(
    st.sampled_from([f"{CLIENT} PTR {name}\n" for name in NAMES] + [f"{CLIENT} SERVFAIL\n"]), max_size=4
)


@settings(max_examples=300, deadline=None)
@given(ZONES, POINTERS, st.integers(0, 1000))
def test_asking_ahead_never_changes_a_finding(
    owners: dict[str, tuple[tuple[str, ...], ...]], names: list[str], seed: int
) -> None:
    """The result is the same for any records and any order of the answers, and never takes longer."""
    zone = "".join(f"{owner} {right}\n" for owner, parts in owners.items() for part in parts for right in part)
    zone += "".join(names)

    def delays(question: Question) -> float | None:
        return TRIP * (1 + sum(map(ord, question.name + question.type), seed) % 7)

    ahead, fast = walk(zone, delays=delays)
    plain, slow = walk(zone, ahead=False, delays=delays)
    assert replace(ahead.spf, explanation="") == replace(plain.spf, explanation="")
    if ahead.spf.result != "fail":  # an explanation is waited for briefly only, and can be missing
        assert (ahead.ttl, ahead.message_specific) == (plain.ttl, plain.message_specific)
        assert len(fast.begun) - ahead.unused == len(slow.begun)
        assert fast.now <= slow.now + 1e-9
