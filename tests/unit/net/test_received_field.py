"""Received fields of many MTAs: address, HELO name and the writing host are read right; hostile ones never give a false address."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter.net.names import Address
from rdns_milter.net.received_field import MAX_FIELD, parse_received
from tests.kit.data.received_fields import DATE, EXAMPLES, HOSTILE, Example

CLIENT = ip_address("192.0.2.7")


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{n}-{each.mta}" for n, each in enumerate(EXAMPLES)])
def test_the_forms_of_mtas(example: Example) -> None:
    field = parse_received(example.value)
    assert field is not None
    client: Address | None = ip_address(example.client) if example.client else None
    assert (field.client, field.helo, field.by) == (client, example.helo, example.by)
    assert (field.authenticated, field.tls) == ("login" in example.said, "tls" in example.said)


def test_there_are_enough() -> None:
    assert len(EXAMPLES) >= 60
    assert len({each.mta for each in EXAMPLES}) >= 20


def test_blanks_and_folding_make_no_difference() -> None:
    for example in EXAMPLES:
        for changed in (
            " ".join(example.value.split()),
            "\r\n\t".join(example.value.split()),
            f"\n\t{example.value}\r\n",
        ):
            assert parse_received(changed) == parse_received(example.value)


@pytest.mark.parametrize(
    ("value", "follows"),
    [
        ("(qmail 12345 invoked from network); D", True),
        ("by mail-lj1-f172.google.com with SMTP id 1 for <user@example.net>; D", True),
        ("by mx.example.net with LMTP id 1; D", True),
        ("(qmail 12345 invoked by uid 89); D", False),
        ("by mx.example.net (Postfix, from userid 1000) id 1; D", False),
        ("by 10.1.2.3 with HTTP; D", False),
        ("(from root@localhost) by mx.example.net (8.17.1/8.17.1/Submit) id 1; D", False),
        ("from root by mx.example.net with local (Exim 4.96) id 1; D", False),
        ("from [192.0.2.7] by web.example.net with HTTP; D", False),
    ],
)
def test_fields_without_a_client(value: str, follows: bool) -> None:
    field = parse_received(value)
    assert field is not None
    assert field.client is None
    assert field.has_predecessor == follows


def test_the_addresses_of_the_writing_host() -> None:
    field = parse_received("from a (192.0.2.7) by ex01.corp.local (10.0.0.6) with Microsoft SMTP Server id 15.1; D")
    assert field is not None
    assert field.by_addresses == (ip_address("10.0.0.6"),)
    field = parse_received("from a ([192.0.2.7]) by localhost (mx.example.net [127.0.0.1]) (amavisd-new) with ESMTP; D")
    assert field is not None
    assert field.by_addresses == (ip_address("127.0.0.1"),)


@pytest.mark.parametrize(("value", "expected"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_fields(value: str, expected: str) -> None:
    field = parse_received(value)
    if expected == "?":
        assert field is None
        return
    assert field is not None
    assert field.client == CLIENT
    assert not field.authenticated


@pytest.mark.parametrize("length", [MAX_FIELD - 1, MAX_FIELD, MAX_FIELD + 1])
def test_a_field_is_read_up_to_its_limit(length: int) -> None:
    end = " (a [192.0.2.7]) by mx.example.net"
    value = f"from a{' ' * (length - len('from a') - len(end))}{end}"
    assert len(value) == length
    assert (parse_received(value) is not None) == (length <= MAX_FIELD)


@pytest.mark.parametrize("limit", [990, 998, 999])
@pytest.mark.parametrize("name", ["x" * 930, "x" * 1900, "é" * 500, "[198.51.100.99]" * 66])
def test_lines_that_postfix_cuts_are_joined(name: str, limit: int) -> None:
    """Wherever the cut falls: in the HELO name, the reverse name, the address or "by"."""
    for more in range(80):
        helo = name + "x" * more
        rest = f"Received: from {helo} (host.example.org [192.0.2.7]) by mx.example.net (Postfix) with ESMTP id 1; D".encode()
        lines = []
        while len(rest) > limit:
            lines.append(rest[:limit])
            rest = b" " + rest[limit:]
        value = b"\n".join([*lines, rest]).decode("utf-8", "surrogateescape").removeprefix("Received: ")
        field = parse_received(value)
        assert field == parse_received(value.replace("\n", "\r\n"))
        assert field is not None
        assert (field.client, field.by) == (CLIENT, "mx.example.net")
        assert field.helo.encode("utf-8", "surrogateescape").decode() == helo


def test_folds_of_other_lengths_stay() -> None:
    for length in (60, 900, 997):
        name = "x" * (length - len("Received: from "))
        field = parse_received(
            f"from {name}\n (192.0.2.7) by ex.corp.local (10.0.0.6) with Microsoft SMTP Server id 15.2; D"
        )
        assert field is not None
        assert (field.client, field.helo) == (CLIENT, name)


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    parse_received(text)
    parse_received(f"from {text}")


# What a client can send as its HELO name: no blanks.
NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


@given(
    NAMES | st.sampled_from(["([198.51.100.99])", "[198.51.100.99]", "by", "from", "(", ")", "(a)", '"', ";", "(HELO"])
)
def test_no_helo_name_changes_the_address(name: str) -> None:
    """Of an MTA that writes the HELO name as it comes. It can make a field unreadable, but not name another client."""
    field = parse_received(
        f"from {name} (host.example.org [192.0.2.7])\n\tby mx.example.net (Haraka) with ESMTP id 1; {DATE}"
    )
    if field is not None:
        assert (field.client, field.by, field.authenticated) == (CLIENT, "mx.example.net", False)


# Where MTAs write what a client has sent: {h} a HELO name, {r} a reverse name, {i} an answer to an IDENT query, {s} a sender.
FORMS = (
    "from {h} ({r} [192.0.2.7]) by mx.example.net (Postfix) with ESMTP id 1 for <{s}>; D",
    "from {h} ({r} [::ffff:192.0.2.7]) by mx.example.net with ESMTP; D\n id 1",
    "from {h} ([192.0.2.7]) by mx.example.net (8.17.1/8.17.1) with ESMTP id 1 for <{s}>; D",
    "from {h} (x@{r} [192.0.2.7]) by mx.example.net (8.17.1/8.17.1) with ESMTP id 1; D",
    "from {h} (IDENT:x@[192.0.2.7]) by mx.example.net (8.17.1/8.17.1) with ESMTP id 1; D",
    "from {r} ([192.0.2.7] helo={h}) by mx.example.net with esmtp (Exim 4.96) (envelope-from <{s}>) id 1; D",
    "from [192.0.2.7] (helo={h}) by mx.example.net with esmtp (Exim 4.96) (envelope-from <{s}>) id 1; D",
    "from [192.0.2.7] (helo={h} ident={i}) by mx.example.net with esmtp (Exim 4.96) (envelope-from <{s}>) id 1; D",
    "from {r} ([192.0.2.7] helo={h} ident={i}) by mx.example.net with esmtp (Exim 4.96) id 1; D",
    "from {h} (192.0.2.7) by ex.corp.local (10.0.0.6) with Microsoft SMTP Server id 15.2; D",
    "from {h} (192.0.2.7:4444) by mx.example.net (KumoMTA) with ESMTP id 1 for <{s}>; D",
    "from {r} (HELO {h}) (192.0.2.7) by mx.example.net with SMTP; D",
    "from {r} (HELO {h}) ({h}@192.0.2.7) by mx.example.net with SMTP; D",
    "from {r} (HELO {h}) ([192.0.2.7]) by mx.example.net with ESMTP; D",
    "from {r} (HELO {h}) ({h}@[192.0.2.7]) (envelope-sender <{h}>) by mx.example.net (qmail-ldap-1.03) with SMTP; D",
    "from [192.0.2.7] (HELO {h}) by mx.example.net (CommuniGate Pro SMTP 6.3.3) with ESMTP id 1; D",
    "from {h} ([192.0.2.7] verified) by mx.example.net (CommuniGate Pro SMTP 6.3.3) with ESMTP id 1; D",
    "from {h} ({r} [192.0.2.7]) by mx.example.net (Haraka/3.0.3) with ESMTP id 1 envelope-from <{s}>; D",
    "from {h} (<unknown> [192.0.2.7]) by mx.example.net (OpenSMTPD) with ESMTP id 1 for <{s}>; D",
    "from {h} [192.0.2.7] by mx.example.net (MDaemon PRO v21.5.0) with ESMTP id 1; D",
    'from [192.0.2.7] ({h}) by mx.example.net (chasquid) with ESMTP (over SMTP) (envelope from "{s}") ; D',
)
WORDS = (
    *("x", "mail.example.com", "[198.51.100.99]", "198.51.100.99", "[IPv6:2001:db8::99]", "a@[198.51.100.99]"),
    *(
        "[198.51.100.99]:25",
        "198.51.100.99:25",
        "[::1]",
        "a\xa0[198.51.100.99]",
        "[",
        "]",
        '"',
        ";",
        "a;b",
        "=",
        "unknown",
    ),
    *("by", "from", "with", "ESMTPA", "id", "for", "HELO", "EHLO", "authenticated", "auth:x", "account", "TLS"),
    *("helo=a", "ident=a", "port=1", "Exim", "chasquid", "envelope-from", "envelope-sender"),
)
IN_COMMENTS = (*WORDS, "(", ")", "()", "([198.51.100.99])", "a(b", "a)b", "(authenticated)")
NAMES_OF_HOSTS = (
    "unknown",
    "host.example.org",
    "authenticated.example.org",
    "tls.example.org",
    "envelope-from.example.org",
)


@settings(max_examples=500)
@given(
    st.sampled_from(FORMS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map("".join),
    st.sampled_from(NAMES_OF_HOSTS),
    st.lists(st.sampled_from(IN_COMMENTS), min_size=1, max_size=3).map(" ".join),
    st.lists(st.sampled_from(IN_COMMENTS), min_size=1, max_size=4).map(" ".join),
)
def test_nothing_that_a_client_sends_changes_the_address_or_is_a_login(
    form: str, helo: str, name: str, ident: str, sender: str
) -> None:
    field = parse_received(form.format(h=helo, r=name, i=ident, s=f'"{sender}"@example.com'))
    if field is None:
        assert "{i}" in form or re.search(r"[)\]](:25)? by ", sender), "two slots can make the field unreadable"
    else:
        assert (field.client, field.authenticated) == (CLIENT, False)


# What an MTA that leaves tabs, folds and parentheses can write. Some of the reverse names no DNS library returns.
BLANKS = ("", " ", "\t", "\n\t")
WHOLE = (
    *("(x [198.51.100.99])", "([198.51.100.99] helo=x)", "(198.51.100.99)", "(HELO a)", "(helo=x)", "(x [192.0.2.7])"),
    *("(Exim 4.96)", "(chasquid)", "(MDaemon PRO)", "(CommuniGate Pro)", "(account x HELO y)", "(AUTH: LOGIN x)"),
    *(
        ") (",
        "((",
        "))",
        "(a",
        "a)",
        "\\(",
        "\\)",
        "(envelope-from <",
        '(Client CN "',
        "mx.example.net",
        ";",
        "D (",
        "by",
    ),
    *(
        "([198.51.100.99]) by mx.example.net with ESMTPA",
        ") by mx.example.net with ESMTPA; D (",
        "IDENT: x",
        "verified",
    ),
)
ANY_NAME = (
    *NAMES_OF_HOSTS,
    "HELO",
    "[198.51.100.99]",
    "[198.51.100.99] helo=x",
    "x [198.51.100.99]",
    "helo=x",
    "IDENT:",
)
MORE_FORMS = (
    *FORMS,
    "from {h} ({r} [::ffff:192.0.2.7]) (IDENT: {i}) by mx.example.net with ESMTP; D",
    "from {h} (IDENT: {i} [192.0.2.7]) by mx.example.net with ESMTP; D",
    "from [192.0.2.7] ([192.0.2.7:34567] helo={h}) by mx.example.net (envelope-from <{s}>) (ecelerity 4.2.38) with ESMTP id 1; D",
    "from {r} (HELO {h}) ({i}@192.0.2.7) by mx.example.net with SMTP; D",
    "from {h} ({r} [192.0.2.7]) by mx.example.net (envelope-sender <{s}>) with UTF8ESMTPS id 1; D",
    "from 192.0.2.7  (EHLO {h}) (192.0.2.7) by mx.example.net with SMTPs; D",
    "from {h} (192.0.2.7) by mx.example.net (PowerMTA(TM) v5.0r7) id h1 for <u@x>; D (envelope-from <{s}>)",
    "from {h} ({r} [192.0.2.7] (may be forged)) by mx.example.net (8.17.1/8.17.1) with ESMTP id 1 for <{s}>; D",
)


def joined(pieces: tuple[str, ...], most: int) -> st.SearchStrategy[str]:
    """Return texts of some of the pieces, with one kind of blank between them."""
    return st.builds(str.join, st.sampled_from(BLANKS), st.lists(st.sampled_from(pieces), min_size=1, max_size=most))


@settings(max_examples=1000)
@given(
    st.sampled_from(MORE_FORMS),
    joined((*IN_COMMENTS, *WHOLE, *WHOLE), 6),
    st.sampled_from(ANY_NAME),
    joined((*IN_COMMENTS, *WHOLE), 3),
    joined((*IN_COMMENTS, *WHOLE), 4),
)
def test_a_helo_name_with_blanks_and_parentheses_names_no_other_client(
    form: str, helo: str, name: str, ident: str, sender: str
) -> None:
    field = parse_received(form.format(h=helo, r=name, i=ident, s=f'"{sender}"@example.com'))
    if field is not None and (field.client is not None or field.has_predecessor):
        assert (field.client, field.authenticated) == (CLIENT, False)


@given(st.from_regex(r"[A-Za-z0-9._:\[\]-]{1,40}", fullmatch=True))
def test_every_helo_name_of_usual_characters_is_read(name: str) -> None:
    field = parse_received(f"from {name} (unknown [192.0.2.7])\n\tby mx.example.net (Postfix) with ESMTP id 1; {DATE}")
    assert field is not None
    assert field.client == CLIENT
    assert field.helo == ("" if name.lower() == "unknown" else name)


HOSTILE_PIECES: list[tuple[str, Callable[[int], str]]] = [
    ("nested", lambda n: "from a " + "(" * n + ")" * n),
    ("no end", lambda n: "from a " + "(" * (2 * n)),
    ("comments", lambda n: "from a " + "(a)" * n),
    ("brackets", lambda n: "from a (" + " [1" * n + ") by x"),
    ("blanks", lambda n: "from a (" + " " * n + "[192.0.2.7]" + " " * n + ") by x"),
    ("names", lambda n: "from " + "(x " * n + " by x"),
]


@pytest.mark.parametrize("piece", [row[1] for row in HOSTILE_PIECES], ids=[row[0] for row in HOSTILE_PIECES])
def test_time_is_linear(piece: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the limits: sixteen times the length takes far less than 256 times the time."""
    monkeypatch.setattr("rdns_milter.net.received_field.MAX_FIELD", 1 << 30)

    def seconds(count: int) -> float:
        value, best = piece(count), float("inf")
        for _ in range(5):
            began = time.process_time()
            parse_received(value)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(16 * 2_000) < 80 * max(seconds(2_000), 1e-5)
