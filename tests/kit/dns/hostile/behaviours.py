"""All wrong ways to answer, in one table: the word that a zone uses, and the function that applies it.

A behaviour is a function of the question and of the sends that would be done so far; it returns the sends to do instead. Several
behaviours can apply to one question: first those of the content, then those of the bytes, then those of the delivery, in the order
of the table.

packaging/doc/platform.md 5.1.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import dns.name

from tests.kit.dns.entries import Argument, Behaviour
from tests.kit.dns.hostile import aliases, delivery, malformed, odd_content, wrong_answers
from tests.kit.dns.message import Ask, Sends


def number(text: str) -> int:
    """Read a whole number from 0. Raises ValueError."""
    value = int(text)
    if value < 0:
        raise ValueError(f"{text} is below 0")
    return value


def seconds(text: str) -> float:
    """Read a time from 0. Raises ValueError."""
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text} is not a time")
    return value


def octets(text: str) -> str:
    """Read one label in hexadecimal, 1 to 63 bytes. Raises ValueError."""
    if not 1 <= len(bytes.fromhex(text)) <= 63:
        raise ValueError(f"{text} is not a label")
    return text


def host(text: str) -> str:
    """Read a name in master-file text. Raises ValueError."""
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException as why:
        raise ValueError(f"{text} is not a name: {why}") from why
    return text


@dataclass(frozen=True, slots=True)
class Row:
    """A behaviour: its function, how its argument is read, and the default of the argument (None: required). `below`: it also
    answers for the names below its own that it generates."""

    act: Callable[..., Sends]
    read: Callable[[str], Argument] | None = None
    default: Argument = None
    below: bool = False


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text} is not one of {', '.join(words)}")
        return text

    return read


def _rcode(code: int) -> Row:
    return Row(functools.partial(wrong_answers.rcode, number=code))


BEHAVIOURS: Mapping[str, Row] = {
    # response codes
    "rcode": Row(wrong_answers.rcode, number),
    "formerr": _rcode(1),
    "servfail": _rcode(2),
    "nxdomain": _rcode(3),
    "notimp": _rcode(4),
    "refused": _rcode(5),
    "yxdomain": _rcode(6),
    "notauth": _rcode(9),
    "badvers": _rcode(16),
    "nodata": Row(wrong_answers.nodata),
    "no-soa": Row(wrong_answers.no_soa),
    "referral": Row(wrong_answers.referral, _one_of(wrong_answers.REFERRALS), "parent"),
    "lame": Row(wrong_answers.lame),
    "additional-only": Row(wrong_answers.additional_only),
    "parent-soa": Row(wrong_answers.parent_soa),
    "other-soa": Row(wrong_answers.other_soa),
    "delegated-soa": Row(wrong_answers.delegated_soa),
    "soa-and-ns": Row(wrong_answers.soa_and_ns),
    "nxdomain-ns": Row(wrong_answers.nxdomain_ns),
    "nxdomain-other-soa": Row(wrong_answers.nxdomain_other_soa),
    "servfail-ad": Row(wrong_answers.servfail_ad),
    "servfail-ede": Row(wrong_answers.servfail_ede, number, wrong_answers.EDE_DNSSEC_BOGUS),
    # other answers than asked for
    "wrong-question": Row(wrong_answers.wrong_question),
    "no-question": Row(wrong_answers.no_question),
    "other-owner": Row(wrong_answers.other_owner),
    "extra-owner": Row(wrong_answers.extra_owner),
    "wrong-type": Row(wrong_answers.wrong_type),
    "wrong-class": Row(wrong_answers.wrong_class),
    "wrong-record-class": Row(wrong_answers.wrong_record_class),
    "ttl": Row(wrong_answers.ttl, number, 0),
    "partial": Row(wrong_answers.partial),
    "reverse": Row(wrong_answers.reverse),
    "shuffle": Row(wrong_answers.shuffle, number, 1),
    "rotate": Row(wrong_answers.rotate),
    # aliases
    "cname-self": Row(aliases.cname_self),
    "cname-loop": Row(aliases.cname_loop, below=True),
    "cname-loop-full": Row(aliases.cname_loop_full),
    "cname-chain": Row(aliases.cname_chain, number, 5),
    "cname-step": Row(aliases.cname_step, number, 5, below=True),
    "cname-silent": Row(aliases.cname_silent, below=True),
    "cname-nxdomain": Row(aliases.cname_nxdomain),
    "cname-ns": Row(aliases.cname_ns, below=True),
    "cname-other-soa": Row(aliases.cname_other_soa, below=True),
    "cname-nodata": Row(aliases.cname_nodata),
    "cname-part": Row(aliases.cname_part, below=True),
    "via-dname": Row(aliases.via_dname),
    # odd content
    "huge": Row(odd_content.huge, number, 1000),
    "big-txt": Row(odd_content.big_txt, number, 4000),
    "target": Row(odd_content.target, host),
    "target-bytes": Row(odd_content.target_bytes, octets),
    "target-long": Row(odd_content.target_long),
    "target-root": Row(odd_content.target_root),
    "target-address": Row(odd_content.target_address),
    # not DNS
    "garbage": Row(malformed.garbage, number, 60),
    "comp-loop": Row(malformed.comp_loop),
    "comp-forward": Row(malformed.comp_forward),
    "comp-rdata": Row(malformed.comp_rdata),
    "bad-rdlength": Row(malformed.bad_rdlength, number, 200),
    "bad-label": Row(malformed.bad_label),
    # octets changed on the way
    "no-recursion": Row(wrong_answers.no_recursion),
    "bad-counts": Row(malformed.bad_counts),
    "trailing": Row(malformed.trailing, number, 4),
    "mutate": Row(malformed.mutate, number, 1),
    "empty": Row(malformed.empty),
    "short": Row(malformed.short),
    "wrong-case": Row(wrong_answers.wrong_case),
    "wrong-id": Row(wrong_answers.wrong_id),
    "echo": Row(wrong_answers.echo),
    # TCP
    "truncate": Row(delivery.truncate),
    "truncate-reset": Row(delivery.truncate_reset),
    "truncate-close": Row(delivery.truncate_close),
    "truncate-hang": Row(delivery.truncate_hang),
    "truncate-again": Row(delivery.truncate_again),
    "truncate-trickle": Row(delivery.truncate_trickle, number, 200),
    "truncate-half": Row(delivery.truncate_half),
    "truncate-too-long": Row(delivery.truncate_too_long),
    "truncate-zero": Row(delivery.truncate_zero),
    "truncate-endless": Row(delivery.truncate_endless),
    # travel
    "edns-formerr": Row(wrong_answers.edns_formerr),
    "edns-drop": Row(delivery.edns_drop),
    "wrong-port": Row(delivery.wrong_port),
    "wrong-address": Row(delivery.wrong_address),
    "spoof-then-right": Row(delivery.spoof_then_right),
    "guess-then-right": Row(delivery.guess_then_right),
    "duplicate": Row(delivery.duplicate, number, 5),
    "flap": Row(delivery.flap, number, 1),
    "lost": Row(delivery.lost, number, 1),
    "udp-drop": Row(delivery.udp_drop),
    "silent": Row(delivery.silent),
    "delay": Row(delivery.delay, seconds),
}

_ORDER = {word: place for place, word in enumerate(BEHAVIOURS)}


def read(word: str, argument: str) -> tuple[str, Argument]:
    """Return the word as the table has it, and its argument. Raises ValueError for an unknown word or a bad argument."""
    word = word.lower().replace("_", "-")
    row = BEHAVIOURS.get(word)
    if row is None:
        raise ValueError(f"no record type and no behaviour: {word}")
    if row.read is None:
        if argument:
            raise ValueError(f"{word} takes no argument")
        return word, None
    if not argument and row.default is None:
        raise ValueError(f"{word} needs an argument")
    return word, row.read(argument) if argument else row.default


def apply(behaviours: Iterable[Behaviour], ask: Ask) -> Sends:
    """Return the sends for this question with these behaviours; without any, the right answer."""
    sends = ask.sends(ask.right())
    for each in sorted(behaviours, key=lambda each: _ORDER[each.word]):
        row = BEHAVIOURS[each.word]
        sends = row.act(ask, sends) if row.read is None else row.act(ask, sends, each.argument)
    return sends
