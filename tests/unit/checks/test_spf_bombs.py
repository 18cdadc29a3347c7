"""SPF records that are made to be slow get a result, and block the event loop for short periods only (packaging/doc/platform.md
4.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

from rdns_milter.checks.spf import CheckHostResult, Limits, check_host
from rdns_milter.checks.spf_evaluation import Evaluation, EvaluationResult
from rdns_milter.checks.spf_record import MAX_RECORD, MAX_TERM
from rdns_milter.net.mailboxes import Mailbox
from rdns_milter.resolver.instant_lookup import run
from rdns_milter.resolver.lookup import Answer, Question, never_enough
from tests.kit.dns.virtual_time_lookup import VirtualTimeLookup
from tests.kit.dns.zone import Zone

CLIENT = "192.0.2.1"
# The longest time for which a check may block the event loop, as a multiple of that of an ordinary check in the same run. At most
# 200 was measured. pyspf itself takes 4 to 15 s for the first two records, which is more than 50,000.
STRETCH = 1000
RUNS = 3


@dataclass
class Watched:
    """A Lookup that measures the CPU time of a check between its waits. `longest`: in seconds."""

    inner: VirtualTimeLookup
    longest: float = 0.0
    began: float = field(default_factory=time.thread_time)

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        """See Lookup.ask."""
        self.lap()
        answers = await self.inner.ask(questions, enough)
        self.began = time.thread_time()
        return answers

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """See Lookup.first."""
        self.lap()
        answers = await self.inner.first(questions)
        self.began = time.thread_time()
        return answers

    def lap(self) -> None:
        """End a period without a wait."""
        self.longest = max(self.longest, time.thread_time() - self.began)


def explode(
    records: Mapping[str, Sequence[tuple[str, Any]]], one_by_one: bool = False, local: str = "a"
) -> tuple[CheckHostResult, Watched]:
    """Return the result of a check, and its Lookup. `one_by_one`: no two answers arrive at the same time."""
    order: dict[Question, float] = {}
    lookup = VirtualTimeLookup(Zone(records))
    if one_by_one:
        lookup.delays = lambda question: order.setdefault(question, 0.01 + len(order) / 1000)
    watched = Watched(lookup)
    check = check_host(watched, ip_address(CLIENT), Mailbox(local, "v.example"), "mx.v.example", limits=Limits())
    checked = run(check)
    watched.lap()
    return checked, watched


def longest_stretch(
    records: Mapping[str, Sequence[tuple[str, Any]]], one_by_one: bool = False, local: str = "a"
) -> float:
    """Return the shortest result of several runs: a garbage collection makes a run longer."""
    return min(explode(records, one_by_one, local)[1].longest for _ in range(RUNS))


def record(*terms: str) -> list[tuple[str, Any]]:
    """Return the data of a name with one SPF record."""
    return [("TXT", ("v=spf1 " + " ".join(terms)).encode())]


def included(*terms: str) -> dict[str, list[tuple[str, Any]]]:
    """Return a record that includes ten others with these terms."""
    tree = {"v.example": record(*(f"include:i{n}.example" for n in range(10)), "-all")}
    return tree | {f"i{n}.example": record(*terms) for n in range(10)}


def mail_exchangers(addresses: int) -> dict[str, list[tuple[str, Any]]]:
    """Return a record with ten `mx` of ten hosts, each with this number of addresses."""
    tree: dict[str, list[tuple[str, Any]]] = {"v.example": record(*(f"mx:m{n}.example" for n in range(10)), "-all")}
    for n in range(10):
        tree[f"m{n}.example"] = [("MX", f"{k} h{k}.m{n}.example.") for k in range(10)]
        for k in range(10):
            tree[f"h{k}.m{n}.example"] = [("A", f"10.{k}.{a // 256}.{a % 256}") for a in range(addresses)]
    return tree


HOSTS_BEHIND = frozenset(f"h{k}.m0.example" for k in range(5, 10))
SLOW = [f"exists:{n}%{{d}}{'.a' * 240}.com" for n in range(7)]  # of the greatest length, and the slowest for pyspf
ORDINARY = {
    "v.example": record("mx", "a:h.example", "include:i.example", "-all"),
    "i.example": record("ip4:10.0.0.0/8", "a", "?all"),
}
BOMBS: Mapping[str, tuple[dict[str, list[tuple[str, Any]]], str, str]] = {
    "long-term": ({"v.example": record("a:b." + "a" * 20_000 + "!")}, "permerror", "Record of 20012 bytes"),
    "long-labels": ({"v.example": record("exists:%{d}" + ".a" * 20_000)}, "permerror", "Record of 40018 bytes"),
    "long-everything": ({"v.example": record(*["include:x.example"] * 3000)}, "permerror", "Record of 54006 bytes"),
    "spaces": ({"v.example": record(" " * 60_000)}, "permerror", "Record of 60007 bytes"),
    "4300-digits": ({"v.example": record("a/" + "1" * 5000)}, "permerror", "Record of 5009 bytes"),
    "digits": ({"v.example": record("a/" + "1" * 500)}, "permerror", f"Invalid IP4 CIDR length: a/{'1' * 500}"[:197] + "..."),
    "macro-digits": ({"v.example": record("a:%{d" + "1" * 3000 + "}.example")}, "permerror", "Term of more than 512 bytes"),
    "slow-terms": (included(*SLOW, "?all"), "permerror", "More than 2 lookups found nothing"),
    "slow-alternatives": (included(*(f"x{n}=%{{d}}{'.a' * 240}" for n in range(7))), "fail", ""),
    "braces": ({"v.example": record("a:" + "%{" * 250 + ".com")}, "permerror", f"Invalid macro: a:{'%{' * 250}"[:197] + "..."),
    "modifiers": (included(*(f"a{n}=x" for n in range(500))), "fail", ""),
    "ip4": (included(*(f"ip4:10.{n // 250}.{n % 250}.0" for n in range(280))), "fail", ""),
    "ip6": (included(*(f"ip6:2001:db8:{n:x}:2:3:4:5:6" for n in range(140))), "fail", ""),
    "hosts": (mail_exchangers(40), "fail", ""),
    "addresses": (mail_exchangers(200), "permerror", "More than 5000 addresses"),
    "local-part": ({"v.example": record(*[f"ptr:{'%{l}' * 9}"] * 10)}, "permerror", "Macros expand too far"),
    "local-parts": (included(*(f"x{n}=%{{l{n}r}}" for n in range(1, 300))), "fail", ""),
    "many-texts": ({"v.example": record("-all") + [("TXT", f"x{n}") for n in range(3000)]}, "fail", ""),
    "many-records": ({"v.example": [("TXT", f"v=spf1 a{n}=x -all") for n in range(3000)]}, "permerror",
                     "Two or more type TXT spf records found."),
    "explanation": ({"v.example": record("-all", "exp=e.example"), "e.example": [("TXT", b"%%" + b"." * 60_000)]}, "fail", ""),
}  # fmt: skip


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at-once", "one-by-one"])
@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, one_by_one: bool) -> None:
    records, result, problem = BOMBS[name]
    checked, watched = explode(records, one_by_one, local="a.b" * 300)
    assert (checked.spf.result, checked.spf.problem) == (result, problem)
    assert checked.spf.explanation == ""
    assert longest_stretch(records, one_by_one, local="a.b" * 300) < STRETCH * longest_stretch(ORDINARY)
    assert len(watched.inner.begun) <= Limits().questions


@pytest.mark.parametrize(
    ("length", "result"), [(MAX_RECORD, "fail"), (MAX_RECORD + 1, "permerror"), (60_000, "permerror")]
)
def test_length_of_a_record(length: int, result: str) -> None:
    text = "v=spf1 ip4:10.0.0.1 -all"
    checked, _ = explode({"v.example": [("TXT", text + " " * (length - len(text)))]})
    assert checked.spf.result == result
    included = {
        "v.example": record("include:x.example", "-all"),
        "x.example": [("TXT", text + " " * (length - len(text)))],
    }
    assert explode(included)[0].spf.result == result
    redirected = {"v.example": record("redirect=x.example"), "x.example": included["x.example"]}
    assert explode(redirected)[0].spf.result == result


@pytest.mark.parametrize(("length", "result"), [(MAX_TERM, "fail"), (MAX_TERM + 1, "permerror")])
def test_length_of_a_term(length: int, result: str) -> None:
    term = "x=" + "a" * (length - 2)
    assert explode({"v.example": record(term, "-all")})[0].spf.result == result


def test_text_that_is_no_spf_record_may_have_any_length() -> None:
    records = {"v.example": [*record("-all"), ("TXT", b"v=spf2 " + b"a" * 60_000), ("TXT", b"v=spf1" + b"a" * 60_000)]}
    assert explode(records)[0].spf.result == "fail"


def test_the_most_expensive_valid_record_has_a_result() -> None:
    """Ten `mx` of ten hosts, then an explanation with the client's name: 1 + 10 + 100 and 1 + 10 + 1 questions."""
    tree = mail_exchangers(1)
    tree["v.example"] = record(*(f"mx:m{n}.example" for n in range(10)), "-all", "exp=%{p}.example")
    tree[CLIENT] = [("PTR", f"p{n}.example.") for n in range(12)]
    checked, watched = explode(tree)
    assert checked.spf.result == "fail"
    assert len(watched.inner.begun) == 123


