"""Every metric with its kind, its labels and one sentence of help. The cells of the shared memory, the Prometheus text and the
table in the documentation all come from this table.

Pure. Must never have a label whose values come from the network: label values are words of this program or names in the config.

Prometheus naming: base units, and `_total` for counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal, get_args

from ..checks.dns_list import NOT_LISTED
from ..checks.evidence import FACTS, LOOKED_UP, PASS, REFUSED, SOURCES, TEMPERROR
from ..policy.rules import ACTIONS, DEFAULT_RULE, FORGED_RESULTS, TOO_MANY_RECIPIENTS
from ..resolver.lookup import Status, Type
from .alarms import MEANINGS as ALARMS

PREFIX = "rdns_milter_"
MAX_RULES = 500  # rule names that are counted separately between start and stop; further names count as OTHER
MAX_SERVERS = 64  # name servers whose state is shown
OTHER = "other"
EXEMPTIONS = ("network", "authenticated", "not-ip", "relay")
# The values of the label `rule` where no rule of the config decided. Each rule has a number, its slot; the slots of the config's
# rules follow these.
FIXED_RULES = (
    OTHER,
    DEFAULT_RULE,
    *(f"exempt:{why}" for why in EXEMPTIONS),
    FORGED_RESULTS.name,
    TOO_MANY_RECIPIENTS.name,
)
SLOTS = len(FIXED_RULES) + MAX_RULES
STAGES = ("rcpt", "end")
CNAME = "cname"  # the answer is an alias without the target's records
# "deadline" is the outcome of a check, never of a query.
OUTCOMES = (*(status for status in get_args(Status) if status != "deadline"), CNAME)
RELOADS = GOOD, BAD = ("good", "bad")
MICROSECONDS = 1_000_000  # per second; times are summed in microseconds

Kind = Literal["counter", "gauge", "histogram", "info"]
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric. `keys`: the label values of each of its cells, with a rule's slot instead of its name; empty for a metric that is
    computed when it is read. `buckets`: upper bounds in seconds, for a histogram. `timed`: the cells hold microseconds."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ((),)
    buckets: tuple[float, ...] = ()
    timed: bool = False


_COMPUTED = ()
_SLOTS = range(SLOTS)
_WAITED_FOR = (*LOOKED_UP, *SOURCES)
_STAGES_AND_FACTS = tuple(product(STAGES, _WAITED_FOR))
# Values of the facts about which rules ask by name. The names of domains and lists are not counted apart.
LISTED = "listed"  # on a DNS list, with any answer
SOURCE_VALUES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"client_spf": (PASS, NOT_LISTED, TEMPERROR), "dnslist": (LISTED, NOT_LISTED, TEMPERROR, REFUSED)}
)
_DNS_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0, 25.0)

# By the name without PREFIX, in the order in which they are shown.
SERIES: Mapping[str, Series] = MappingProxyType(
    {
        "messages_total": Series("counter", "Messages judged."),
        "decisions_total": Series(
            "counter",
            "Decisions (log lines), by action and rule as in the log.",
            ("action", "rule"),
            tuple(product(ACTIONS, _SLOTS)),
        ),
        "would_total": Series(
            "counter",
            "Decisions for which a shadow rule, or any rule in observe mode, would have taken this action.",
            ("action",),
            tuple((action,) for action in ACTIONS),
        ),
        "shadow_hits_total": Series(
            "counter", "Decisions that a shadow rule matched, by rule.", ("rule",), tuple(product(_SLOTS))
        ),
        "softened_total": Series("counter", "Refusals turned into tempfail because they depend on DNS trouble."),
        "facts_total": Series(
            "counter",
            "Facts in decisions, by value. A fact that was neither known nor needed is not counted.",
            ("fact", "value"),
            (
                *((name, word) for name, fact in FACTS.items() for word in fact.words),
                *((name, word) for name, words in SOURCE_VALUES.items() for word in words),
            ),
        ),
        "forged_fields_total": Series(
            "counter", "Header fields in incoming messages that claimed to be written by this milter."
        ),
        "late_facts_total": Series(
            "counter",
            "Facts that a message was judged without because DNS did not answer within the deadline.",
            ("fact",),
            tuple(product(_WAITED_FOR)),
        ),
        "wait_seconds": Series(
            "histogram",
            "Time that a message waited for DNS, by stage. Messages that did not wait are not counted.",
            ("stage",),
            tuple(product(STAGES)),
            _WAIT_BUCKETS,
        ),
        "fact_waits_total": Series(
            "counter", "Waits for a fact, by stage and fact.", ("stage", "fact"), _STAGES_AND_FACTS
        ),
        "fact_wait_seconds_total": Series(
            "counter",
            "Time spent waiting for a fact, by stage and fact. Waits for several facts overlap.",
            ("stage", "fact"),
            _STAGES_AND_FACTS,
            timed=True,
        ),
        "dns_queries_total": Series(
            "counter",
            "DNS queries, by type and outcome. A query that was sent several times counts once.",
            ("type", "outcome"),
            tuple(product(get_args(Type), OUTCOMES)),
        ),
        "dns_query_seconds": Series(
            "histogram", "Time until a DNS query was answered or given up.", buckets=_DNS_BUCKETS
        ),
        "dns_cache_hits_total": Series("counter", "DNS questions answered from the cache."),
        "dns_coalesced_total": Series("counter", "DNS questions that joined an identical query under way."),
        "dns_crowded_out_total": Series(
            "counter",
            "DNS questions dropped because too many were waiting, or because nothing needed the answer any more before"
            " they could be sent.",
        ),
        "dns_spared_total": Series(
            "counter", "DNS questions not sent because no server of their zone answers at present."
        ),
        "dns_vain_total": Series("counter", "DNS questions sent ahead for SPF whose answers were not needed."),
        "dns_outstanding": Series("gauge", "DNS questions under way or waiting to be sent."),
        "resolver_up": Series(
            "gauge", "1 if the name server answers, 0 if a worker gets no answers from it.", ("server",), _COMPUTED
        ),
        "connections_open": Series("gauge", "Open connections of the MTA."),
        "workers_alive": Series("gauge", "Workers whose event loop has run within the last 3 seconds.", (), _COMPUTED),
        "workers_outdated": Series(
            "gauge",
            "Workers that do not use the current config. More than 0 only for a moment after a reload.",
            (),
            _COMPUTED,
        ),
        "worker_restarts_total": Series("counter", "Workers that ended and were replaced."),
        "reloads_total": Series(
            "counter", "Config reloads: good, or bad (refused).", ("outcome",), tuple(product(RELOADS))
        ),
        "log_lines_dropped_total": Series("counter", "Log lines lost because the log did not accept them."),
        "internal_errors_total": Series("counter", "Errors in the milter itself; see the log."),
        "alarms_total": Series(
            "counter",
            "Alarms about the set-up of MTA, name servers or clock, and about floods; the log says what to do.",
            ("alarm",),
            tuple(product(ALARMS)),
        ),
        "uptime_seconds": Series("gauge", "Time since the service started.", (), _COMPUTED),
        "policy_info": Series(
            "info", "The current rules, by their hash in the log, and the mode.", ("digest", "mode"), _COMPUTED
        ),
        "build_info": Series("info", "The running version.", ("version",), _COMPUTED),
    }
)

DISCARDED = 0  # the cell for label values that are not in the table; never shown
HEARTBEAT = 1  # the cell for the last heartbeat, in milliseconds of the system's monotonic clock
CONFIG_NUMBER = 2  # the cell for the number of the configuration that a worker uses; 0: the worker has not started
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
# The index in a row of each metric's cell, by name and label values. For a histogram it is the cell of the first bucket; after the
# last bucket follow one cell for larger values and one for the sum.
CELLS: Mapping[Key, int] = MappingProxyType(_LAYOUT[0])
ROW_CELLS = _LAYOUT[1]  # cells in a row
