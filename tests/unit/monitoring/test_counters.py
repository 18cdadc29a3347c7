"""What is counted, and how it is told: the table, the memory, the text. Processes: tests/wire/test_metrics.py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter import __version__
from rdns_milter.checks.evidence import FACTS, LOOKED_UP, SOURCES, Cost, Evidence, Generic, Helo, Iprev, Late, Spf
from rdns_milter.logs.output import Sink
from rdns_milter.monitoring.alarms import CROWDED_OUT, Alarm
from rdns_milter.monitoring.counters import Counters
from rdns_milter.monitoring.exposition import Exposition
from rdns_milter.monitoring.metric_definitions import (
    CELLS,
    FIXED_RULES,
    MAX_RULES,
    MAX_SERVERS,
    OTHER,
    OUTCOMES,
    PREFIX,
    ROW_CELLS,
    SERIES,
    SLOTS,
    STAGES,
)
from rdns_milter.monitoring.parent_counters import ParentCounters
from rdns_milter.monitoring.shared_memory import MAX_SILENCE, PolicySnapshot, SharedMemory
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import ACTIONS, Policy, Rule, Verdict
from rdns_milter.session import session
from tests.kit.data import documents
from tests.kit.data.metrics_page import Page, scraped
from tests.kit.data.strategies import evidences

EVIDENCE = Evidence(
    iprev=Iprev("pass", "confirmed"),
    generic=Generic("no"),
    helo=Helo("fqdn", "no", "pass", "same"),
    spf_helo=Spf("pass"),
    spf_mailfrom=Spf("softfail"),
    mailfrom_match="same",
)
BEGAN = 1000.0


def rules(*names: str, action: str = "reject", shadow: bool = False) -> Policy:
    """A policy of such rules."""
    return Policy(tuple(Rule(name, action=action, shadow=shadow) for name in names), digest="abc123")


def page(parent: ParentCounters, now: float = BEGAN) -> Page:
    """What is told of them."""
    return scraped(Exposition(parent.memory, lambda: now, BEGAN).text().decode())


# The table


def test_names_and_labels_are_as_promised() -> None:
    """Dashboards of others hang on these."""
    assert {name: series.labels for name, series in SERIES.items()} == {
        "messages_total": (),
        "decisions_total": ("action", "rule"),
        "would_total": ("action",),
        "shadow_hits_total": ("rule",),
        "softened_total": (),
        "facts_total": ("fact", "value"),
        "forged_fields_total": (),
        "late_facts_total": ("fact",),
        "wait_seconds": ("stage",),
        "fact_waits_total": ("stage", "fact"),
        "fact_wait_seconds_total": ("stage", "fact"),
        "dns_queries_total": ("type", "outcome"),
        "dns_query_seconds": (),
        "dns_cache_hits_total": (),
        "dns_coalesced_total": (),
        "dns_crowded_out_total": (),
        "dns_spared_total": (),
        "dns_vain_total": (),
        "dns_outstanding": (),
        "resolver_up": ("server",),
        "connections_open": (),
        "workers_alive": (),
        "workers_outdated": (),
        "worker_restarts_total": (),
        "reloads_total": ("outcome",),
        "log_lines_dropped_total": (),
        "internal_errors_total": (),
        "alarms_total": ("alarm",),
        "uptime_seconds": (),
        "policy_info": ("digest", "mode"),
        "build_info": ("version",),
    }


def test_names_follow_prometheus() -> None:
    for name, series in SERIES.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (series.kind == "counter"), name
        assert name.endswith("_info") == (series.kind == "info"), name
        assert bool(series.buckets) == (series.kind == "histogram"), name
        assert series.timed <= name.endswith("_seconds_total"), name
        assert series.help.endswith("."), name
        assert list(series.buckets) == sorted(series.buckets)


def test_each_cell_is_somebodys() -> None:
    taken: list[int] = []
    for key, first in CELLS.items():
        buckets = SERIES[str(key[0])].buckets
        taken += range(first, first + (len(buckets) + 2 if buckets else 1))
    assert sorted(taken) == list(range(3, ROW_CELLS))


def test_words_are_those_of_the_others() -> None:
    assert STAGES == (session.RCPT, session.END)
    assert {key[1] for key in CELLS if key[0] == "facts_total"} == {*FACTS, *SOURCES}
    for why in ("network", "authenticated", "not-ip"):
        assert decide(replace(EVIDENCE, exempt=why), Policy()).rule in FIXED_RULES
    assert decide(EVIDENCE, Policy()).rule in FIXED_RULES


def test_the_table_in_the_documentation() -> None:
    written = [
        [documents.code(cells[0])[0], cells[1], documents.code(cells[2]), cells[3]]
        for cells in documents.table("series")
    ]
    assert written == [
        [PREFIX + name, series.kind, list(series.labels), series.help] for name, series in SERIES.items()
    ]


# Counting


@given(st.lists(st.tuples(evidences(), st.sampled_from(ACTIONS)), max_size=20))
@settings(max_examples=50, deadline=None)
def test_every_decision_is_found_again(decisions: list[tuple[Evidence, str]]) -> None:
    parent = ParentCounters(1)
    parent.publish(rules("one"), (), ())
    counters = Counters(parent.memory, 0)
    for evidence, action in decisions:
        counters.decided(Verdict(action, "one"), evidence)
    told = page(parent)
    assert told.value("decisions_total") == told.value("decisions_total", rule="one") == len(decisions)
    for action in ACTIONS:
        assert told.value("decisions_total", action=action) == sum(each == action for _, each in decisions)
    for name, fact in FACTS.items():
        for word in fact.words:
            found = sum(fact.get(evidence) == word for evidence, _ in decisions)
            assert told.value("facts_total", fact=name, value=word) == found


def test_providers_and_dns_lists_are_counted() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    lists = (
        ("wl", "127.0.3.1"),
        ("wl", "127.0.9.2"),
        ("bl", "none"),
        ("x", "refused"),
        ("y", "temperror"),
        ("z", "unknown"),
    )
    providers = (("a.example", "pass"), ("b.example", "none"), ("c.example", "temperror"), ("d.example", "unknown"))
    for _ in range(2):
        counters.decided(Verdict(), replace(EVIDENCE, client_spf=providers, dnslist=lists))
    told = page(parent)
    for fact, words in (
        ("client_spf", ("pass", "none", "temperror")),
        ("dnslist", ("listed", "none", "temperror", "refused")),
    ):
        assert {word: told.value("facts_total", fact=fact, value=word) for word in words} == dict.fromkeys(words, 2)
    counters.judged(Cost(), 0, Late(("client_spf", "dnslist", "dnslist")))
    assert page(parent).value("late_facts_total", fact="dnslist") == 2


def test_rows_are_added_up() -> None:
    parent = ParentCounters(3)
    for number in range(3):
        counters = Counters(parent.memory, number)
        for _ in range(number + 1):
            counters.judged(Cost(unused=2), number)
            counters.decided(Verdict(), EVIDENCE)
    told = page(parent)
    assert told.value("messages_total") == told.value("decisions_total", action="accept", rule="default") == 6
    assert told.value("dns_vain_total") == 12
    assert told.value("forged_fields_total") == 8
    assert told.value("facts_total", fact="spf_mailfrom", value="softfail") == 6


def test_threads_of_a_process_lose_nothing() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)

    def count() -> None:
        for _ in range(2000):
            counters.judged(Cost(), 1)
            counters.decided(Verdict(), EVIDENCE)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = page(parent)
    assert told.value("messages_total") == told.value("decisions_total") == 8000
    assert told.value("facts_total", fact="iprev", value="pass") == 8000


def test_what_was_not_done() -> None:
    parent = ParentCounters(1)
    parent.publish(Policy((Rule("a", action="reject", shadow=True), Rule("b", action="tag", shadow=True))), (), ())
    counters = Counters(parent.memory, 0)
    counters.decided(Verdict(would=("reject", "tag"), shadow_rules=("a", "b")), EVIDENCE)
    counters.decided(Verdict(would=("reject",), shadow_rules=("a",)), EVIDENCE)
    counters.decided(Verdict("tempfail", "a", softened=True), EVIDENCE)
    counters.decided(Verdict(), EVIDENCE)
    told = page(parent)
    assert [told.value("would_total", action=action) for action in ACTIONS] == [0, 1, 0, 2, 0]
    assert [told.value("shadow_hits_total", rule=name) for name in "ab"] == [2, 1]
    assert told.value("softened_total") == 1


def test_waits() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    for seconds in (0.0, 0.001, 0.0011, 0.3, 7.0, 100.0):
        counters.waited("rcpt", seconds)
    counters.waited_for("rcpt", "iprev", 250.0)
    counters.waited_for("rcpt", "iprev", 0.5)
    counters.waited_for("end", "spf_helo", 1000.0)
    told = page(parent)
    buckets = {s.labels["le"]: s.value for s in told.named("wait_seconds_bucket", stage="rcpt")}
    assert [buckets[bound] for bound in ("0.001", "0.005", "0.2", "0.5", "6.0", "10.0", "25.0", "+Inf")] == [
        2, 3, 3, 4, 4, 5, 5, 6,
    ]  # fmt: skip
    assert told.value("wait_seconds_count", stage="rcpt") == 6
    assert told.value("wait_seconds_sum", stage="rcpt") == pytest.approx(107.3021)
    assert told.value("wait_seconds_count", stage="end") == 0
    assert told.value("fact_waits_total", stage="rcpt", fact="iprev") == 2
    assert told.value("fact_wait_seconds_total", stage="rcpt", fact="iprev") == pytest.approx(0.2505)
    assert told.value("fact_wait_seconds_total", stage="end", fact="spf_helo") == 1


def test_dns() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    for outcome in OUTCOMES:
        counters.query_done("TXT", outcome, 0.03)
    counters.cache_hit()
    counters.joined()
    counters.crowded_out("", "")
    counters.zone_skipped()
    counters.set_gauges(7, 3)
    told = page(parent)
    assert [told.value("dns_queries_total", type="TXT", outcome=outcome) for outcome in OUTCOMES] == [1] * len(OUTCOMES)
    assert told.value("dns_queries_total") == told.value("dns_query_seconds_count") == len(OUTCOMES)
    for name in ("dns_cache_hits_total", "dns_coalesced_total", "dns_crowded_out_total", "dns_spared_total"):
        assert told.value(name) == 1
    assert (told.value("dns_outstanding"), told.value("connections_open")) == (7, 3)
    parent.worker_ended(0)
    told = page(parent)
    assert (told.value("dns_outstanding"), told.value("connections_open")) == (0, 0)
    assert told.value("dns_queries_total") == len(OUTCOMES)
    assert told.value("worker_restarts_total") == 1


def test_what_has_no_place_is_counted_nowhere() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    before = page(parent)
    counters.decided(Verdict(would=("explode",)), replace(EVIDENCE, mailfrom_match="unknown"))
    counters.waited_for("mail", "weather", 3.0)
    counters.query_done("TXT", "lost", 0.0)
    told = page(parent)
    assert told.value("facts_total", fact="mailfrom_match") == 0
    assert {(s.name, *s.labels.values()) for s in told.samples} == {
        (s.name, *s.labels.values()) for s in before.samples
    }
    counters.decided(Verdict(rule="of-tomorrow", shadow_rules=("unheard-of",)), EVIDENCE)
    assert page(parent).value("decisions_total", rule=OTHER) == 1
    assert page(parent).value("shadow_hits_total", rule=OTHER) == 1


def test_an_alarm_counts_once() -> None:
    parent = ParentCounters(2)
    one, two = Counters(parent.memory, 0), Counters(parent.memory, 1)
    first = Alarm("one-address", "")
    assert [one.count_alarm(first), two.count_alarm(first), one.count_alarm(first)] == [True, False, False]
    assert two.count_alarm(Alarm("clock-jumped", ""))
    assert page(parent).value("alarms_total") == 2
    flood = Alarm(CROWDED_OUT, "", repeats=True)
    assert [one.count_alarm(flood), two.count_alarm(flood), one.count_alarm(flood)] == [True] * 3
    assert page(parent).value("alarms_total", alarm=CROWDED_OUT) == 3


def test_late_facts_count_for_each_message() -> None:
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    for facts in (("iprev", "helo"), (), ("iprev",), ("unheard-of",)):
        counters.judged(Cost(), 0, Late(facts, "192.0.2.7", "example.com"))
    told = page(parent)
    assert {fact: told.value("late_facts_total", fact=fact) for fact in LOOKED_UP} == {
        **dict.fromkeys(LOOKED_UP, 0),
        "iprev": 2,
        "helo": 1,
    }
    assert told.value("messages_total") == 4


# The board


def test_only_what_a_rule_can_do_is_shown() -> None:
    parent = ParentCounters(1)
    policy = Policy(
        (Rule("r", action="reject"), Rule("t", action="tag"), Rule("s", action="tag", shadow=True), Rule("+"))
    )
    parent.publish(policy, (), ())
    shown = {(s.labels["action"], s.labels["rule"]) for s in page(parent).named("decisions_total")}
    assert {pair for pair in shown if ":" not in pair[1]} == {
        ("accept", "default"), ("reject", "r"), ("tempfail", "r"), ("tag", "t"),
    }  # fmt: skip
    assert [s.labels for s in page(parent).named("shadow_hits_total")] == [{"rule": "s"}]
    parent.publish(replace(policy, mode="observe"), (), ())
    assert page(parent).named("decisions_total", action="accept", rule="r")
    Counters(parent.memory, 0).decided(Verdict("quarantine", "t"), EVIDENCE)
    assert page(parent).value("decisions_total", action="quarantine", rule="t") == 1


def test_rules_keep_their_counts_whatever_comes_and_goes() -> None:
    parent = ParentCounters(1)
    parent.publish(rules("a", "b"), (), ())
    counters = Counters(parent.memory, 0)
    counters.decided(Verdict("reject", "a"), EVIDENCE)
    parent.publish(rules("c", "a"), (), ())
    # Before it has heard of them: then it judges by the old rules.
    counters.decided(Verdict("reject", "b"), EVIDENCE)
    counters.load_rules()
    for name in "ac":
        counters.decided(Verdict("reject", name), EVIDENCE)
    told = page(parent)
    assert {name: told.value("decisions_total", action="reject", rule=name) for name in "abc"} == {
        "a": 2, "b": 1, "c": 1,
    }  # fmt: skip


def test_no_more_rules_than_there_is_room_for() -> None:
    """Whatever is read again and again: memory and text stay bounded."""
    parent = ParentCounters(1)
    counters = Counters(parent.memory, 0)
    for reading in range(12):
        names = [f"{'x' * 58}-{reading * 100 + number:04}" for number in range(100)]
        parent.publish(rules(*names), [f"[{'2001:db8:' * 7}{n:04x}]:65535" for n in range(200)], ())
        counters.load_rules()
        for name in names:
            counters.decided(Verdict("reject", name), EVIDENCE)
    told = page(parent)
    named = told.named("decisions_total", action="reject")
    assert len(named) == MAX_RULES + 2  # with the rule for forged results
    assert told.value("decisions_total", rule=OTHER) == 1200 - MAX_RULES
    assert told.value("decisions_total") == 1200
    assert len(told.named("resolver_up")) == MAX_SERVERS
    assert len(told.samples) < SLOTS * (len(ACTIONS) + 1) + 400


def test_resolvers_and_policy() -> None:
    parent = ParentCounters(1)
    parent.publish(rules("a"), ["127.0.0.1:53", "[::1]:53"], ["[::1]:53"])
    told = page(parent, BEGAN + 12.5)
    assert {s.labels["server"]: s.value for s in told.named("resolver_up")} == {"127.0.0.1:53": 1, "[::1]:53": 0}
    assert [s.labels for s in told.named("policy_info")] == [{"digest": "abc123", "mode": "enforce"}]
    assert [s.labels for s in told.named("build_info")] == [{"version": __version__}]
    assert told.value("uptime_seconds") == 12.5
    parent.publish(rules("a"), ["127.0.0.1:53"], ["[::1]:53"])
    assert {s.labels["server"]: s.value for s in page(parent).named("resolver_up")} == {"127.0.0.1:53": 1}


def test_a_board_that_is_being_written_is_not_believed() -> None:
    memory = SharedMemory(1)
    memory.publish(PolicySnapshot().with_policy(rules("a")))
    assert memory.snapshot() == PolicySnapshot().with_policy(rules("a"))
    memory._snapshot[20] ^= 1
    assert memory.snapshot() is None
    counters = Counters(memory, 0)
    counters.decided(Verdict(), EVIDENCE)
    told = scraped(Exposition(memory, lambda: BEGAN, BEGAN).text().decode())
    assert told.value("decisions_total", rule="default") == 1


def test_signs_of_life() -> None:
    parent = ParentCounters(3)
    Counters(parent.memory, 0).heartbeat(BEGAN)
    Counters(parent.memory, 1).heartbeat(BEGAN - MAX_SILENCE - 1)
    assert page(parent).value("workers_alive") == 1
    assert parent.memory.silence(BEGAN + 1) == [1.0, MAX_SILENCE + 2, float("inf")]


def test_the_count_outlives_the_process() -> None:
    parent = ParentCounters(1)
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            Counters(parent.memory, 0).judged(Cost(), 0)
            os.kill(os.getpid(), 9)
        os.waitpid(pid, 0)
    assert page(parent).value("messages_total") == 3


# The text


def test_the_text_has_every_series_with_its_kind_and_its_help() -> None:
    parent = ParentCounters(1)
    parent.publish(rules("a"), ["127.0.0.1:53"], ())
    told = page(parent)
    kinds = {name.removesuffix("_total"): series.kind for name, series in SERIES.items()}
    assert {name.removesuffix("_total"): kind for name, kind in told.kinds.items()} == {
        name: "gauge" if kind == "info" else kind for name, kind in kinds.items()
    }
    helps = {name.removesuffix("_total"): text for name, text in told.helps.items()}
    assert helps == {name.removesuffix("_total"): series.help for name, series in SERIES.items()}
    for name, series in SERIES.items():
        sample = told.named(f"{name}_bucket" if series.buckets else name)
        assert sample or name == "shadow_hits_total"
        for each in sample:
            assert each.labels.keys() - {"le"} == set(series.labels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_of() -> None:
    text = Exposition(SharedMemory(1), lambda: BEGAN, BEGAN).text()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


class Blocked:
    """A log that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def send(self, text: str, level: str) -> bool:
        """See Outlet."""
        return self.open.is_set()

    def wait(self, seconds: float) -> None:
        """See Outlet."""
        self.open.wait(seconds)


def test_each_lost_line_of_the_log_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdns_milter.logs.output.MAX_BACKLOG", 10)
    parent, blocked = ParentCounters(1), Blocked()
    sink = Sink(blocked, line_dropped=Counters(parent.memory, 0).line_dropped)
    for _ in range(15):
        sink.write("line")
    blocked.open.set()
    sink.flush(10)
    assert page(parent).value("log_lines_dropped_total") == sink.dropped == 5