@pytest.mark.parametrize("one_by_one", [False, True], ids=["at-once", "one-by-one"])
def test_evaluations_do_not_grow_with_answers(one_by_one: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten `mx` of ten hosts: 111 questions, but only 12 evaluations: the first, one for each `mx`, and the last."""
    evaluations = 0
    evaluate = Evaluation.run

    def counted(self: Evaluation) -> EvaluationResult | None:
        nonlocal evaluations
        evaluations += 1
        return evaluate(self)

    monkeypatch.setattr(Evaluation, "run", counted)
    checked, watched = explode(mail_exchangers(1), one_by_one)
    assert checked.spf.result == "fail"
    assert len(watched.inner.begun) == 111
    assert evaluations <= 12


def test_a_match_does_not_wait_for_the_hosts_after_it() -> None:
    """The evaluation ends at the host that matches. It does not wait for the hosts after it, which never answer."""
    tree = mail_exchangers(1)
    tree["v.example"] = record("mx:m0.example", "-all")
    tree["h4.m0.example"] = [("A", CLIENT)]
    lookup = VirtualTimeLookup(Zone(tree))
    lookup.delays = lambda question: 50.0 if question.name in HOSTS_BEHIND else None
    checked = run(check_host(lookup, ip_address(CLIENT), Mailbox("a", "v.example"), "mx.v.example", limits=Limits()))
    assert checked.spf.result == "pass"
    assert lookup.now < 1.0
