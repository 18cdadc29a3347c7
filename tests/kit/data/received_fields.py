"""Received fields as MTAs write them, with what they say, and fields in which a client has put what it can.

The forms of MTAs are in received_fields.txt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATE = "Sat, 21 Nov 2026 02:08:25 +0000"


@dataclass(frozen=True, slots=True)
class Example:
    """`client`, `helo`: what the field names, "" for none; `by`: the host that wrote it; `said`: "login" and "tls", if used."""

    mta: str
    client: str
    helo: str
    by: str
    said: tuple[str, ...]
    value: str


def _examples() -> tuple[Example, ...]:
    blocks = Path(__file__).with_suffix(".txt").read_text("utf-8").split("\n\n")[1:]
    found = []
    for block in blocks:
        head, _, value = block.strip("\n").partition("\n")
        mta, client, helo, by, said = (part.strip() for part in head.split("|"))
        found.append(Example(mta, client, helo, by, tuple(said.replace(",", " ").split()), value))
    return tuple(found)


EXAMPLES = _examples()

# Fields in which a client has written what it can into its HELO name, login, certificate or recipient. The address is 192.0.2.7 or
# unreadable ("?"), never 198.51.100.99, and no client has logged in.
HOSTILE: tuple[tuple[str, str, str], ...] = (
    (
        "HELO is a comment with an address",
        "from ([198.51.100.99]) (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D",
        "=",
    ),
    ("HELO opens a comment", "from ( (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D", "="),
    ("HELO ends in a comment", "from a([198.51.100.99]) (Unknown [192.0.2.7]) by mx.example.net with ESMTP; D", "="),
    ("HELO is a literal", "from [198.51.100.99] (unknown [192.0.2.7]) by mx.example.net (Postfix) with ESMTP; D", "="),
    ("HELO is by", "from by (unknown [192.0.2.7]) by mx.example.net (Postfix) with ESMTP; D", "="),
    ("HELO has a semicolon", "from a;b (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D", "="),
    ("HELO claims a login", "from x(authenticated (unknown [192.0.2.7]) by mx.example.net with ESMTP; D", "="),
    ("HELO is a bracket", "from [ (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D", "="),
    ("HELO is a parenthesis", "from ) (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D", "="),
    ("HELO is helo=", "from helo=a (Unknown [192.0.2.7]) by mx.example.net (Haraka) with ESMTP; D", "="),
    (
        "HELO in Exim has an address",
        "from h ([192.0.2.7] helo=[198.51.100.99]) by mx.example.net with esmtp (Exim 4); D",
        "=",
    ),
    ("HELO in qmail", "from unknown (HELO 198.51.100.99) (192.0.2.7) by mx.example.net with SMTP; D", "="),
    ("ident is an address", "from a (198.51.100.99@h [192.0.2.7]) by mx.example.net (8.17) with ESMTP; D", "="),
    ("ident is a bracket", "from a ([198.51.100.99]@h [192.0.2.7]) by mx.example.net (8.17) with ESMTP; D", "="),
    ("ident in qmail", "from a (HELO b) (198.51.100.99@192.0.2.7) by mx.example.net with SMTP; D", "="),
    (
        "certificate",
        'from a (a [192.0.2.7]) (Client CN "HELO b [198.51.100.99]") (authenticate) by mx.example.net with ESMTPS; D',
        "=",
    ),
    (
        "recipient claims a login",
        'from a (a [192.0.2.7]) by mx.example.net with ESMTP id 1 for <"x (authenticated) y"@e>; D',
        "=",
    ),
    (
        "sender claims a login",
        "from a (a [192.0.2.7]) by mx.example.net with ESMTP envelope-from <x (authenticated)>; D",
        "=",
    ),
    ("only the HELO name", "from [198.51.100.99] by mx.example.net with SMTP; D", "?"),
    ("only the HELO name, an address", "from 198.51.100.99 by mx.example.net with SMTP; D", "?"),
    ("no end of the comment", "from a (a [192.0.2.7] by mx.example.net with ESMTP; D", "?"),
    ("two names in the comment", "from a (b [198.51.100.99] c) by mx.example.net with ESMTP; D", "?"),
    ("no by", "from a (a [192.0.2.7]); D", "?"),
    ("nothing", "", "?"),
    ("blanks", " \r\n\t ", "?"),
    ("only from", "from", "?"),
    ("only a comment", "(a (b) c", "?"),
    ("a zone that is too long", f"from a (a [fe80::1%{'z' * 50}]) by mx.example.net with ESMTP; D", "?"),
    ("no address", "from a (a [999.0.2.7]) by mx.example.net with ESMTP; D", "?"),
    ("60 KB of nested comments", "from a " + "(" * 60_000, "?"),
    ("60 KB of pairs", "from a " + "(a)" * 20_000 + " by mx.example.net", "?"),
    ("60 KB of words", "from a " + "b " * 30_000 + " (a [192.0.2.7]) by mx.example.net", "?"),
    (
        "60 KB after the end",
        "from a (a [192.0.2.7]) by mx.example.net with ESMTP; " + "(x [198.51.100.99])" * 3_500,
        "=",
    ),
    ("60 KB of backslashes", "from a (" + "\\" * 60_000, "?"),
    ("60 KB of brackets", "from a (" + " [" * 30_000 + ") by x", "?"),
    ("60 KB of blanks", "from a (a" + " " * 60_000 + "[192.0.2.7]) by x", "?"),
    (
        "a null byte and bytes that are not UTF-8",
        "from a\x00\udcff (\udcfe [192.0.2.7]) by mx.example.net with ESMTP; D",
        "=",
    ),
)
