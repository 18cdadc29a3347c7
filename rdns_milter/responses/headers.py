"""Compose the values of the header fields that are added to a message: Authentication-Results, Received-SPF and the tag field.

Pure. Text from the network is only written as a valid name or address, quoted, or in a comment that cannot be mistaken for a
result; it is shortened, in printable ASCII, and contains no line break except folding. A local part is never written to
Authentication-Results, because it was not authenticated (RFC 8601 2.3). The caller adds the field names.

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
MAX_FIELD_NAME = 25  # assumed length of the tag field's name for folding; a longer one only makes the first line longer
MAX_VALUE = 320  # a mailbox: 64 + 1 + 255 (RFC 5321 4.5.3.1)
NOT_CHECKED = (UNKNOWN, "none")
# Without surrogates, which represent bytes that are not UTF-8 and not characters.
_BEYOND_ASCII = re.compile(r"[\\\u0080-\ud7ff\ue000-\U0010ffff]")
NO_DOMAIN = "no domain that can be checked"
# The comment of Received-SPF, by result.
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "pass": "{domain} authorizes {client}",
        "fail": "{domain} does not authorize {client}",
        "softfail": "{domain} does not seem to authorize {client}",
        "neutral": "{domain} makes no statement about {client}",
        "none": "{domain} has no SPF record",
        "temperror": "temporary DNS error for the record of {domain}",
        "permerror": "the record of {domain} cannot be evaluated",
    }
)


def authentication_results(authserv_id: str, evidence: Evidence) -> str:
    """Return the value of Authentication-Results (RFC 8601 2.2): a resinfo line each for iprev, SPF of HELO and SPF of MAIL FROM.

    Checks that were not made are left out; without any result the value is `none`. For the null sender the identity of MAIL FROM is
    postmaster@HELO (RFC 7208 2.4), so `smtp.mailfrom` is the HELO domain. A domain that is not a host name is quoted, without
    characters that could make it look like a result. If no domain can be written, a comment says so."""
    head = value(authserv_id or "localhost", MAX_NAME)
    spf_helo = _spf(evidence.spf_helo, evidence, "helo")
    spf_mailfrom = _spf(evidence.spf_mailfrom, evidence, "mailfrom")
    resinfos = [info for info in (_iprev(evidence), spf_helo, spf_mailfrom) if info]
    if not resinfos:
        return f"{head}; none"
    # 2: the tab before, and the semicolon that can follow.
    return f";{FOLD}".join((head, *(folded(info, 2) for info in resinfos)))


def received_spf(evidence: Evidence, receiver: str) -> str:
    """Return the value of Received-SPF (RFC 7208 9.1) for MAIL FROM, or for HELO if MAIL FROM has no result; "" if neither has."""
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
    """Return the value of the field that the action `tag` adds: `tag`, the rule, and the facts as `key=word`, for mail filters. The
    key `would` says what would have been done if the message had not come through a relay. It is absent if the verdict is the
    same."""
    facts = (
        ("rule", verdict.rule),
        *([("would", verdict.withheld)] if verdict.withheld else []),
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
    """Return the resinfo for an identity, "helo" or "mailfrom"; empty if there is none."""
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
    """Return the domain of an identity as a pvalue; "" if there is none that can be written."""
    if domain := _spf_domain(spf, evidence, identity):
        return value(domain, MAX_NAME)
    sender = evidence.sender
    text = spf.domain or (evidence.helo_name if identity == "helo" or sender.is_null else sender.domain)
    return quoted_name(text, MAX_NAME) if text else ""


def _helo(evidence: Evidence) -> str:
    """Return the HELO name, as A-labels if it is not ASCII."""
    name = evidence.helo_name
    return name if name.isascii() else canonical(name) or name


def _envelope_from(evidence: Evidence) -> str:
    """Return the sender in ASCII: the domain as A-labels, and a non-ASCII local part as in RFC 6533 3."""
    path = evidence.mailfrom or "<>"
    if path.isascii():
        return path
    sender = evidence.sender
    local, domain = (sender.local, f"@{sender.domain}") if sender.domain else (path, "")
    return (local if local.isascii() else _BEYOND_ASCII.sub(lambda match: f"\\x{{{ord(match[0]):X}}}", local)) + domain


def _comments(words: str, limit: int) -> tuple[str, ...]:
    return (comment(words, limit),) if words else ()


def _spf_domain(spf: Spf, evidence: Evidence, identity: str) -> str:
    """Return the domain of an identity: the one that was checked, else that of the sender or HELO name; "" if it is not a host
    name."""
    sender = evidence.sender
    given = sender.domain if identity == "mailfrom" and not sender.is_null else canonical(evidence.helo_name)
    domain = canonical(spf.domain) or given
    return domain if is_hostname(domain) else ""
