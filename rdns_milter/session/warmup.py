"""Judge an imaginary message before the first real one. So everything that is loaded on first use (tables, patterns, the Public
Suffix List) is loaded once, in the parent. No client waits for it, and all workers share the memory.

Runs before the fork: sends no query, logs nothing, starts no thread.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from ..checks.evidence import Evidence, Helo, Iprev
from ..checks.generic import generic
from ..checks.helo import match, own
from ..checks.iprev import iprev
from ..checks.spf import Limits, check_host
from ..config.load import Config
from ..logs.decision_keys import Decision
from ..logs.decision_line import line
from ..net.alignment import alignment
from ..net.mailboxes import parse_mailbox
from ..policy.decide import decide, reply_is_settled
from ..resolver.instant_lookup import InstantLookup, run
from ..resolver.lookup import Answer, Question, Value
from ..responses.replies import compose
from .modifications import modifications

_CLIENT = IPv4Address("192.0.2.1")
_NAME = "mail.example.com"
_SENDER = "postmaster@example.com"
_VALUES: dict[str, tuple[Value, ...]] = {
    "PTR": (_NAME,),
    "A": (str(_CLIENT),),
    "TXT": (b"v=spf1 a mx include:example.net -all",),
    "MX": ((10, _NAME),),
}


def _answer(question: Question) -> Answer:
    return Answer(question, "ok", _VALUES.get(question.type, ()), 60.0)


def warm_up(config: Config) -> None:
    """Judge an imaginary client twice: once with all facts in its favour and once with few. Discard the results."""
    lookup, mailbox = InstantLookup(_answer), parse_mailbox(_SENDER)
    found = run(iprev(lookup, _CLIENT, config.dns.max_ptr_names))
    good = Evidence(
        client=_CLIENT,
        helo_name=_NAME,
        mailfrom=_SENDER,
        rcpt=_SENDER,
        iprev=found,
        generic=generic(found.ptr, _CLIENT, config.generic.patterns, config.generic.exceptions),
        helo=Helo("fqdn", own(_NAME, _CLIENT, (), ()), "pass", match(_NAME, found.names)),
        spf_helo=run(check_host(lookup, _CLIENT, mailbox, _NAME, limits=Limits())).spf,
        spf_mailfrom=run(check_host(lookup, _CLIENT, mailbox, _NAME, limits=Limits())).spf,
        mailfrom_match=alignment(mailbox.domain, found.names),
    )
    bad = replace(good, iprev=Iprev("permerror", "no-ptr"), helo=Helo("invalid", "no", "none", "none"))
    for evidence in (good, bad):
        reply_is_settled(evidence, config.policy)
        verdict = decide(evidence, config.policy)
        modifications(evidence, [verdict], (), config.headers.authserv_id or _NAME, config.headers)
        line(Decision(verdict, evidence, (_SENDER,), reply=str(compose(verdict, evidence) or "")), config.log.format)
