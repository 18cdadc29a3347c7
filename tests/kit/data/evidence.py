"""Evidence for tests: that of a well configured host, with changes, and that of a hostile one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from rdns_milter.checks.evidence import FACTS, IPREV_REASONS, SPF_RESULTS, Evidence, Generic, Helo, Iprev, Spf
from rdns_milter.net.names import parse_address

V4, V6 = parse_address("192.0.2.7"), parse_address("2001:db8::7")

GOOD = Evidence(
    client=V4,
    helo_name="mx.example.com",
    mailfrom="alice@example.com",
    rcpt="bob@example.net",
    iprev=Iprev("pass", "confirmed", ("mx.example.com",), ("mx.example.com",), 1),
    generic=Generic("no"),
    helo=Helo("fqdn", "no", "pass", "same", "ok"),
    spf_helo=Spf("pass", "mx.example.com", "a"),
    spf_mailfrom=Spf("pass", "example.com", "mx"),
    mailfrom_match="aligned",
)

NO_PTR = Iprev("permerror", "no-ptr")
NOT_CONFIRMED = Iprev("fail", "not-confirmed", (), ("host.example.com",), 1)
NO_FORWARD = Iprev("fail", "no-forward", (), ("host.example.com",), 1)
BAD_NAME = Iprev("fail", "bad-name", (), ("a\\010b.example.com",), 1)
PTR_TIMEOUT = Iprev("temperror", "timeout")
FORWARD_SERVFAIL = Iprev("temperror", "servfail", (), ("host.example.com",), 1)


def evidence(**changes: Any) -> Evidence:
    """Return GOOD with changes."""
    return replace(GOOD, **changes)


NASTY = st.sampled_from(
    [
        "\r\nBcc: x@evil.example",
        "\n\tspf=pass smtp.mailfrom=bank.example",
        ") ; spf=pass smtp.mailfrom=bank.example (",
        '"; dkim=pass header.d=bank.example; x="',
        "\\",
        '\\")(',
        "((((",
        "\x00\x1b[31m\x7f",
        "\udcff\udc80",
        "ünï.example",
        "{advice}{rule}{0}%s%%",
        "a" * 3000,
        " " * 200,
        "mx.example.com",
        "[192.0.2.7]",
        "[IPv6:2001:db8::7]",
        "a@b@c.example",
        '"quoted @ part"@example.com',
        "example.com;x",
        "xn--.example",
        "-.-",
        "",
    ]
)
TEXTS = st.one_of(NASTY, st.text(max_size=60), st.lists(NASTY, min_size=1, max_size=4).map("".join))
_NAMES = st.lists(TEXTS, max_size=3).map(tuple)


def _word(fact: str) -> st.SearchStrategy[str]:
    return st.sampled_from((*FACTS[fact].words, "unknown"))


def spfs() -> st.SearchStrategy[Spf]:
    """Return SPF results with any texts."""
    return st.builds(Spf, st.sampled_from((*SPF_RESULTS, "unknown")), TEXTS, TEXTS, TEXTS, TEXTS)


def hostile() -> st.SearchStrategy[Evidence]:
    """Return evidence with any facts and any text in what the client or its DNS chooses."""
    return st.builds(
        Evidence,
        client=st.sampled_from((V4, V6, None)),
        helo_name=TEXTS,
        mailfrom=TEXTS,
        rcpt=TEXTS,
        exempt=st.sampled_from(("", "", "", "network", "authenticated", "not-ip")),
        iprev=st.builds(Iprev, _word("iprev"), st.sampled_from(IPREV_REASONS), _NAMES, _NAMES, st.integers(0, 5000)),
        generic=st.builds(Generic, _word("generic"), TEXTS),
        helo=st.builds(
            Helo,
            _word("helo_kind"),
            _word("helo_own"),
            _word("helo"),
            _word("helo_match"),
            st.sampled_from(IPREV_REASONS),
        ),
        spf_helo=spfs(),
        spf_mailfrom=spfs(),
        mailfrom_match=_word("mailfrom_match"),
    )
