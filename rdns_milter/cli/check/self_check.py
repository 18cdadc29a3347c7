"""`rdns-milter check --self`: how receivers see the mail of this host, by its addresses and names.

Judges with the milter's own session (check_session.py), as a receiver who does not know this host. Sends no mail, and asks no
service on the network which address this host has. Text from DNS and from the MTA's configuration is escaped before it reaches a
terminal.

RFC 8601 2.7.3 (iprev), RFC 5321 4.1.1.1 (HELO), RFC 7208.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from ...checks.evidence import Evidence
from ...config.sections.dns import Dns
from ...doctor.host import Host
from ...doctor.mta_identity import Identity, Name, mta_identity
from ...doctor.own_addresses import OwnAddress, interface_addresses
from ...doctor.receivers import RECEIVER, default_rules, neutral_config, strict_rules
from ...net.endpoints import Endpoint
from ...net.names import Address, canonical, is_local
from ...policy.decide import decide
from ...policy.rules import Verdict
from ...responses.advice import advice
from ...responses.replies import compose
from ...text.escape import escaped
from ...text.terminal import heading, word
from . import check_session, check_text


class Hidden(Exception):
    """No address of this host can be seen from outside. The text says what to give instead."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the administrator gives on the command line. () and "": use what this host says itself."""

    addresses: tuple[Address, ...] = ()
    helo: str = ""
    mailfrom: str = ""
    rcpt: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One address with one sender. `outcome`: the result, with the verdict of the default rules; `strict`: the verdict of a strict
    receiver."""

    address: OwnAddress
    sender: Name
    outcome: check_session.Outcome
    strict: Verdict

    @property
    def evidence(self) -> Evidence:
        """The facts."""
        return self.outcome.decision.evidence

    @property
    def advice(self) -> tuple[str, ...]:
        """What to publish or to set: the advice of the RFCs, and the advice on the facts for which the strict receiver refuses."""
        because = self.strict.because
        found = (*advice(self.evidence), *(advice(self.evidence, because.facts()) if because else ()))
        return tuple(dict.fromkeys(map(str, found)))


@dataclass(frozen=True, slots=True)
class View:
    """How others see this host. `notes`: sentences on what the facts do not show."""

    helo: Name
    seen: tuple[Seen, ...]
    notes: tuple[str, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts of both receivers."""
        return tuple(verdict for each in self.seen for verdict in (each.outcome.verdict, each.strict))


def examine(host: Host, wanted: Wanted, dns: Dns, servers: tuple[Endpoint, ...]) -> View:
    """Judge each address of this host with each of its sender domains. Makes DNS queries. Raises Hidden."""
    identity = mta_identity(host)
    helo = Name(wanted.helo, "--helo") if wanted.helo else identity.helo
    senders = (Name(wanted.mailfrom, "--from"),) if wanted.mailfrom else identity.senders
    addresses = [OwnAddress(each, "given") for each in wanted.addresses] or _outgoing(host, identity)
    private = [] if wanted.addresses else [each for each in addresses if each.is_private]
    public = [each for each in addresses if each not in private]
    if not public:
        raise Hidden(_hidden(private))
    config, default, strict = neutral_config(dns), default_rules(), strict_rules()
    seen = []
    for address in public:
        for sender in senders:
            mailfrom = sender.text if {*"@<"} & {*sender.text} else f"postmaster@{sender.text}"
            client = check_session.Client(address.address, helo.text, mailfrom, wanted.rcpt)
            found = check_session.examine(client, config, servers, RECEIVER)
            evidence = found.decision.evidence
            verdict = decide(evidence, default)
            decision = replace(
                found.decision, verdict=verdict, policy=default.digest, reply=str(compose(verdict, evidence) or "")
            )
            seen.append(Seen(address, sender, replace(found, decision=decision), decide(evidence, strict)))
    return View(helo, tuple(seen), tuple(_notes(helo, senders, private)))


