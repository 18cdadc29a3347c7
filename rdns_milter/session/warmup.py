"""One imaginary message before the first real one: what is loaded late (tables, patterns, the Public Suffix List) is loaded
now, once, in the parent, so that no client waits for it and all workers share it.

Asks nobody, logs nothing, starts no thread: it runs before the fork.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any, TypeVar

from ..checks.evidence import Evidence, Helo, Iprev
from ..checks.generic import generic
from ..checks.helo import own
from ..checks.iprev import iprev
from ..checks.spf import Limits, check_host
from ..config.load import Config
from ..logs.decision import Decision, line
from ..net.mailboxes import parse_mailbox
from ..net.names import alignment
from ..policy.decide import decide, reply_is_settled
from ..resolver.lookup import Answer, Question, Value, never_enough
from ..responses.replies import compose
from .modifications import ending

Found = TypeVar("Found")

_CLIENT = IPv4Address("192.0.2.1")
_NAME = "mail.example.com"
_SENDER = "postmaster@example.com"
_ANSWERS: dict[str, tuple[Value, ...]] = {
    "PTR": (_NAME,),
    "A": (str(_CLIENT),),
    "TXT": (b"v=spf1 a mx include:example.net -all",),
    "MX": ((10, _NAME),),
}


class _Echo:
    """A Lookup that has the same answer for every name."""

    async def ask(
        self, questions: Sequence[Question], enough: Callable[[Answer], bool] = never_enough
    ) -> tuple[Answer, ...]:
        return tuple(Answer(question, "ok", _ANSWERS.get(question.type, ()), 60.0) for question in questions)

    async def first(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        return await self.ask(questions)

    def expect(self, questions: Sequence[Question]) -> None:
        return None


def rehearse(config: Config) -> None:
    """Judge an imaginary client, once well and once badly known, and throw the outcome away."""
    echo, mailbox = _Echo(), parse_mailbox(_SENDER)
    found = _run(iprev(echo, _CLIENT, config.dns.max_ptr_names))
    known = Evidence(
        client=_CLIENT,
        helo_name=_NAME,
        mailfrom=_SENDER,
        rcpt=_SENDER,
        iprev=found,
        generic=generic(found.ptr, _CLIENT, config.generic.patterns, config.generic.exceptions),
        helo=Helo("fqdn", own(_NAME, _CLIENT, (), ()), "pass", alignment(_NAME, found.names)),
        spf_helo=_run(check_host(echo, _CLIENT, mailbox, _NAME, limits=Limits())).spf,
        spf_mailfrom=_run(check_host(echo, _CLIENT, mailbox, _NAME, limits=Limits())).spf,
        mailfrom_match=alignment(mailbox.domain, found.names),
    )
    unknown = replace(known, iprev=Iprev("permerror", "no-ptr"), helo=Helo("invalid", "no", "none", "none"))
    for evidence in (known, unknown):
        reply_is_settled(evidence, config.policy)
        verdict = decide(evidence, config.policy)
        ending(evidence, [verdict], (), config.headers.authserv_id or _NAME, config.headers)
        line(Decision(verdict, evidence, (_SENDER,), reply=str(compose(verdict, evidence) or "")), config.log.format)


def _run(check: Coroutine[Any, Any, Found]) -> Found:
    """What a check returns whose Lookup never makes it wait."""
    try:
        check.send(None)
    except StopIteration as end:
        found: Found = end.value
        return found
    raise AssertionError("the rehearsal waits for something")
