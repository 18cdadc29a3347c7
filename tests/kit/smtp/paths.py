"""Spellings of mailboxes as clients could write them in MAIL and RCPT: routes, comments, blanks, quotes, escapes, display names,
and what is none of them. Made from a seed, so that each can be had again."""

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


def quoted(text: str, dice: Random) -> str:
    """In quotes, some letters escaped without need."""
    letters = (f"\\{letter}" if letter in '"\\' or dice.random() < 0.1 else letter for letter in text)
    return f'"{"".join(letters)}"'


def escaped(text: str, dice: Random) -> str:
    """Without quotes: what may not stand so is escaped, and some of the rest."""
    letters = (
        f"\\{letter}" if letter in '"\\ @,()<>:;' or (letter.isalpha() and dice.random() < 0.2) else letter
        for letter in text
    )
    return "".join(letters)


def _split(text: str, dice: Random) -> str:
    return ".".join(dice.choice((quoted, escaped))(part, dice) if part else part for part in text.split("."))


def _plain(text: str, dice: Random) -> str:
    return text


LOCAL_FORMS: tuple[Callable[[str, Random], str], ...] = (_plain, _plain, quoted, escaped, _split)


def _address(dice: Random) -> str:
    local = dice.choice(LOCAL_FORMS)(dice.choice(LOCALS), dice)
    domain = dice.choice(DOMAINS)
    kind = dice.random()
    if kind < 0.05:
        return local
    if kind < 0.1:
        return f"{domain}!{local}"
    if kind < 0.15:
        return f"{local}%{domain}"
    if kind < 0.2:
        return quoted(f"{local}@{domain}", dice)
    blanks = [dice.choice(BLANKS) for _ in range(4)]
    if dice.random() < 0.2:
        domain = dice.choice(
            (
                f"{domain}.",
                f'"{domain}"',
                escaped(domain, dice),
                domain.replace(".", " . "),
                domain.replace(".", "(.)."),
                f"{domain}..",
            )
        )
    return f"{blanks[0]}{local}{blanks[1]}@{blanks[2]}{domain}{blanks[3]}"


def any_path(dice: Random) -> str:
    """A path with its brackets, mostly; one in three has some dirt in it."""
    path = _address(dice)
    if dice.random() < 0.15:
        path = f"@r.example{dice.choice(('', ',@s.example', ' , @t.example'))}:{path}"
    if dice.random() < 0.15:
        name = dice.choice(
            ("Ceo ", '"C E O" ', "C. E. O. ", "", "x@good.example ", '"x@good.example" ', "(c) ", "<> ", "a, ")
        )
        path = f"{name}<{path}>"
    if dice.random() < 0.05:
        path = f"grp:{path}{dice.choice((';', '', ' ;'))}"
    if dice.random() < 0.33:
        for _ in range(dice.randint(1, 2)):
            at = dice.randint(0, len(path))
            path = path[:at] + dice.choice(DIRT) + path[at + dice.choice((0, 0, 1)) :]
    return f"<{path}>" if dice.random() < 0.95 else path
