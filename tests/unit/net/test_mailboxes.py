"""Mailboxes of paths and their normalized form, however a client writes a path, and with the macros of the MTA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.net import mailboxes
from rdns_milter.net.mailboxes import MAX_PATH, NULL_SENDER, Mailbox, normalized_path, parse_mailbox, path_used_by_mta
from tests.kit.data.strategies import hostile_text

# Postfix, Sendmail or both were seen to queue mail from each of these as ceo@bank.example.
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
def test_one_mailbox_has_one_normalized_path(path: str) -> None:
    assert normalized_path(path) == "ceo@bank.example"
    assert parse_mailbox(path) == Mailbox("ceo", "bank.example")


# Path, normalized path, local part, domain.
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
    # These are not the null path: a message from them is not a bounce.
    ("<@>", "@", "@", ""),
    ("@\udcff.example", "@\udcff.example", "@\udcff.example", ""),
    ("@..", "@..", "@..", ""),
]


@pytest.mark.parametrize(("path", "expected", "local", "domain"), MAILBOXES)
def test_mailboxes(path: str, expected: str, local: str, domain: str) -> None:
    mailbox = parse_mailbox(path)
    assert mailbox == Mailbox(local, domain)
    assert normalized_path(path) == expected
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
def test_an_unreadable_path_stays_as_it_is(path: str) -> None:
    mailbox = parse_mailbox(path)
    assert not mailbox.readable
    assert not mailbox.is_null
    assert normalized_path(path) == path.strip()[:MAX_PATH]
    assert not parse_mailbox(normalized_path(path)).readable


# Path, macro, path and macro of the previous command, the path that the MTA uses.
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
    # An empty macro does not make a message with a sender a bounce.
    ("<>", "", ("", ""), ""),
    ("<<>>", "", ("<a@x.example>", "a@x.example"), ""),
    # The MTA has not sent the macro again.
    ("<>", "a@x.example", ("<a@x.example>", "a@x.example"), ""),
    ("<b@y.example>", "a@x.example", ("<a@x.example>", "a@x.example"), "b@y.example"),
    # The same mailbox again, written so that only the MTA can read it.
    ("<a%bank.example@mx>", "a@bank.example", ("<a%bank.example@MX>", "a@bank.example"), "a@bank.example"),
]


@pytest.mark.parametrize(("path", "macro", "earlier", "expected"), TAKEN)
def test_path_used_by_mta(path: str, macro: str, earlier: tuple[str, str], expected: str) -> None:
    assert normalized_path(path_used_by_mta(path, macro, earlier)) == expected


ANY = hostile_text(300) | st.text() | st.from_regex(r"[a-zA-Z0-9@.<>:\"\\ \[\]%!(),;-]{0,40}", fullmatch=True)


@given(ANY)
def test_a_normalized_path_normalizes_to_itself(text: str) -> None:
    path = normalized_path(text)
    assert normalized_path(path) == path
    assert len(path) <= MAX_PATH
    assert parse_mailbox(text) == parse_mailbox(path)
    assert parse_mailbox(text).is_null == (path == "")


PLAIN = st.from_regex(r"<?[a-z0-9.@#&'*+/=?^_`{|}~!%-]{0,12}@[a-zA-Z0-9._-]{0,12}>?", fullmatch=True)


@given(ANY | PLAIN)
def test_a_plain_path_is_read_as_its_tokens_are(text: str) -> None:
    path = text[: MAX_PATH - 1]
    assert mailboxes._read(path) == mailboxes._read_tokens(path)


@given(ANY, ANY, ANY)
def test_the_path_used_is_one_of_the_two(path: str, macro: str, other: str) -> None:
    assert path_used_by_mta(path, macro, (other, macro)) in (path, macro)


LOCAL = st.text(st.characters(max_codepoint=0x17F), min_size=1, max_size=40)


@given(LOCAL)
def test_a_quoted_local_part_is_the_text_in_the_quotes(local: str) -> None:
    quoted = "".join(f"\\{letter}" if letter in '"\\' else letter for letter in local)
    mailbox = parse_mailbox(f'<"{quoted}"@x.example>')
    assert mailbox == Mailbox(local, "x.example")
    assert parse_mailbox(normalized_path(f'<"{quoted}"@x.example>')) == mailbox


@pytest.mark.parametrize("piece", ['"', "\\", "(", ")", "<", ">", "@", "[", "a ", '"a" ', "(a)", ":", ";"])
def test_a_path_longer_than_the_limit(piece: str) -> None:
    for size in (MAX_PATH - 1, MAX_PATH, 1000 * MAX_PATH):
        path = normalized_path((piece * size)[:size])
        assert len(path) <= MAX_PATH
        assert normalized_path(path) == path
    assert not parse_mailbox(f"<a@x.example>{piece * MAX_PATH}").readable
