"""The resolver against a name server that behaves well or badly: the right status and values for each answer, no exception, no
socket left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from rdns_milter.resolver.bounded_lookup import BoundedLookup
from rdns_milter.resolver.cache import FAILURE_TTL
from rdns_milter.resolver.limits import MAX_ALIASES, ResolverLimits
from rdns_milter.resolver.lookup import Answer, Question
from rdns_milter.resolver.reading import MAX_VALUES
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.resolver_run import ONCE, PATIENT, TWICE, ZONE, asked, fresh, question, resolved
from tests.kit.dns.zone import Zone

RIGHT = {"A": ("192.0.2.1",), "PTR": ("host.hx.example",), "TXT": (b"v=spf1 ip4:192.0.2.1 -all",)}
RECORDS = {"A": "192.0.2.1", "PTR": "host.hx.example", "TXT": "v=spf1 ip4:192.0.2.1 -all"}

# Behaviour (tests.kit.dns.hostile.behaviours), limits, status, values (None: the right ones).
ROWS: Sequence[tuple[str, ResolverLimits, str, Any]] = (
    # response codes
    ("nxdomain", PATIENT, "nxdomain", ()),
    ("nodata", PATIENT, "nodata", ()),
    ("no-soa", PATIENT, "ok", None),
    ("servfail", PATIENT, "servfail", ()),
    ("servfail", TWICE, "servfail", ()),
    ("servfail-ad", PATIENT, "servfail", ()),
    ("servfail-ede 6", PATIENT, "bogus", ()),
    ("servfail-ede 7", PATIENT, "bogus", ()),
    ("servfail-ede 9", PATIENT, "bogus", ()),
    ("servfail-ede 22", PATIENT, "servfail", ()),
    ("refused", PATIENT, "refused", ()),
    *((f"referral {where}", PATIENT, "referral", ()) for where in ("root", "parent", "below", "elsewhere")),
    ("referral", TWICE, "referral", ()),
    ("lame", PATIENT, "lame", ()),
    ("no-recursion", PATIENT, "ok", None),
    ("additional-only", PATIENT, "error", ()),
    ("parent-soa", PATIENT, "nodata", ()),
    ("soa-and-ns", PATIENT, "nodata", ()),
    ("delegated-soa", PATIENT, "referral", ()),
    ("other-soa", PATIENT, "error", ()),
    ("nxdomain-ns", PATIENT, "nxdomain", ()),
    ("nxdomain-other-soa", PATIENT, "error", ()),
    *((word, PATIENT, "error", ()) for word in ("formerr", "notimp", "yxdomain", "notauth", "badvers", "rcode 11")),
    # answers to other questions are ignored
    *(
        (word, ONCE, "timeout", ())
        for word in (
            *("wrong-id", "wrong-question", "no-question", "wrong-class", "echo", "wrong-port", "wrong-address"),
            *("garbage 60", "garbage 1", "empty", "short", "comp-loop", "comp-forward", "comp-rdata", "bad-rdlength"),
            *("bad-label", "bad-counts", "trailing", "silent", "udp-drop", "delay 2"),
        )
    ),
    ("other-owner", PATIENT, "nodata", ()),
    ("wrong-type", PATIENT, "nodata", ()),
    ("extra-owner", PATIENT, "ok", None),
    ("wrong-case", PATIENT, "ok", None),
    ("spoof-then-right", PATIENT, "ok", None),
    # late, lost, repeated
    ("delay 0.05", PATIENT, "ok", None),
    ("delay 1.3", TWICE, "ok", None),
    ("duplicate 5", PATIENT, "ok", None),
    ("lost 1", ONCE, "timeout", ()),
    ("lost 1", TWICE, "ok", None),
    ("flap 1", PATIENT, "servfail", ()),
    ("flap 1", TWICE, "ok", None),
    ("edns-formerr", PATIENT, "ok", None),
    ("edns-drop", ONCE, "timeout", ()),
    ("edns-drop", TWICE, "ok", None),
    # aliases
    ("cname-self", PATIENT, "error", ()),
    ("cname-loop", PATIENT, "error", ()),
    ("cname-loop-full", PATIENT, "error", ()),
    ("cname-chain 5", PATIENT, "ok", None),
    ("cname-chain 40", PATIENT, "error", ()),
    ("cname-step 5", PATIENT, "ok", None),
    (f"cname-step {MAX_ALIASES}", PATIENT, "ok", None),
    (f"cname-step {MAX_ALIASES + 1}", PATIENT, "error", ()),
    ("cname-silent", ONCE, "timeout", ()),
    ("cname-nxdomain", PATIENT, "nxdomain", ()),
    ("via-dname", PATIENT, "ok", None),
    ("cname-ns", PATIENT, "ok", None),
    ("cname-part", PATIENT, "ok", None),
    ("cname-other-soa", PATIENT, "ok", None),
    ("cname-nodata", PATIENT, "nodata", ()),
    # TCP
    ("truncate", PATIENT, "ok", None),
    ("truncate-trickle 1", PATIENT, "ok", None),
    ("truncate-reset", PATIENT, "error", ()),
    ("truncate-close", PATIENT, "error", ()),
    ("truncate-half", PATIENT, "error", ()),
    ("truncate-zero", PATIENT, "error", ()),
    ("truncate-again", PATIENT, "error", ()),
    ("truncate-endless", PATIENT, "error", ()),
    ("truncate-hang", ONCE, "timeout", ()),
    ("truncate-too-long", ONCE, "timeout", ()),
    ("truncate-trickle 100", ONCE, "timeout", ()),
)


@pytest.fixture(scope="module")
def everything() -> Iterator[NameServer]:
    rows = {
        f"row{number}.example": [*(f"{kind} {RECORDS[kind]}" for kind in RIGHT), row[0]]
        for number, row in enumerate(ROWS)
    }
    with NameServer(Zone(ZONE, rows)) as server:
        yield server
        assert not server.queries.faults


@pytest.fixture
def server(everything: NameServer) -> NameServer:
    return fresh(everything)


@pytest.mark.parametrize("kind", ["A", "PTR", "TXT"])
def test_every_way_to_answer(everything: NameServer, kind: str) -> None:
    """All rows at once: one that waits must not delay the others."""
    found: dict[int, Answer] = {}
    for limits in (PATIENT, ONCE, TWICE):
        numbers = [number for number, row in enumerate(ROWS) if row[1] is limits]
        answers = resolved(asked(*(f"row{number}.example {kind}" for number in numbers)), everything, limits=limits)
        found |= zip(numbers, answers, strict=True)
    wanted = {number: (row[0], row[2], RIGHT[kind] if row[3] is None else row[3]) for number, row in enumerate(ROWS)}
    got = {number: (ROWS[number][0], answer.status, answer.values) for number, answer in found.items()}
    assert got == wanted
    assert all(answer.ttl == FAILURE_TTL for answer in found.values() if answer.temporary)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("mail.example.com A", ("192.0.2.1", "192.0.2.2")),
        ("MAIL.Example.com A", ("192.0.2.1", "192.0.2.2")),
        ("mail.example.com AAAA", ("2001:db8::1",)),
        ("example.com MX", ((10, ""), (20, "mail.example.com"))),
        ("1.2.0.192.in-addr.arpa PTR", ("\\010odd\\255\\.name.example", "mail.example.com")),
        ("2.2.0.192.in-addr.arpa PTR", ("classless.example",)),
        ("text.example TXT", (b"\x00\xff", b"v=spf1 a -all")),
        ("partial.example A", ("192.0.2.1", "192.0.2.2")),
        ("forged.example A", ("192.0.2.1",)),
        ("poisoned.example A", ("192.0.2.1",)),
    ],
)
def test_values(server: NameServer, text: str, values: tuple[object, ...]) -> None:
    (answer,) = resolved(asked(text), server)
    assert (answer.status, answer.values, answer.question) == ("ok", values, question(text))
    assert not answer.cached
    assert answer.ms > 0


def test_big_answers_come_by_tcp(server: NameServer) -> None:
    addresses, names, texts = resolved(
        asked("big.example A", "big.example PTR", "big.example TXT"), server, limits=ResolverLimits()
    )
    assert (len(addresses.values), len(names.values), len(texts.values)) == (1000, MAX_VALUES, 1)
    assert isinstance(texts.values[0], bytes)
    assert len(texts.values[0]) == 60_000
    assert server.queries.transports == {"udp": 3, "tcp": 3}


@pytest.mark.parametrize(
    "name", ["a..example", "", ".", "a" * 64 + ".example", ".".join(["a" * 60] * 5), "例え.example", "a.example."]
)
def test_names_that_dns_cannot_hold(server: NameServer, name: str) -> None:
    (answer,) = resolved(lambda resolver: BoundedLookup(resolver, 1.0).ask([Question(name, "A")]), server)
    assert (answer.status, answer.temporary) == ("bad-name", False)
    assert len(server.queries) == 0


def test_over_ipv6() -> None:
    try:
        server = NameServer(Zone(ZONE), "::1").start()
    except OSError:
        pytest.skip("there is no ::1 here")
    (answer,) = resolved(asked("mail.example.com A"), server)
    server.stop()
    assert answer.status == "ok"
