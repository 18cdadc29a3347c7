"""The table of the demo's clients, each with its message and the expected result.

Data only. Addresses and names come from zone.txt in this directory, rules from etc/rdns-milter.toml.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.kit.smtp.client_identity import Client

DOMAIN = "demo.example"
HOST = f"mx.{DOMAIN}"
USER, POSTMASTER = f"user@{DOMAIN}", f"postmaster@{DOMAIN}"

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One client with one message. `replies`: the beginning of Postfix's answer to each recipient. `verdicts`: pairs that each
    expected log line must contain. `gone`, `stays`: texts that the header in the queue must not, or must, contain. `header`:
    how much of that header is shown: "all", only what was "added", or nothing."""

    title: str
    client: Client
    helo: str
    mailfrom: str
    replies: tuple[str, ...]
    verdicts: tuple[str, ...]
    rcpts: tuple[str, ...] = (USER,)
    fields: Fields = ()
    gone: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    header: str = ""


SCENARIOS = (
    Scenario(
        "A well-configured mail host; its message has a forged result under our name, and one of another host",
        Client("192.0.2.10", name="mail.good.example"),
        "mail.good.example",
        "anna@good.example",
        ("250 2.0.0",),
        (
            "action=accept rule=default iprev=pass iprev_reason=confirmed ptr=mail.good.example helo=pass helo_match=same"
            " spf_mailfrom=pass mailfrom_match=aligned",
        ),
        fields=(
            ("Authentication-Results", f"{HOST}; spf=pass smtp.mailfrom=bank.example"),
            ("Authentication-Results", "mx.elsewhere.example; dkim=pass header.d=good.example"),
        ),
        gone=("spf=pass smtp.mailfrom=bank.example",),
        stays=(
            f"Authentication-Results: {HOST};",
            "iprev=pass policy.iprev=192.0.2.10",
            "mx.elsewhere.example; dkim=pass",
        ),
        header="all",
    ),
    Scenario(
        "The same host over IPv6",
        Client("2001:db8::10", name="mail.good.example"),
        "mail.good.example",
        "anna@good.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=pass ptr=mail.good.example helo=pass helo_match=same spf_mailfrom=pass",),
        stays=('policy.iprev="2001:db8::10"',),
    ),
    Scenario(
        "A host without a reverse name, whose HELO name and SPF do not confirm it either",
        Client("198.51.100.20"),
        "mail.nothing.example",
        "offer@nothing.example",
        ("550 5.7.",),
        ("action=reject rule=nothing-confirmed iprev=permerror iprev_reason=no-ptr ptr=none helo=permerror",),
    ),
    Scenario(
        "A host whose reverse name claims to be the bank's host, which has another address",
        Client("198.51.100.30", reverse_name="mail.bank.example"),
        "mail.bank.example",
        "offer@nothing.example",
        ("550 5.7.",),
        ("action=reject rule=nothing-confirmed iprev=fail iprev_reason=not-confirmed ptr=mail.bank.example helo=fail",),
    ),
    Scenario(
        "A forged sender: the bank's SPF record does not allow this host, and it has no reverse name",
        Client("198.51.100.50"),
        "vps7.hosting.example",
        "ceo@bank.example",
        ("550 5.7.",),
        ("action=reject rule=spf-fail-unconfirmed iprev=permerror helo=pass spf_mailfrom=fail",),
    ),
    Scenario(
        "The same SPF failure from a host with a confirmed name: forwarded mail looks like this",
        Client("192.0.2.60", name="forward.alumni.example"),
        "forward.alumni.example",
        "ceo@bank.example",
        ("250 2.0.0",),
        ("action=tag rule=spf-fail iprev=pass helo=pass spf_mailfrom=fail mailfrom_match=different",),
        stays=("X-Rdns-Milter: tag rule=spf-fail", "spf=fail smtp.mailfrom=bank.example"),
        header="added",
    ),
    Scenario(
        "A foreign host that gives our own name in HELO",
        Client("203.0.113.70"),
        HOST,
        f"boss@{DOMAIN}",
        ("550 5.7.1",),
        ("action=reject rule=forged-own-name helo_own=yes",),
    ),
    Scenario(
        "A broadband line: the reverse name is confirmed, but generic",
        Client("203.0.113.44", name="203-0-113-44.dyn.isp.example"),
        "203-0-113-44.dyn.isp.example",
        "joe@isp.example",
        ("250 2.0.0",),
        ("action=tag rule=generic-name iprev=pass generic=yes helo=pass helo_match=same spf_mailfrom=none",),
        stays=("X-Rdns-Milter: tag rule=generic-name",),
        header="added",
    ),
    Scenario(
        "DNS trouble: the name servers of this host answer SERVFAIL, which never bounces mail",
        Client("198.51.100.80", trouble=True),
        "mail.unlucky.example",
        "carla@unlucky.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=temperror iprev_reason=servfail helo=temperror spf_mailfrom=temperror",),
        stays=("iprev=temperror policy.iprev=198.51.100.80",),
        header="added",
    ),
    Scenario(
        "DNS trouble: the name servers of this host do not answer; no message waits longer than the deadline",
        Client("198.51.100.90", trouble=True),
        "mail.asleep.example",
        "otto@asleep.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=temperror helo=temperror spf_mailfrom=temperror",),
    ),
    Scenario(
        "No reverse name, but the mail is for the postmaster, who must be reachable",
        Client("198.51.100.21"),
        "mail.nothing.example",
        "help@nothing.example",
        ("250 2.0.0",),
        ("action=accept rule=postmaster iprev=permerror",),
        rcpts=(POSTMASTER,),
    ),
    Scenario(
        "One message to two recipients, which are judged separately",
        Client("198.51.100.22"),
        "mail.nothing.example",
        "help@nothing.example",
        ("550 5.7.", "250 2."),
        (f"action=reject rule=nothing-confirmed rcpt={USER}", f"action=accept rule=postmaster rcpt={POSTMASTER}"),
        rcpts=(USER, POSTMASTER),
    ),
    Scenario(
        "One of our own users on a train: no reverse name, but logged in",
        Client("203.0.113.130", login="joe"),
        "joes-laptop",
        f"joe@{DOMAIN}",
        ("250 2.0.0",),
        ("action=accept rule=exempt:authenticated iprev=none iprev_reason=exempt helo_kind=unqualified",),
    ),
)
