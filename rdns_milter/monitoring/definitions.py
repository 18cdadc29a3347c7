"""What is counted: every series with its kind, its labels and one sentence. From this table come the cells of the shared memory,
the text that Prometheus reads, and the table in README.md.

Pure. Must never have a label whose values come from the network: all of them are words of ours, or names of the config.

Prometheus' own rules for names: base units, `_total` for what only grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal, get_args

from ..checks.evidence import FACTS, LOOKED_UP
from ..policy.rules import ACTIONS, DEFAULT_RULE, FORGED_RESULTS, TOO_MANY_RECIPIENTS
from ..resolver.lookup import Status, Type
from .alarms import NAMES as ALARMS

PREFIX = "rdns_milter_"
MAX_RULES = 500  # names of rules that are told apart between start and stop; more are OTHER
MAX_SERVERS = 64  # name servers whose state is shown
OTHER = "other"
EXEMPTIONS = ("network", "authenticated", "not-ip")
# What stands where no rule of the config decided. Each rule has a number, its slot; those of the config follow upon these.
FIXED_RULES = (
    OTHER,
    DEFAULT_RULE,
    *(f"exempt:{why}" for why in EXEMPTIONS),
    FORGED_RESULTS.name,
    TOO_MANY_RECIPIENTS.name,
)
SLOTS = len(FIXED_RULES) + MAX_RULES
STAGES = ("rcpt", "end")
CNAME = "cname"  # an answer that leads to another name, and has none of that name's records
OUTCOMES = (*(status for status in get_args(Status) if status != "deadline"), CNAME)  # "deadline" is the asker's
RELOADS = GOOD, BAD = ("good", "bad")
MICRO = 1_000_000  # times are added up in microseconds

Kind = Literal["counter", "gauge", "histogram", "info"]
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One series. `keys`: the values of its labels for each cell that it has (a rule stands there by its slot); none if it is no
    count, but known otherwise when somebody asks. `buckets`: of a histogram, upper bounds in seconds. `timed`: its cells are
    times in microseconds."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ((),)
    buckets: tuple[float, ...] = ()
    timed: bool = False


_NOT_COUNTED = ()
_SLOTS = range(SLOTS)
_STAGES_AND_FACTS = tuple(product(STAGES, LOOKED_UP))
_DNS_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 25.0)

# By the name behind PREFIX, in the order in which they are shown.
SERIES: Mapping[str, Series] = MappingProxyType(
    {
        "messages_total": Series("counter", "Messages judged."),
        "decisions_total": Series(
            "counter",
            "Decisions (lines of the log), by action and rule, both as the log has them.",
            ("action", "rule"),
            tuple(product(ACTIONS, _SLOTS)),
        ),
        "would_total": Series(
            "counter",
            "What shadow rules, or enforcement in observe mode, would have done.",
            ("action",),
            tuple((action,) for action in ACTIONS),
        ),
        "shadow_hits_total": Series(
            "counter", "Decisions that a shadow rule matched, by that rule.", ("rule",), tuple(product(_SLOTS))
        ),
        "softened_total": Series("counter", "Refusals that became tempfail because they rest on DNS trouble."),
        "facts_total": Series(
            "counter",
            "Facts of the decisions, by value. What was not known yet, and not needed, is not counted.",
            ("fact", "value"),
            tuple((name, word) for name, fact in FACTS.items() for word in fact.words),
        ),
        "forged_fields_total": Series(
            "counter", "Header fields of messages that claimed to be ours: removed, or the message was refused."
        ),
        "late_facts_total": Series(
            "counter",
            "Facts without which a message was judged because DNS had no answer within the deadline.",
            ("fact",),
            tuple(product(LOOKED_UP)),
        ),
        "wait_seconds": Series(
            "histogram",
            "How long DNS held up a message, by stage. A message that did not have to wait does not count.",
            ("stage",),
            tuple(product(STAGES)),
            _WAIT_BUCKETS,
        ),
        "fact_waits_total": Series(
            "counter", "Waits for a fact, by stage and fact.", ("stage", "fact"), _STAGES_AND_FACTS
        ),
        "fact_wait_seconds_total": Series(
            "counter",
            "Time spent in waiting for a fact, by stage and fact. Facts are waited for side by side.",
            ("stage", "fact"),
            _STAGES_AND_FACTS,
            timed=True,
        ),
        "dns_queries_total": Series(
            "counter",
            "DNS queries, by type and outcome. What was sent again is one query.",
            ("type", "outcome"),
            tuple(product(get_args(Type), OUTCOMES)),
        ),
        "dns_query_seconds": Series(
            "histogram", "Time until a DNS query was answered or given up.", buckets=_DNS_BUCKETS
        ),
        "dns_cache_hits_total": Series("counter", "Questions answered from memory."),
        "dns_coalesced_total": Series("counter", "Questions that joined an equal one under way."),
        "dns_crowded_out_total": Series(
            "counter", "Questions not asked because too many waited already, or until nobody needed them any more."
        ),
        "dns_spared_total": Series("counter", "Questions not asked because their zone does not answer at present."),
        "dns_vain_total": Series("counter", "Questions asked ahead for SPF that it did not need after all."),
        "dns_outstanding": Series("gauge", "DNS questions under way or waiting for a place."),
        "resolver_up": Series(
            "gauge", "Whether a name server answers: 1, or 0 if a worker finds it silent.", ("server",), _NOT_COUNTED
        ),
        "connections_open": Series("gauge", "Open connections of the MTA."),
        "workers_alive": Series("gauge", "Workers whose event loop has shown life lately.", (), _NOT_COUNTED),
        "workers_outdated": Series(
            "gauge", "Workers that do not judge by the config in force. Not for more than a moment.", (), _NOT_COUNTED
        ),
        "worker_restarts_total": Series("counter", "Workers that ended and were replaced."),
        "reloads_total": Series(
            "counter", "Readings of the config on HUP: good, or bad and refused.", ("outcome",), tuple(product(RELOADS))
        ),
        "log_lines_dropped_total": Series("counter", "Lines of the log that were lost because nobody took them."),
        "internal_errors_total": Series("counter", "Errors of the milter itself; the log says which."),
        "alarms_total": Series(
            "counter",
            "Alarms about the set-up of MTA, resolver or clock, and about floods; the log says what to do.",
            ("alarm",),
            tuple(product(ALARMS)),
        ),
        "uptime_seconds": Series("gauge", "Time since the start.", (), _NOT_COUNTED),
        "policy_info": Series("info", "The rules in force, by the hash in the log.", ("digest", "mode"), _NOT_COUNTED),
        "build_info": Series("info", "The version that runs.", ("version",), _NOT_COUNTED),
    }
)

NOWHERE = 0  # the cell for what has no place in the table
ALIVE = 1  # the cell for the last sign of life: the system's monotonic clock in milliseconds
CONFIG = 2  # the cell for the number of the configuration by which a worker judges; 0: none yet
_FIRST = 3


def _layout() -> tuple[dict[Key, int], int]:
    cells: dict[Key, int] = {}
    free = _FIRST
    for name, series in SERIES.items():
        for key in series.keys:
            cells[(name, *key)] = free
            free += len(series.buckets) + 2 if series.buckets else 1
    return cells, free


_LAYOUT = _layout()
# Where the cell of a series' key stands in a row. For a histogram it is that of the first bucket; behind the last bucket there
# are one for what is above all of them, and one for the sum.
CELLS: Mapping[Key, int] = MappingProxyType(_LAYOUT[0])
ROW = _LAYOUT[1]  # cells of a row
