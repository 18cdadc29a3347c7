"""What a check finds beside the result: explanation, lifetime, whose it is; and whom its limits concern."""

from __future__ import annotations

import math
from ipaddress import ip_address

import pytest
import spf as pyspf

from rdns_milter.checks.evidence import Spf
from rdns_milter.checks.spf import CheckHostResult, Limits, check_host, helo_mailbox
from rdns_milter.net.mailboxes import Mailbox, parse_mailbox
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Question
from tests.kit.data.spf.case import CLIENT, Case, check, find
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ('"You are %{c}, %{s} of %{d}, not %{p}."', "You are 192.0.2.1, a@v.example of v.example, not unknown."),
        ('"See http://v.example/?s=%{S}"', "See http://v.example/?s=a%40v.example"),
        ('"' + "x" * 300 + '"', "x" * 250),
        ('"A sentence. ' + "And more of it. " * 20 + '"', ("A sentence. " + "And more of it. " * 20)[:250]),
        ('"' + "x" * 600 + '"', ""),
        ('"See\\013\\010X-Injected: 1"', ""),
        ('"\\000"', ""),
        ('"\\195\\164"', ""),
        ('"100 %"', ""),
        ('"%{x}"', ""),
        ('""', ""),
    ],
)
def test_explanation(text: str, explanation: str) -> None:
    checked = find("v=spf1 -all exp=e.v.example", f"e.v.example TXT {text}")
    assert checked.spf.result == "fail"
    assert checked.spf.explanation == explanation


def test_explanation_with_control_octets_of_the_sender_is_left_out() -> None:
    zone = "e.v.example TXT No %{l} here"
    assert find("v=spf1 -all exp=e.v.example", zone, sender="a\x07b@v.example").spf.explanation == ""
    assert find("v=spf1 -all exp=e.v.example", zone, sender="\u00e4@v.example").spf.explanation == ""


@pytest.mark.parametrize(
    ("receiver", "name"),
    [
        ("mx.receiver.example", "mx.receiver.example"),
        ("MX.Receiver.Example", "MX.Receiver.Example"),
        ("mx.b\u00fccher.example", "mx.xn--bcher-kva.example"),
        ("mx", "unknown"),
        ("", "unknown"),
        ("[192.0.2.25]", "unknown"),
        ("mx.\r\n.example", "unknown"),
    ],
)
def test_an_explanation_may_name_the_receiver(receiver: str, name: str) -> None:
    lookup = VirtualTimeLookup(Zone("v.example TXT v=spf1 -all exp=e.example\ne.example TXT Not to %{r}, nor to %{R1}"))
    check = check_host(
        lookup, ip_address(CLIENT), parse_mailbox("a@v.example"), "h", limits=Limits(), receiver=receiver
    )
    checked = run(check)
    assert checked.spf.explanation == f"Not to {name}, nor to {name.rpartition('.')[2]}"
    assert checked.message_specific


@pytest.mark.parametrize(
    "record", ["v=spf1 ~all exp=e.v.example", "v=spf1 +all exp=e.v.example", "v=spf1 ?all exp=e.v.example"]
)
def test_only_a_fail_is_explained(record: str) -> None:
    checked, lookup = check(Case("", record, "e.v.example TXT Why", ""))
    assert checked.spf.explanation == ""
    assert Question("e.v.example", "TXT") not in lookup.begun


def test_dead_explanations_cost_a_moment() -> None:
    """packaging/doc/platform.md 4.2: pyspf waits for each of them in turn, though nobody will read one."""
    includes = " ".join(f"include:i{n}.v.example" for n in range(10))
    zone = "e.v.example SILENT\n" + "".join(
        f"i{n}.v.example TXT v=spf1 -all exp=e{n}.v.example\ne{n}.v.example SILENT\n" for n in range(10)
    )
    checked, lookup = check(Case("", f"v=spf1 {includes} -all exp=e.v.example", zone, ""))
    assert checked.spf.result == "fail"
    assert checked.spf.explanation == ""
    assert not [question for question in lookup.begun if question.name == "e3.v.example"]
    assert lookup.now < 0.25


def test_explanation_comes_along_without_another_wait() -> None:
    _, lookup = check(Case("", "v=spf1 include:w.example -all exp=e.v.example",
                           "w.example TXT v=spf1 -all\ne.v.example TXT Why", ""))  # fmt: skip
    assert lookup.waits == 2


