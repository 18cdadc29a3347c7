"""Spellings of mailboxes that clients could write in MAIL and RCPT: routes, comments, spaces, quotes, escapes, display names, and
invalid ones.

Made from a seed, so that each can be made again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

LOCALS = (
    "ceo",
    "CEO",
    "a.b",
    "a b",
    "a@b",
    'a"b',
    "a\\b",
    ".a",
    "a.",
    "a..b",
    "a%b.example",
    "x!a",
    "jörg",
    "a+b",
    "a,b",
    "a(b",
    "",
)
DOMAINS = ("bank.example", "Bank.Example", "mx.bank.example", "rcpt.example", "[192.0.2.1]", "bank_x.example")
BLANKS = ("", "", "", " ", "\t", "  ", "(x)", " (x (y)) ", "()", '("")', "(\\))", "(<a@b.example>)", "(@)")
DIRT = (
    *'<>@,;:()[]"\\.% !\t',
    "ö",
    "a",
    "@x.example",
    "<>",
    '""',
    "\\@",
    '"@"',
    "(",
    "b@c.example",
    "%c.example",
    "d!",
)


def quoted(text: str, rng: Random) -> str:
    """Return the text in quotes, with some letters escaped without need."""
    letters = (f"\\{letter}" if letter in '"\\' or rng.random() < 0.1 else letter for letter in text)
    return f'"{"".join(letters)}"'


def escaped(text: str, rng: Random) -> str:
    """Return the text without quotes: special characters are escaped, and some of the others."""
    letters = (
        f"\\{letter}" if letter in '"\\ @,()<>:;' or (letter.isalpha() and rng.random() < 0.2) else letter
        for letter in text
    )
    return "".join(letters)


def _split(text: str, rng: Random) -> str:
    return ".".join(rng.choice((quoted, escaped))(part, rng) if part else part for part in text.split("."))


def _plain(text: str, rng: Random) -> str:
    return text


LOCAL_FORMS: tuple[Callable[[str, Random], str], ...] = (_plain, _plain, quoted, escaped, _split)


def _address(rng: Random) -> str:
    local = rng.choice(LOCAL_FORMS)(rng.choice(LOCALS), rng)
    domain = rng.choice(DOMAINS)
    kind = rng.random()
    if kind < 0.05:
        return local
    if kind < 0.1:
        return f"{domain}!{local}"
    if kind < 0.15:
        return f"{local}%{domain}"
    if kind < 0.2:
        return quoted(f"{local}@{domain}", rng)
    blanks = [rng.choice(BLANKS) for _ in range(4)]
    if rng.random() < 0.2:
        domain = rng.choice(
            (
                f"{domain}.",
                f'"{domain}"',
                escaped(domain, rng),
                domain.replace(".", " . "),
                domain.replace(".", "(.)."),
                f"{domain}..",
            )
        )
    return f"{blanks[0]}{local}{blanks[1]}@{blanks[2]}{domain}{blanks[3]}"


def any_path(rng: Random) -> str:
    """Return a path, mostly in angle brackets; one in three contains errors."""
    path = _address(rng)
    if rng.random() < 0.15:
        path = f"@r.example{rng.choice(('', ',@s.example', ' , @t.example'))}:{path}"
    if rng.random() < 0.15:
        name = rng.choice(
            ("Ceo ", '"C E O" ', "C. E. O. ", "", "x@good.example ", '"x@good.example" ', "(c) ", "<> ", "a, ")
        )
        path = f"{name}<{path}>"
    if rng.random() < 0.05:
        path = f"grp:{path}{rng.choice((';', '', ' ;'))}"
    if rng.random() < 0.33:
        for _ in range(rng.randint(1, 2)):
            at = rng.randint(0, len(path))
            path = path[:at] + rng.choice(DIRT) + path[at + rng.choice((0, 0, 1)) :]
    return f"<{path}>" if rng.random() < 0.95 else path
