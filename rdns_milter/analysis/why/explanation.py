"""Explain one decision of a log: the rule and its place, the meaning of each fact, the advice, and a rule that lets such mail in.

Prints nothing (output.py does; text_for_sender.py has the words for the sender), opens nothing, judges nothing.

RFC 8601 section 2.7.3; RFC 7208 section 2.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from ...checks.evidence import FACTS, PASS, SOURCES
from ...config.load import Config
from ...config.rule_source import RuleSource
from ...logs.decision_keys import EXEMPT, NO_QUEUE, NULL_PATH
from ...logs.logged_evidence import evidence_of, rcpts_of
from ...net.mailboxes import parse_mailbox
from ...policy.rules import ACCEPT, DEFAULT_RULE, QUARANTINE, REJECT, TAG, TEMPFAIL
from ...responses.advice import Advice, advice
from ...responses.fact_sentences import fact_sentence
from .let_in_rule import let_in_rule
from .search import Match

OUTCOMES: Mapping[str, str] = {
    ACCEPT: "accepted",
    TAG: "accepted and tagged",
    TEMPFAIL: "deferred: the sender's server was asked to try again later",
    REJECT: "refused",
    QUARANTINE: "put into quarantine",
}
_NO_RULE: Mapping[str, str] = {
    DEFAULT_RULE: "no rule matched, and mail that no rule matches is accepted",
    "exempt:network": "the client is in exempt.networks and is not judged",
    "exempt:authenticated": "the client had logged in (SMTP AUTH) and is not judged",
    "exempt:not-ip": "the client has no IP address (a local program) and is not judged",
    "exempt:relay": "the client is one of our own relays, and the message names no client behind it",
    "limit:forged-results": "the message brought more header fields with forged results than are removed",
    "limit:recipients": "the rules distinguish more groups of recipients of this message than one message may have",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one decision.

    `rule`: the rule's place; None if the rule is in no file.
    `rule_note`: a sentence if there is no rule to show, or if the rules have changed since.
    `facts`: fact, value and sentence of each.
    `let_in`: lines of config; () if none is needed or possible."""

    match: Match
    outcome: str
    would: str
    rule_name: str
    rule: RuleSource | None
    rule_note: str
    facts: tuple[tuple[str, str, str], ...]
    advice: tuple[Advice, ...]
    let_in: tuple[str, ...]


def explain(match: Match, config: Config, sources: Mapping[str, RuleSource], today: date) -> Explanation:
    """Return the explanation of one decision, by the rules of today's configuration. `sources`: the places of the rules in the
    config file."""
    fields = match.fields
    name, would = fields["rule"], fields.get("would", "") if fields.get("would") != "none" else ""
    evidence = evidence_of(fields)
    rule = next((each for each in config.policy.rules if each.name == name), None)
    return Explanation(
        match=match,
        outcome=OUTCOMES[fields["action"]],
        would=would,
        rule_name=name,
        rule=sources.get(name),
        rule_note=_rule_note(fields, config, rule is not None),
        facts=tuple(_facts(fields)),
        advice=advice(evidence, rule.facts() if rule and rule.facts() else None),
        let_in=let_in_rule(fields, today) if _is_stopped(fields) else (),
    )


def _rule_note(fields: Mapping[str, str], config: Config, is_there: bool) -> str:
    name, then = fields["rule"], fields.get("policy", "")
    if name in _NO_RULE:
        return _NO_RULE[name]
    if not is_there:
        return f"the rule is not in {config.path or 'the built-in rules'} any more"
    if then and then != config.policy.digest:
        return f"the rules have changed since: policy {then} then, {config.policy.digest} now"
    return ""


def _facts(fields: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return each fact of the line in the order of FACTS. iprev and its reason are one fact."""
    if fields["rule"].startswith(EXEMPT):
        return []
    terms = {
        "client": fields.get("client", "") or "the client",
        "ptr": fields.get("ptr", "") or "of the client",
        "helo": fields.get("helo_name", "") or "(none)",
    }
    helo, sender = fields.get("helo_name", ""), parse_mailbox(fields.get("mailfrom", "")).domain
    domains = {"spf_helo": helo, "spf_mailfrom": helo if fields.get("mailfrom") == NULL_PATH else sender}
    found = []
    for fact in FACTS:
        value = fields.get(fact, "")
        if not value or fact == "iprev_reason":
            continue
        reason = fields.get("iprev_reason", "") if fact == "iprev" else ""
        words = {**terms, "domain": domains.get(fact) or "the sender"}
        sentence = fact_sentence(fact, reason or value, words)
        if sentence:
            found.append((fact, f"{value} ({reason})" if reason else value, sentence))
    return found + _sources(fields, terms)


def _sources(fields: Mapping[str, str], terms: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return each provider and each entry of a DNS list that the line names."""
    evidence = evidence_of(fields)
    found = []
    for kind, named in zip(SOURCES, (evidence.client_spf, evidence.dnslist), strict=True):
        for name, value in named or ():
            if not name:
                continue
            words = {**terms, "domain": name}
            sentence = fact_sentence(kind, "listed" if "." in value else value, words)
            found.append((kind, name if value == PASS else f"{name}:{value}", sentence or f"{name}: {value}."))
    return found


def _is_stopped(fields: Mapping[str, str]) -> bool:
    """Return whether the mail was not simply accepted, or would not have been if the rules had been enforced."""
    stops = {REJECT, TEMPFAIL, QUARANTINE, TAG}
    return fields["action"] in stops or bool(stops.intersection(fields.get("would", "").split(",")))


def queue_id(fields: Mapping[str, str]) -> str:
    """Return the queue id of a decision; "" if it has none. The MTA gives one only to mail that it takes."""
    return "" if fields.get("qid", NO_QUEUE) == NO_QUEUE else fields["qid"]


def recipients(fields: Mapping[str, str]) -> str:
    """Return the recipients as a phrase: the names in the line, and the number of others."""
    named = rcpts_of(fields)
    count = fields.get("nrcpt", "")
    beyond = int(count) - len(named) if count.isascii() and count.isdecimal() and len(count) < 10 else 0
    return ", ".join(named) + (f" and {beyond} more" if beyond > 0 and named else "") or "(no recipient)"