@pytest.mark.parametrize(
    ("record", "message_specific"),
    [
        ("v=spf1 -all", False),
        ("v=spf1 exists:%{ir}.%{v}.%{d}.%{o}.v.example -all", False),
        ("v=spf1 exists:%{p}.v.example -all", False),
        ("v=spf1 exists:%{l}.v.example -all", True),
        ("v=spf1 exists:%{s}.v.example -all", True),
        ("v=spf1 exists:%{L1r-}.v.example -all", True),
        ("v=spf1 exists:%{h}.v.example -all", True),
        ("v=spf1 include:w.example -all", True),
        ("v=spf1 redirect=w.example", True),
        ("v=spf1 -all exp=t.v.example", True),
        ("v=spf1 -all exp=c.v.example", False),
        ("v=spf1 -all exp=r.v.example", True),
        ("v=spf1 ?all exp=r.v.example", False),
        # What is not come to, and what is ignored, has no part in it
        (f"v=spf1 ip4:{CLIENT} exists:%{{l}}.v.example -all", False),
        ("v=spf1 x=%{l} -all", False),
    ],
)
def test_what_is_personal(record: str, message_specific: bool) -> None:
    zone = "w.example TXT v=spf1 -exists:%{h}.v.example -all\nt.v.example TXT It is %{t}\nc.v.example TXT You are %{c}"
    zone += "\nr.v.example TXT I am %{r}"
    assert find(record, zone).message_specific is message_specific


def test_ttl_is_the_least_of_what_was_used() -> None:
    zone = "v.example 500 TXT v=spf1 a:x.v.example include:y.v.example -all\n"
    zone += f"x.v.example 70 A {CLIENT}\ny.v.example 3 TXT v=spf1 -all"
    checked, lookup = check(Case("", "", zone, ""))
    assert checked == CheckHostResult(Spf("pass", "v.example", "a:x.v.example"), 70.0, False, 1)
    assert Question("y.v.example", "TXT") in lookup.begun


def test_ttl_of_a_negative_answer_counts() -> None:
    assert find("v=spf1 a:x.v.example -all").ttl == 300.0


def test_ttl_without_any_question_is_without_end() -> None:
    assert find("v=spf1 -all", sender="a@localhost") == CheckHostResult(Spf("none"), math.inf, False, 0)


def test_a_greeting_is_an_identity() -> None:
    assert helo_mailbox("MX.V.example.") == Mailbox("postmaster", "mx.v.example")
    assert helo_mailbox("[192.0.2.1]").domain == "[192.0.2.1]"
    lookup = VirtualTimeLookup(
        Zone("mx.v.example TXT v=spf1 exists:%{l}.v.example -all\npostmaster.v.example A 192.0.2.9")
    )
    mailbox = helo_mailbox("MX.V.example.")
    assert run(check_host(lookup, ip_address(CLIENT), mailbox, "MX.V.example.", limits=Limits())).spf.result == "pass"
    for greeting in ("[192.0.2.1]", "[IPv6:2001:db8::1]", "localhost", "", "h\r\nx.example", "192.0.2.1"):
        checked = run(check_host(lookup, ip_address(CLIENT), helo_mailbox(greeting), greeting, limits=Limits()))
        assert checked == CheckHostResult(Spf("none"))


@pytest.mark.parametrize(
    ("error", "result", "problem"),
    [
        (KeyError("x"), "temperror", "pyspf: KeyError"),
        (AttributeError("x"), "temperror", "pyspf: AttributeError"),
        (RecursionError("x"), "temperror", "pyspf: RecursionError"),
        (IndexError("x"), "temperror", "pyspf: IndexError"),
        (ValueError("Exceeds the limit"), "permerror", "Exceeds the limit"),
        (
            UnicodeDecodeError("ascii", b"\xff", 0, 1, "why"),
            "permerror",
            "'ascii' codec can't decode byte 0xff in position 0: why",
        ),
        (AssertionError("deep"), "permerror", "deep"),
    ],
)
def test_whatever_pyspf_lets_out_is_classed(
    error: Exception, result: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check0(self: object, spf: object, recursion: int) -> None:
        raise error

    monkeypatch.setattr(pyspf.query, "check0", check0)
    assert find("v=spf1 a -all").spf == Spf(result, "v.example", problem=problem)


def test_limits_are_of_the_check_not_of_the_process() -> None:
    before = {name: value for name, value in vars(pyspf).items() if name.startswith("MAX_")}
    record, zone = "v=spf1 a:x.v.example a:y.v.example -all", ""
    assert find(record, zone, limits=Limits(1)).spf.result == "permerror"
    assert find(record, zone, limits=Limits(10, 1)).spf.result == "permerror"
    assert find(record, zone).spf.result == "fail"
    assert {name: value for name, value in vars(pyspf).items() if name.startswith("MAX_")} == before


def test_questions_are_bounded_whatever_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "questions", property(lambda self: 3))
    checked, lookup = check(Case("", "v=spf1 a:x.v.example a:y.v.example a:z.v.example -all",
                                 "x.v.example A 192.0.2.9\ny.v.example A 192.0.2.9\nz.v.example A 192.0.2.9", ""))  # fmt: skip
    assert checked.spf == Spf("temperror", "v.example", problem="too many questions")
    assert len(lookup.begun) == 3


def test_a_lookup_that_answers_nothing_ends_the_check() -> None:
    class Silent(VirtualTimeLookup):
        async def first(self, questions: object) -> tuple[()]:
            return ()

    checked = run(check_host(Silent(Zone("")), ip_address(CLIENT), parse_mailbox("a@v.example"), "h", limits=Limits()))
    assert checked.spf.result == "temperror"
