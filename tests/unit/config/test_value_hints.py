"""Values in the notation of another program: the message says what to write, in rules, options and list files alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdns_milter.config.hints.value_hints import MAX_TEXT, hint
from rdns_milter.config.load import ConfigError, parse
from rdns_milter.config.value_parsers import read_greeting, read_mailbox, read_name, read_network, read_recipient

BOTH = '["partner.example", ".partner.example"]'
# Condition, value, and the end of the message.
CASES: list[tuple[str, str, str]] = [
    *((key, value, end) for key in ("mailfrom", "rcpt") for value, end in [
        ("*@partner.example", 'for all mailboxes of a domain write "partner.example"'),
        ("%@partner.example", 'for all mailboxes of a domain write "partner.example"'),
        ("*@*.partner.example", 'for all mailboxes below a domain write ".partner.example"'),
        ("*@.partner.example", 'for all mailboxes below a domain write ".partner.example"'),
        ("news*@partner.example", 'for all mailboxes of a domain write "partner.example"'),
        ("us?r@partner.example", 'for all mailboxes of a domain write "partner.example"'),
        ("anna@*", 'for this local part in any domain write "anna@"'),
        ("anna@.partner.example", 'a local part and a suffix cannot be combined: write "anna@" or ".partner.example"'),
        ("anna@*.partner.example", 'a local part and a suffix cannot be combined: write "anna@" or ".partner.example"'),
        ("*.partner.example", 'for all names below a domain write ".partner.example"'),
        ("*partner.example", f"for a domain and all names below it write {BOTH}"),
        ("*@*", "to match anything leave the condition out"),
        ("*", "to match anything leave the condition out"),
        ("<anna@partner.example>", 'without angle brackets write "anna@partner.example"'),
        ("Anna <anna@partner.example>", 'without angle brackets write "anna@partner.example"'),
        ("mailto:anna@partner.example", 'without the word before it write "anna@partner.example"'),
        ("anna@partner.example, bob@partner.example",
         'for several values write ["anna@partner.example", "bob@partner.example"]'),
        ("anna@192.0.2.1", 'for an address literal write "anna@[192.0.2.1]"'),
        ("anna @partner.example", 'without blanks write "anna@partner.example"'),
        ("192.0.2.1", 'addresses and networks are tested by the condition "client"'),
        ("192.0.2.*", 'networks are tested by another condition: client = "192.0.2.0/24"'),
        (r"/^.*@partner\.example$/", 'regular expressions are not possible here: write "partner.example"'),
        ("mail.*", 'wildcards are not possible: write a suffix such as ".example.com" for all names below it'),
    ]),
    ("mailfrom", "", 'for the null sender write "<>"'),
    ("mailfrom", "< >", 'for the null sender write "<>"'),
    *((key, value, end) for key in ("ptr", "helo_name", "mailfrom", "rcpt") for value, end in [
        (" partner.example", 'without blanks at its ends write "partner.example"'),
        ("partner.example\t", 'without blanks at its ends write "partner.example"'),
        ("http://partner.example/", 'without scheme and path write "partner.example"'),
        ("https://www.partner.example/a?b#c", 'without scheme and path write "www.partner.example"'),
        ("partner.example:25", 'without the port write "partner.example"'),
        ("'partner.example'", 'without further quotes write "partner.example"'),
        ("..partner.example", 'for all names below a domain write ".partner.example"'),
        (".*.partner.example", 'for all names below a domain write ".partner.example"'),
        ("mx*.partner.example", 'for all names below a domain write ".partner.example"'),
        ("!partner.example", 'for an exception use "unless": there write "partner.example"'),
        ("a.example b.example", 'for several values write ["a.example", "b.example"]'),
        (r"^(.*\.)?partner\.example$", f"regular expressions are not possible here: write {BOTH}"),
        (" '*.partner.example',", 'write ".partner.example"'),
    ]),
    *((key, "anna@partner.example", 'mailboxes are tested by the conditions "mailfrom" and "rcpt"')
      for key in ("ptr", "helo_name", "client")),
    ("ptr", "*@partner.example", 'mailboxes are tested by the conditions "mailfrom" and "rcpt"'),
    ("ptr", "192.0.2.0/24", 'addresses and networks are tested by the condition "client"'),
    ("ptr", "[192.0.2.1]", 'addresses and networks are tested by the condition "client"'),
    ("helo_name", "192.0.2.0/24", 'addresses and networks are tested by the condition "client"'),
    *(("client", value, end) for value, end in [
        ("192.0.2.*", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2.x", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2.", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2", 'for such a network write "192.0.2.0/24"'),
        ("10.*.*.*", 'for such a network write "10.0.0.0/8"'),
        ("2001:db8:*", 'for such a network write "2001:db8::/32"'),
        ("192.0.2.0/255.255.255.0", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2.0 255.255.255.0", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2.0-192.0.2.255", 'for such a network write "192.0.2.0/24"'),
        ("192.0.2.4-7", 'for such a network write "192.0.2.4/30"'),
        ("192.000.002.001", 'for such an address write "192.0.2.1"'),
        ("[2001:db8::1]", 'without brackets write "2001:db8::1"'),
        ("IPv6:2001:db8::1", 'without the word before it write "2001:db8::1"'),
        ("fe80::1%eth0", 'without the zone write "fe80::1"'),
        ("192.0.2.1:25", 'without the port write "192.0.2.1"'),
        ("ip4:192.0.2.0/24", 'without the word before it write "192.0.2.0/24"'),
        (" 192.0.2.1", 'without blanks at its ends write "192.0.2.1"'),
        ("192.0.2.1, 192.0.2.2", 'for several values write ["192.0.2.1", "192.0.2.2"]'),
        ("192.0.2.1 REJECT", 'without an action write "192.0.2.1"'),
        ("!192.0.2.1", 'for an exception use "unless": there write "192.0.2.1"'),
        ("*", 'for all addresses write ["0.0.0.0/0", "::/0"]'),
        ("localhost", 'for this host write ["127.0.0.0/8", "::1"]'),
        ("mx.partner.example", 'names are tested by other conditions: ptr = "mx.partner.example"'),
        ("*.partner.example", 'names are tested by other conditions: ptr = ".partner.example"'),
    ]),
]  # fmt: skip


def toml(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value).replace("\t", r"\t") + '"'


def message(document: str, path: str = "c.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        parse(document, path)
    (error,) = caught.value.errors
    return error.message


@pytest.mark.parametrize(("key", "value", "end"), CASES, ids=lambda text: str(text)[:40])
def test_the_message_says_what_to_write(key: str, value: str, end: str, tmp_path: Path) -> None:
    for where in ("when", "unless"):
        rule = f'[[rule]]\nname = "r"\naction = "tag"\n{where} = {{ {key} = %s }}\n'
        assert message(rule % toml(value)).endswith(end)
        assert message(
            rule % f'["192.0.2.9", {toml(value)}]' if key == "client" else rule % f"[{toml(value)}]"
        ).endswith(end)
    suggested = end.partition(" write ")[2]
    if suggested and " or " not in suggested and not suggested.startswith("a suffix"):
        parse(rule % suggested, "c.toml")
    entry = value.strip()
    if not entry or entry != value or entry.startswith("#"):
        return
    (tmp_path / "list").write_text(f"# a comment\n{entry}\n")
    document = f'[lists]\nl = "list"\n{rule}' % '"@l"'
    assert message(document, str(tmp_path / "c.toml")).endswith(end)


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ('mailfrom = "@partner.example"', 'no list "@partner.example"; for all mailboxes of a domain write "partner.example"'),
        ('rcpt = "@.partner.example"', 'no list "@.partner.example"; for all mailboxes below a domain write ".partner.example"'),
        ('mailfrom = "@anna@partner.example"', '; write "anna@partner.example"'),
        ('ptr = "@good.example"', 'no list "@good.example"; without @ write "good.example"'),
        ('client = "@192.0.2.0/24"', 'no list "@192.0.2.0/24"; write "192.0.2.0/24"'),
        ('client = "@/etc/partners"', "there is no list"),
        ('client = "@/etc/p.cidr"', '; a file gets a name in [lists], NAME = "/etc/p.cidr", and is used as "@NAME"'),
        ('client = "@partner"', '; did you mean "@partners"?'),
        ('client = "@ partners"', '; did you mean "@partners"?'),
        ('ptr = "partners"', '"partners" is the name of a list; write "@partners"'),
        ('client = "partners"', '"partners" is the name of a list; write "@partners"'),
        ('mailfrom = ["a.example", "partners"]', '"partners" is the name of a list; write "@partners"'),
    ],
)  # fmt: skip
def test_an_at_sign_means_a_list(written: str, end: str, tmp_path: Path) -> None:
    (tmp_path / "partners").write_text("")
    rule = f'[[rule]]\nname = "r"\naction = "tag"\nwhen = {{ {written} }}\n'
    document = f'[lists]\npartners = "partners"\n{rule}'
    assert end in message(document, str(tmp_path / "c.toml"))


def test_options_have_the_same_hints() -> None:
    assert message('[exempt]\nnetworks = ["192.0.2.*"]\n').endswith('write "192.0.2.0/24"')
    assert message('[generic]\nexceptions = ["*.example.com"]\n').endswith('write ".example.com"')


def test_a_local_part_with_a_wildcard_can_be_quoted() -> None:
    assert read_mailbox('"*"@partner.example') == "*@partner.example"
    assert read_mailbox('"what?"@partner.example') == "what?@partner.example"


TEXTS = st.text(st.sampled_from("ab.*@?/^$\\[]<>:,;- %!~1290'\"()x\u00e9\n\t"), max_size=40) | st.text(max_size=20)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_no_text_is_an_exception_and_what_is_suggested_can_be_read(text: str) -> None:
    for read in (read_network, read_name, read_greeting, read_mailbox, read_recipient):
        try:
            read(text)
        except ValueError as error:
            found = str(error)
            assert found
            values = re.search(r' write ("[^"\\]*")\Z', found)
            if values and "tested by" not in found and "such as" not in found and 'use "unless"' not in found:
                suggested = values[1].strip('"')
                assert suggested != text
                read(suggested) if not suggested.endswith("...") else None


def test_a_very_long_text_has_no_hint() -> None:
    assert hint("*." * MAX_TEXT + "example", "name", read_name) == ""