def _outgoing(host: Host, identity: Identity) -> list[OwnAddress]:
    """Return the addresses from which mail leaves. For each IP version they are those that the MTA sets, else those of the
    interfaces."""
    bound = {each.address.version for each in identity.bound}
    others = [each for each in interface_addresses(host) if each.address.version not in bound]
    return [each for each in (*identity.bound, *others) if each.address.version in identity.families]


def _hidden(private: Sequence[OwnAddress]) -> str:
    listed = ", ".join(f"{each.address} ({each.origin})" for each in private)
    reason = (
        f"this host has private addresses only: {listed}; receivers see another one, that of the router or NAT"
        if private
        else "no address of this host was found"
    )
    return f"{reason}. Give the address that they see: rdns-milter check --self ADDRESS"


def _notes(helo: Name, senders: Sequence[Name], private: Sequence[OwnAddress]) -> list[str]:
    notes = [
        f"{each.address} ({each.origin}) is private: receivers see another address instead, that of the router or NAT;"
        " judge that one with: rdns-milter check --self ADDRESS"
        for each in private
    ]
    for each, option in ((helo, "--helo"), *((sender, "--from") for sender in senders)):
        name = canonical(each.text.rpartition("@")[2])
        if each.text != "<>" and is_local(name):
            notes.append(f"{each.text} ({each.origin}) is no name of the public DNS: set it, or give {option}")
    return list(dict.fromkeys(notes))


def as_json(view: View) -> str:
    """Return the view as JSON. For each address and sender it has what `check --json` writes, and also their origins, the strict
    verdict and the advice."""
    return json.dumps(
        {
            "helo_name": {"name": escaped(view.helo.text), "from": view.helo.origin},
            "checks": [
                {
                    "address": str(each.address.address),
                    "address_from": each.address.origin,
                    "sender": escaped(each.sender.text),
                    "sender_from": each.sender.origin,
                    **check_text.document(each.outcome),
                    "strict": {"action": each.strict.action, "rule": each.strict.rule},
                    "advice": list(each.advice),
                }
                for each in view.seen
            ],
            "notes": [escaped(each) for each in view.notes],
        },
        indent=2,
    )


def show(view: View, console: Console) -> None:
    """Print the view, coloured if the console is a terminal."""
    console.print(
        Text(f"This host greets as {escaped(view.helo.text)} ({view.helo.origin})", style="bold"), soft_wrap=True
    )
    for each in view.seen:
        _show_seen(each, console)
    if view.notes:
        heading(console, "notes")
        for note in view.notes:
            console.print(Text(f"  - {escaped(note, 600)}"), soft_wrap=True)


def _show_seen(seen: Seen, console: Console) -> None:
    facts = seen.evidence
    heading(
        console,
        f"from {seen.address.address}",
        f"{seen.address.origin}; sender {escaped(facts.mailfrom or '<>')}, {seen.sender.origin}",
    )
    rows = (
        ("reverse name", facts.iprev.result, f"{facts.iprev.ptr} {facts.iprev.reason}".strip()),
        ("generic name", facts.generic.result, facts.generic.pattern),
        ("HELO name", facts.helo.result, facts.helo.kind),
        ("HELO, reverse", facts.helo.match, ""),
        ("SPF of HELO", facts.spf_helo.result, facts.spf_helo.problem or facts.spf_helo.mechanism),
        ("SPF of sender", facts.spf_mailfrom.result, facts.spf_mailfrom.problem or facts.spf_mailfrom.mechanism),
    )
    for title, result, note in rows:
        text = Text(f"  {title:<16}").append(word(result))
        if note:
            text.append(f"  ({escaped(note)})", style="dim")
        console.print(text, soft_wrap=True)
    for title, verdict in (("default rules", seen.outcome.verdict), ("strict rules", seen.strict)):
        text = Text(f"  {title:<16}").append(word(verdict.action)).append(f" by rule {verdict.rule}")
        console.print(text, soft_wrap=True)
    if seen.outcome.decision.reply:
        console.print(Text(f"  reply: {seen.outcome.decision.reply}"), soft_wrap=True)
    if seen.advice:
        console.print("  to publish, or to set:")
        for sentence in seen.advice:
            console.print(Text(f"  - {sentence}"), soft_wrap=True)
