"""Which mailbox a path means, and its one spelling: every way in which a client can write it, and an MTA that says it itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net.mailboxes import MAX_PATH, NULL_SENDER, Mailbox, as_taken, parse_mailbox, spelling
from tests.kit.data.strategies import hostile_text

# All of them were seen to be queued as ceo@bank.example by Postfix, by Sendmail, or by both.
CEO = [
    "<ceo@bank.example>",
    "ceo@bank.example",
    "<ceo@bank.example",
    "<ceo@ bank.example>",
    "<ceo @bank.example>",
    "< ceo@bank.example >",
    "<\tceo@bank.example>",
    "<ceo@bank . example>",
    "<ceo . @ bank.example>".replace(" . ", " "),
    "<ceo@(x)bank.example>",
    "<(x)ceo@bank.example>",
    "<ceo(x)@bank.example>",
    "<ceo@bank.example(x)>",
    r"<ceo@(a(b)\)c)bank.example>",
    "Ceo <ceo@bank.example>",
    "<Ceo <ceo@bank.example>>",
    '"C E O" <ceo@bank.example>',
    '"x@good.example" <ceo@bank.example>',
    "x@good.example <ceo@bank.example>",
    "<<ceo@bank.example>>",
    "<><ceo@bank.example>",
    '<"ceo"@bank.example>',
    r'<"c\eo"@bank.example>',
    r"<c\eo@bank.example>",
    '<ce"o"@bank.example>',
    '<"ceo@bank.example">',
    r"<ceo\@bank.example>",
    '<ceo@"bank.example">',
    r"<ceo@ba\nk.example>",
    "<@r.example:ceo@bank.example>",
    "<@r.example,@s.example:ceo@bank.example>",
    "<grp:ceo@bank.example;>",
    "<bank.example!ceo>",
    "<ceo%bank.example>",
]


@pytest.mark.parametrize("path", CEO)
def test_one_mailbox_has_one_spelling(path: str) -> None:
    assert spelling(path) == "ceo@bank.example"
    assert parse_mailbox(path) == Mailbox("ceo", "bank.example")


# Path, its spelling, local part and domain.
MAILBOXES = [
    (" <A@Example.COM.> ", "A@Example.COM.", "A", "example.com"),
    ("a@example.com..", "a@example.com..", "a", ""),
    ("a@bücher.example", "a@bücher.example", "a", "xn--bcher-kva.example"),
    ("jörg@example.com", "jörg@example.com", "jörg", "example.com"),
    ('"jörg"@example.com', "jörg@example.com", "jörg", "example.com"),
    ("j\udcf6rg@ example.com", "j\udcf6rg@example.com", "j\udcf6rg", "example.com"),
    ("postmaster", "postmaster", "postmaster", ""),
    ('"postmaster"', "postmaster", "postmaster", ""),
    ('"post master"', '"post master"', "post master", ""),
    ("a@b@example.com", '"a@b"@example.com', "a@b", "example.com"),
    ('"a@b"@example.com', '"a@b"@example.com', "a@b", "example.com"),
    (r'"a\"@b"@example.com', r'"a\"@b"@example.com', 'a"@b', "example.com"),
    (r'"a\\b"@example.com', r'"a\\b"@example.com', r"a\b", "example.com"),
    (r"a\@b@example.com", '"a@b"@example.com', "a@b", "example.com"),
    (r"a\ b@example.com", '"a b"@example.com', "a b", "example.com"),
    ('"a"."b"@example.com', "a.b@example.com", "a.b", "example.com"),
    ('"a."@example.com', '"a."@example.com', "a.", "example.com"),
    ("a..b@example.com", '"a..b"@example.com', "a..b", "example.com"),
    ('"x:y"@example.com', '"x:y"@example.com', "x:y", "example.com"),
    ("a%b.example@example.com", "a%b.example@example.com", "a%b.example", "example.com"),
    ("b.example!a@example.com", "b.example!a@example.com", "b.example!a", "example.com"),
    ("@example.com", "@example.com", "", "example.com"),
    ('""@example.com', "@example.com", "", "example.com"),
    ("a@", "a@", "a", ""),
    ("a@\udcff.example", "a@\udcff.example", "a", ""),
    ("a@[192.0.2.1]", "a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "a", "[ipv6:2001:db8::1]"),
    ("", "", "", ""),
    ("<>", "", "", ""),
    ("<<>>", "", "", ""),
    ("<(x)>", "", "", ""),
    ('<"">', "", "", ""),
    ("<", "", "", ""),
    (" < > ", "", "", ""),
    # What is no null path must not pass for a bounce.
    ("<@>", "@", "@", ""),
    ("@\udcff.example", "@\udcff.example", "@\udcff.example", ""),
    ("@..", "@..", "@..", ""),
]


@pytest.mark.parametrize(("path", "spelled", "local", "domain"), MAILBOXES)
def test_mailboxes(path: str, spelled: str, local: str, domain: str) -> None:
    mailbox = parse_mailbox(path)
    assert mailbox == Mailbox(local, domain)
    assert spelling(path) == spelled
    assert mailbox.is_null == (mailbox == NULL_SENDER) == (not local and not domain)


@pytest.mark.parametrize(
    "path",
    [
        "<a@bank.example, b@other.example>",
        "<a,b@bank.example>",
        "<ceo@bank.example> <b@other.example> x",
        "<ceo@bank.example> x",
        "ceo@bank.example <>",
        "<ceo@(bank.example>",
        "<ceo)@bank.example>",
        "ceo@bank.example>",
        "<ceo@ba nk.example>",
        f"<({'x' * MAX_PATH})ceo@bank.example>",
    ],
)
def test_what_cannot_be_read_says_so_and_stays_so(path: str) -> None:
    mailbox = parse_mailbox(path)
    assert not mailbox.readable
    assert not mailbox.is_null
    assert spelling(path) == path.strip()[:MAX_PATH]
    assert not parse_mailbox(spelling(path)).readable


# Path, macro, the path and macro of the command before, what counts.
TAKEN = [
    ("<ceo@ bank.example>", "ceo@bank.example", ("", ""), "ceo@bank.example"),
    ("<ceo@ bank.example>", "", ("", ""), "ceo@bank.example"),
    ("<Ceo@Bank.example>", "ceo@bank.example", ("", ""), "Ceo@Bank.example"),  # Postfix writes it in lower case
    ('<"St rict"@x.example>', '"st rict"@x.example', ("", ""), '"St rict"@x.example'),
    ("<ceo>", "ceo@mx.test.example", ("", ""), "ceo@mx.test.example"),
    ("<a, b@x.example>", "b@bank.example", ("", ""), "b@bank.example"),
    ("<a@good.example>", "b@bank.example", ("", ""), "b@bank.example"),
    ("<a%bank.example@mx.example>", "a@bank.example", ("", ""), "a@bank.example"),
    # Sendmail's local mailers: the user alone.
    ("<ceo@ bank.example>", "ceo", ("", ""), "ceo@bank.example"),
    ("<a%b.example@bank.example>", "a%b.example", ("", ""), "a%b.example@bank.example"),
    ("<ceo@ bank.example>", '"ceo', ("", ""), "ceo@bank.example"),
    # An empty macro makes no bounce of what has a sender.
    ("<>", "", ("", ""), ""),
    ("<<>>", "", ("<a@x.example>", "a@x.example"), ""),
    # One that has not come again.
    ("<>", "a@x.example", ("<a@x.example>", "a@x.example"), ""),
    ("<b@y.example>", "a@x.example", ("<a@x.example>", "a@x.example"), "b@y.example"),
    # The same mailbox again, in a way that only the MTA can read.
    ("<a%bank.example@mx>", "a@bank.example", ("<a%bank.example@MX>", "a@bank.example"), "a@bank.example"),
]


@pytest.mark.parametrize(("path", "macro", "earlier", "expected"), TAKEN)
def test_the_mta_knows_whom_it_takes_it_for(path: str, macro: str, earlier: tuple[str, str], expected: str) -> None:
    assert spelling(as_taken(path, macro, earlier)) == expected


ANY = hostile_text(300) | st.text() | st.from_regex(r"[a-zA-Z0-9@.<>:\"\\ \[\]%!(),;-]{0,40}", fullmatch=True)


@given(ANY)
def test_a_spelling_stays_as_it_is(text: str) -> None:
    path = spelling(text)
    assert spelling(path) == path
    assert len(path) <= MAX_PATH
    assert parse_mailbox(text) == parse_mailbox(path)
    assert parse_mailbox(text).is_null == (path == "")


@given(ANY, ANY, ANY)
def test_what_is_taken_is_one_of_the_two(path: str, macro: str, other: str) -> None:
    assert as_taken(path, macro, (other, macro)) in (path, macro)


LOCAL = st.text(st.characters(max_codepoint=0x17F), min_size=1, max_size=40)


@given(LOCAL)
def test_a_quoted_local_part_means_what_stands_in_the_quotes(local: str) -> None:
    quoted = "".join(f"\\{letter}" if letter in '"\\' else letter for letter in local)
    mailbox = parse_mailbox(f'<"{quoted}"@x.example>')
    assert mailbox == Mailbox(local, "x.example")
    assert parse_mailbox(spelling(f'<"{quoted}"@x.example>')) == mailbox


@pytest.mark.parametrize("piece", ['"', "\\", "(", ")", "<", ">", "@", "[", "a ", '"a" ', "(a)", ":", ";"])
def test_more_of_a_path_than_there_may_be(piece: str) -> None:
    for size in (MAX_PATH - 1, MAX_PATH, 1000 * MAX_PATH):
        path = spelling((piece * size)[:size])
        assert len(path) <= MAX_PATH
        assert spelling(path) == path
    assert not parse_mailbox(f"<a@x.example>{piece * MAX_PATH}").readable
