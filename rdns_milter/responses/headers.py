"""What the message is told: the values of Authentication-Results, Received-SPF and the tag field.

Pure. What comes from the network stands in a field only if it is a valid name or address, or quoted, or in a comment that
cannot be taken for a result; always bounded, in printable ASCII, with no line break but our own folds. A local part never
stands in Authentication-Results: it was not authenticated (RFC 8601 2.3). Field names are the caller's.

RFC 8601 2.2, 2.7.2, 2.7.3 (Authentication-Results), RFC 7208 9.1 and 9.2 (Received-SPF), RFC 5322 2.2.3 (folding).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ..checks.evidence import UNKNOWN, Evidence, Spf
from ..net.names import MAX_NAME, canonical, is_hostname
from ..policy.rules import Verdict
from ..text.escape import FOLD, comment, filled, folded, printable, quoted_name, value

AUTHENTICATION_RESULTS = "Authentication-Results"
RECEIVED_SPF = "Received-SPF"

MAX_COMMENT = 100
MAX_FIELD_NAME = 25  # what is reckoned with, where the name is the admin's; a longer one makes the first line longer
MAX_VALUE = 320  # a mailbox: 64 + 1 + 255 (RFC 5321 4.5.3.1)
NOT_CHECKED = (UNKNOWN, "none")
# Surrogates stand for octets that are no UTF-8: no character.
_BEYOND_ASCII = re.compile(r"[\\\u0080-\ud7ff\ue000-\U0010ffff]")
# What Received-SPF's comment says of domain and client.
NO_DOMAIN = "no domain that could be asked"
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "pass": "{domain} authorizes {client}",
        "fail": "{domain} does not authorize {client}",
        "softfail": "{domain} does not seem to authorize {client}",
        "neutral": "{domain} says nothing of {client}",
        "none": "{domain} has no SPF record",
        "temperror": "DNS trouble with the record of {domain}",
        "permerror": "the record of {domain} cannot be evaluated",
    }
)


def authentication_results(authserv_id: str, evidence: Evidence) -> str:
    """The value of Authentication-Results (RFC 8601 2.2): one resinfo a line for iprev, SPF of HELO, SPF of MAIL FROM.

    What was not checked is not mentioned, and without any result the value ends in `none`. For the null sender the identity
    of MAIL FROM is postmaster@HELO (RFC 7208 2.4), so `smtp.mailfrom` is the HELO domain. A domain that is no host name is
    quoted, without what could be taken for a result; where there is none that could be written a comment says so."""
    head = value(authserv_id or "localhost", MAX_NAME)
    spf_helo = _spf(evidence.spf_helo, evidence, "helo")
    spf_mailfrom = _spf(evidence.spf_mailfrom, evidence, "mailfrom")
    resinfos = [info for info in (_iprev(evidence), spf_helo, spf_mailfrom) if info]
    if not resinfos:
        return f"{head}; none"
    # 2: the tab, and the semicolon that may follow
    return f";{FOLD}".join((head, *(folded(info, 2) for info in resinfos)))


def received_spf(evidence: Evidence, receiver: str) -> str:
    """The value of Received-SPF (RFC 7208 9.1) for MAIL FROM, or for HELO where MAIL FROM has no result; "" without either."""
    spf, identity = evidence.spf_mailfrom, "mailfrom"
    if spf.result == UNKNOWN:
        spf, identity = evidence.spf_helo, "helo"
    if spf.result == UNKNOWN or evidence.exempt or evidence.client is None:
        return ""
    receiver = receiver or "localhost"
    pairs = [
        ("receiver", receiver),
        ("identity", identity),
        ("client-ip", str(evidence.client)),
        ("helo", _helo(evidence)),
    ]
    if identity == "mailfrom":
        pairs.append(("envelope-from", _envelope_from(evidence)))
    optional = (("mechanism", spf.mechanism), ("problem", spf.problem))
    pairs.extend((key, text[:MAX_COMMENT]) for key, text in optional if text)
    domain = _spf_domain(spf, evidence, identity) or spf.domain
    terms = {"domain": domain, "client": str(evidence.client)}
    sentence = filled(_SENTENCES.get(spf.result, ""), terms) if domain else NO_DOMAIN
    pieces = [spf.result, comment(f"{printable(receiver, MAX_COMMENT)}: {sentence}", 2 * MAX_VALUE)]
    pieces += [f"{key}={value(text, MAX_VALUE)};" for key, text in pairs]
    return folded(pieces, len(f"{RECEIVED_SPF}: ")).removesuffix(";")


def tag(verdict: Verdict, evidence: Evidence) -> str:
    """The value of the field that the action `tag` adds: `tag`, the rule, and the facts, each `key=word`, for filters."""
    facts = (
        ("rule", verdict.rule),
        ("iprev", evidence.iprev.result),
        ("generic", evidence.generic.result),
        ("helo_kind", evidence.helo.kind),
        ("helo", evidence.helo.result),
        ("helo_match", evidence.helo.match),
        ("spf_helo", evidence.spf_helo.result),
        ("spf_mailfrom", evidence.spf_mailfrom.result),
    )
    words = (f"{key}={value('none' if word == UNKNOWN else word, MAX_COMMENT)}" for key, word in facts)
    return folded(("tag", *words), MAX_FIELD_NAME)


def _iprev(evidence: Evidence) -> list[str]:
    if evidence.exempt or evidence.iprev.result in NOT_CHECKED or evidence.client is None:
        return []
    reason = "" if evidence.iprev.result == "pass" else evidence.iprev.reason
    words = f"{reason} {evidence.iprev.ptr}".strip()
    resinfo = f"iprev={evidence.iprev.result} policy.iprev={value(str(evidence.client), MAX_VALUE)}"
    return [resinfo, *_comments(words, MAX_NAME)]


def _spf(spf: Spf, evidence: Evidence, identity: str) -> list[str]:
    """The resinfo of an identity, "helo" or "mailfrom"."""
    null = identity == "mailfrom" and evidence.sender.is_null
    pvalue = _spf_identity(spf, evidence, identity)
    if evidence.exempt or spf.result == UNKNOWN or (identity == "helo" and not pvalue):
        return []
    words = ("null sender" if null else "", "" if pvalue else NO_DOMAIN, spf.mechanism, spf.problem)
    propspec = f" smtp.{identity}={pvalue}" if pvalue else ""
    return [
        f"spf={spf.result}{propspec}",
        *_comments(", ".join(word[:MAX_COMMENT] for word in words if word), 2 * MAX_COMMENT),
    ]


def _spf_identity(spf: Spf, evidence: Evidence, identity: str) -> str:
    """The domain of an identity as a pvalue; "" if there is none that could be written."""
    if domain := _spf_domain(spf, evidence, identity):
        return value(domain, MAX_NAME)
    sender = evidence.sender
    text = spf.domain or (evidence.helo_name if identity == "helo" or sender.is_null else sender.domain)
    return quoted_name(text, MAX_NAME) if text else ""


def _helo(evidence: Evidence) -> str:
    """The greeting, a name outside ASCII in A-labels."""
    greeting = evidence.helo_name
    return greeting if greeting.isascii() else canonical(greeting) or greeting


def _envelope_from(evidence: Evidence) -> str:
    """The sender in ASCII: the domain in A-labels, a local part outside ASCII in the form of RFC 6533 3."""
    path = evidence.mailfrom or "<>"
    if path.isascii():
        return path
    sender = evidence.sender
    local, domain = (sender.local, f"@{sender.domain}") if sender.domain else (path, "")
    return (local if local.isascii() else _BEYOND_ASCII.sub(lambda match: f"\\x{{{ord(match[0]):X}}}", local)) + domain


def _comments(words: str, limit: int) -> tuple[str, ...]:
    return (comment(words, limit),) if words else ()


def _spf_domain(spf: Spf, evidence: Evidence, identity: str) -> str:
    """The domain of an identity: the one that was asked, else the envelope's; "" if it is no host name."""
    sender = evidence.sender
    of_envelope = sender.domain if identity == "mailfrom" and not sender.is_null else canonical(evidence.helo_name)
    domain = canonical(spf.domain) or of_envelope
    return domain if is_hostname(domain) else ""
