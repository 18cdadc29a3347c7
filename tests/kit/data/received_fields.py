"""Received fields as MTAs write them, with what they say, and fields in which a client has put what it can.

The forms of MTAs are in received_fields.txt, fields with blanks and parentheses of clients in hostile_received_fields.txt.
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


def _hostile() -> tuple[tuple[str, str, str], ...]:
    blocks = Path(__file__).with_name("hostile_received_fields.txt").read_text("utf-8").split("\n\n")[1:]
    found = []
    for block in blocks:
        head, _, value = block.strip("\n").partition("\n")
        name, expected = head.split(" | ")
        value = value.replace("{150 words}", "x " * 150).replace("{5000 characters}", "x" * 5000)
        found.append((name, value.replace("\\t", "\t"), expected))
    return tuple(found)


# Fields in which a client has written what it can into its HELO name, login, certificate or recipient. The address is 192.0.2.7 or
# unreadable ("?"), never 198.51.100.99, and no client has logged in.
HOSTILE: tuple[tuple[str, str, str], ...] = (
    *_hostile(),
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
    # A HELO name that is an address literal, in the comments in which MTAs write it.
    ("HELO literal in qmail", "from unknown (HELO [198.51.100.99]) (192.0.2.7) by mx.example.net with SMTP; D", "="),
    (
        "HELO literal in Cisco ESA",
        "from unknown (HELO [198.51.100.99]) ([192.0.2.7])\n  by mx.example.net with ESMTP; D",
        "=",
    ),
    ("HELO literal, EHLO", "from 192.0.2.7  (EHLO [198.51.100.99]) (192.0.2.7) by mx.example.net with SMTPs; D", "="),
    ("HELO literal, LHLO", "from x (LHLO [198.51.100.99]) (192.0.2.7) by mx.example.net with LMTP; D", "="),
    (
        "HELO literal in CommuniGate",
        "from [192.0.2.7] (HELO [198.51.100.99]) by mx.example.net (CommuniGate Pro SMTP 6.3.3) with ESMTP id 1; D",
        "=",
    ),
    (
        "HELO literal in CommuniGate, verified",
        "from [198.51.100.99] ([192.0.2.7] verified) by mx.example.net (CommuniGate Pro SMTP 6.3.3) with ESMTP id 1; D",
        "=",
    ),
    ("HELO literal and a name HELO", "from [198.51.100.99] (HELO [192.0.2.7]) by mx.example.net with ESMTP; D", "?"),
    (
        "HELO name with a literal in qmail",
        "from a (HELO a@[198.51.100.99]) (192.0.2.7) by mx.example.net with SMTP; D",
        "=",
    ),
    ("HELO in chasquid", "from [192.0.2.7] (198.51.100.99) by mx.example.net (chasquid) with ESMTP\n\t; D", "="),
    (
        "HELO literal in chasquid",
        "from [192.0.2.7] ([198.51.100.99]) by mx.example.net (chasquid) with ESMTP\n\t; D",
        "=",
    ),
    (
        "HELO in chasquid claims a login",
        "from [192.0.2.7] (authenticated) by mx.example.net (chasquid) with ESMTP; D",
        "=",
    ),
    # Answers to an IDENT query, which Exim writes as they come.
    (
        "ident in Exim",
        "from [192.0.2.7] (helo=x ident=a [198.51.100.99]) by mx.example.net with esmtp (Exim 4.96); D",
        "=",
    ),
    (
        "ident in Exim, alone",
        "from [192.0.2.7] (ident=a [198.51.100.99]) by mx.example.net with esmtp (Exim 4.96); D",
        "=",
    ),
    (
        "ident in Exim ends the comment",
        "from [192.0.2.7] (helo=x ident=a) ([198.51.100.99]) by mx.example.net with esmtp (Exim 4.96) id 1; D",
        "?",
    ),
    (
        "ident in Exim with another banner",
        "from [192.0.2.7] (helo=x ident=a [198.51.100.99]) by mx.example.net with esmtp; D",
        "?",
    ),
    (
        "ident in Exim claims a login",
        "from h ([192.0.2.7] ident=a) by mx.example.net with esmtpa (Exim 4) id (x) by mx.example.net with esmtp (Exim 4.96); D",
        "?",
    ),
    ("ident in Sendmail", "from a (IDENT:x[198.51.100.99]@[192.0.2.7]) by mx.example.net (8.12.11) with SMTP; D", "="),
    # Senders in quotes.
    (
        "sender in Exim claims a login",
        'from h ([192.0.2.7]) by mx.example.net with esmtp (Exim 4.96) (envelope-from <"x)(authenticated "@e>) id 1; D',
        "=",
    ),
    (
        "sender in qmail-ldap claims a login",
        'from h ([192.0.2.7]) (envelope-sender <"x) (authenticated y"@e>) by mx.example.net (qmail-ldap-1.03) with SMTP; D',
        "=",
    ),
    (
        "sender in maddy claims a login",
        'from h (h [192.0.2.7]) by mx.example.net (envelope-sender <"x) with ESMTPA id 1 ("@e>) with ESMTP id 1; D',
        "=",
    ),
    (
        "sender in chasquid claims a login",
        'from [192.0.2.7] (h) by mx.example.net (chasquid) with ESMTP (envelope from "\\"x)(authenticated\\"@e"); D',
        "=",
    ),
    # Reverse names that look like something else.
    (
        "reverse name claims a login",
        "from h (authenticated.example.org [192.0.2.7]) by mx.example.net with ESMTP; D",
        "=",
    ),
    (
        "reverse name claims a login in Sendmail",
        "from h (auth:a@h.example.org [192.0.2.7]) by mx.example.net with SMTP; D",
        "=",
    ),
    (
        "reverse name looks like a sender",
        "from h (envelope-from.example.org [192.0.2.7]) by mx.example.net with ESMTP; D",
        "=",
    ),
    ("ident in qmail looks like Exim", "from a (HELO b) (helo=x@192.0.2.7) by mx.example.net with SMTP; D", "="),
    ("reverse name looks like Exim", "from [198.51.100.99] (helo=h [192.0.2.7]) by mx.example.net with ESMTP; D", "?"),
    # Blanks that are not those of RFC 5322. Postfix leaves such bytes in the HELO name.
    *(
        (
            f"U+{ord(blank):04X} in HELO",
            f"from a{blank}[198.51.100.99]{blank}by{blank}mx.example.net (h [192.0.2.7]) by x; D",
            "=",
        )
        for blank in "\x0b\x0c\x1c\x1f\x85\xa0\u2003\u2028\u3000"
    ),
    (
        "HELO with blanks",
        "from a [198.51.100.99] by mx.example.net with ESMTP (h [192.0.2.7]) by mx.example.net with ESMTP; D",
        "?",
    ),
    ("right-to-left marks", "from \u202emoc.elpmaxe\u202c (\u202e [192.0.2.7]) by mx.example.net with ESMTP; D", "="),
    ("encoded word", "from =?utf-8?q?a_[198.51.100.99]_by_x?= (h [192.0.2.7]) by mx.example.net with ESMTP; D", "="),
    ("digits of another script", "from a (h [\u0661\u0669\u0668.51.100.99]) by mx.example.net with ESMTP; D", "?"),
    ("octal digits", "from a (h [0300.0.2.7]) by mx.example.net with ESMTP; D", "?"),
    (
        "escaped parentheses",
        "from a (h\\) ([198.51.100.99]) by x \\( [192.0.2.7]) by mx.example.net with ESMTP; D",
        "?",
    ),
    ("an address in a nested comment", "from a (h ([198.51.100.99]) [192.0.2.7]) by mx.example.net with ESMTP; D", "?"),
    ("quotes without an end", 'from "a (h [192.0.2.7]) by mx.example.net with ESMTP; D', "="),
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
        "?",
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
