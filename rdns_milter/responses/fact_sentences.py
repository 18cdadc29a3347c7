"""Explain each fact of a decision in a sentence, for readers who do not know the table of facts.

Pure: a table from facts and values to sentences. Makes no decision and gives no advice (advice.py does). Text from the network is
shortened and made printable before it is inserted in a sentence.

RFC 8601 section 2.7.3 (iprev), RFC 5321 section 4.1.1.1 (HELO), RFC 7208 section 2.6 (SPF).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..text.escape import filled, printable

MAX_TERM = 255  # characters of a value inserted in a sentence

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "confirmed": "{client} has the reverse name {ptr}, and that name resolves back to {client}",
        "no-ptr": "{client} has no reverse name (PTR record)",
        "not-confirmed": "{client} has the reverse name {ptr}, but that name resolves to other addresses",
        "no-forward": "{client} has the reverse name {ptr}, but that name has no address record",
        "bad-name": "the PTR record of {client} contains no valid host name",
        "timeout": "the reverse name of {client} is not known: the name servers did not answer in time",
        "deadline": "the reverse name of {client} is not known: the name servers did not answer before the deadline",
        "servfail": "the reverse name of {client} is not known: the name servers answered SERVFAIL",
        "refused": "the reverse name of {client} is not known: the name servers refused the query",
        "bogus": "the reverse name of {client} is not known: its DNSSEC signatures are wrong",
        "resolver-down": "the reverse name of {client} is not known: the local resolver was down",
        "error": "the reverse name of {client} is not known: the DNS query failed",
        "exempt": "the reverse name was not looked up, because this client is not judged",
    }
)
_SPF: Mapping[str, str] = MappingProxyType(
    {
        "pass": "{domain} allows {client} to send its mail (SPF)",
        "fail": "{domain} does not allow {client} to send its mail (SPF)",
        "softfail": "{domain} probably does not allow {client} to send its mail (SPF ~all)",
        "neutral": "{domain} neither allows nor forbids {client} to send its mail (SPF ?all)",
        "none": "{domain} publishes no SPF record",
        "temperror": "the SPF record of {domain} could not be looked up",
        "permerror": "the SPF record of {domain} has an error and cannot be used",
    }
)
_SENTENCES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "generic": {
            "yes": "the reverse name {ptr} looks like a generic name of an address pool (dial-up, broadband)",
            "no": "the reverse name {ptr} does not look like a generic name of an address pool",
            "none": "there is no reverse name that could be generic",
        },
        "helo_kind": {
            "fqdn": "the client greeted with the full host name {helo}",
            "unqualified": "the client greeted with {helo}, which is not a full host name",
            "literal": "the client greeted with the address literal {helo}",
            "address": "the client greeted with {helo}, an address without brackets",
            "invalid": "the client greeted with {helo}, which is not a valid host name",
            "missing": "the client sent no greeting (HELO or EHLO)",
        },
        "helo": {
            "pass": "the greeting resolves to the client's address",
            "fail": "the greeting resolves only to addresses other than the client's",
            "permerror": "the greeting has no address record",
            "temperror": "the greeting could not be looked up",
            "none": "the greeting was not looked up",
        },
        "helo_match": {
            "same": "the greeting is the confirmed reverse name",
            "aligned": "the greeting and the confirmed reverse name belong to one organization",
            "different": "the greeting and the confirmed reverse name belong to different organizations",
            "none": "there is no confirmed reverse name to compare the greeting with",
        },
        "helo_own": {
            "yes": "the client greeted with one of our own names or addresses",
            "no": "the greeting is not one of our own names or addresses",
        },
        "spf_helo": _SPF,
        "spf_mailfrom": _SPF,
        "client_spf": {
            "pass": "{domain}, whose SPF a rule asks for, allows {client} to send",
            "temperror": "the SPF record of {domain}, for which a rule asks, could not be looked up",
        },
        "dnslist": {
            "listed": "{client} is on the DNS list {domain}",
            "temperror": "the DNS list {domain} could not be asked",
            "refused": "the DNS list {domain} refused the query, or its answer cannot be one of a list",
        },
        "mailfrom_match": {
            "same": "the sender's domain is the confirmed reverse name",
            "aligned": "the sender's domain and the confirmed reverse name belong to one organization",
            "different": "the sender's domain and the confirmed reverse name belong to different organizations",
            "none": "there is no confirmed reverse name to compare the sender's domain with",
        },
    }
)


def fact_sentence(fact: str, value: str, terms: Mapping[str, str]) -> str:
    """Return the sentence for a fact with that value, with a full stop; "" for an unknown fact or value. A name at the start of the
    sentence keeps its spelling.

    `terms`: any text for "client", "ptr", "helo" and "domain" (the domain that SPF was checked for, or a DNS list). If `fact` is
    `iprev`, `value` is that of `iprev_reason`."""
    table = _REASONS if fact == "iprev" else _SENTENCES.get(fact, {})
    sentence = table.get(value, "")
    if not sentence:
        return ""
    sentence = f"{sentence[0].upper()}{sentence[1:]}."
    return filled(sentence, {name: printable(term, MAX_TERM) for name, term in terms.items()})
