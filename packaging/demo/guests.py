"""Who comes to the demo, and what each must get: the table of its clients.

Data only. Addresses and names are those of zone.txt beside this file; rules are those of etc/rdns-milter.toml.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.kit.smtp.client_identity import Client

DOMAIN = "demo.example"
HOST = f"mx.{DOMAIN}"
USER, POSTMASTER = f"user@{DOMAIN}", f"postmaster@{DOMAIN}"

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Guest:
    """One client with one message. `replies`: how Postfix's answer to each recipient must begin. `verdicts`: what must stand
    in the log, for each line that there must be. `gone`, `stays`: texts that the header must not hold, or hold, once queued.
    `header`: how much of the queued header is shown: "all", what was "added", or nothing."""

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


GUESTS = (
    Guest(
        "A proper mail host; its message bears a forged result of ours, and one of another host",
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
    Guest(
        "The same host by IPv6",
        Client("2001:db8::10", name="mail.good.example"),
        "mail.good.example",
        "anna@good.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=pass ptr=mail.good.example helo=pass helo_match=same spf_mailfrom=pass",),
        stays=('policy.iprev="2001:db8::10"',),
    ),
    Guest(
        "A host without a reverse name; nothing else speaks for it either",
        Client("198.51.100.20"),
        "mail.nothing.example",
        "offer@nothing.example",
        ("550 5.7.",),
        ("action=reject rule=nothing-confirmed iprev=permerror iprev_reason=no-ptr ptr=none helo=permerror",),
    ),
    Guest(
        "A host with somebody else's reverse name: the bank's host is not at that address",
        Client("198.51.100.30", reverse_name="mail.bank.example"),
        "mail.bank.example",
        "offer@nothing.example",
        ("550 5.7.",),
        ("action=reject rule=nothing-confirmed iprev=fail iprev_reason=not-confirmed ptr=mail.bank.example helo=fail",),
    ),
    Guest(
        "Forged sender: the bank's SPF record does not name this host, nor has it a reverse name",
        Client("198.51.100.50"),
        "vps7.hosting.example",
        "ceo@bank.example",
        ("550 5.7.",),
        ("action=reject rule=spf-fail-unconfirmed iprev=permerror helo=pass spf_mailfrom=fail",),
    ),
    Guest(
        "The same SPF failure, but from a proper host: forwarded mail looks like this",
        Client("192.0.2.60", name="forward.alumni.example"),
        "forward.alumni.example",
        "ceo@bank.example",
        ("250 2.0.0",),
        ("action=tag rule=spf-fail iprev=pass helo=pass spf_mailfrom=fail mailfrom_match=different",),
        stays=("X-Rdns-Milter: tag rule=spf-fail", "spf=fail smtp.mailfrom=bank.example"),
        header="added",
    ),
    Guest(
        "A stranger who greets with our own name",
        Client("203.0.113.70"),
        HOST,
        f"boss@{DOMAIN}",
        ("550 5.7.1",),
        ("action=reject rule=forged-own-name helo_own=yes",),
    ),
    Guest(
        "A broadband line: the reverse name is right, but generic",
        Client("203.0.113.44", name="203-0-113-44.dyn.isp.example"),
        "203-0-113-44.dyn.isp.example",
        "joe@isp.example",
        ("250 2.0.0",),
        ("action=tag rule=generic-name iprev=pass generic=yes helo=pass helo_match=same spf_mailfrom=none",),
        stays=("X-Rdns-Milter: tag rule=generic-name",),
        header="added",
    ),
    Guest(
        "DNS trouble: the name servers of this host answer SERVFAIL. That never bounces mail",
        Client("198.51.100.80", trouble=True),
        "mail.unlucky.example",
        "carla@unlucky.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=temperror iprev_reason=servfail helo=temperror spf_mailfrom=temperror",),
        stays=("iprev=temperror policy.iprev=198.51.100.80",),
        header="added",
    ),
    Guest(
        "DNS trouble: the name servers of this host do not answer at all; no one waits beyond the deadline",
        Client("198.51.100.90", trouble=True),
        "mail.asleep.example",
        "otto@asleep.example",
        ("250 2.0.0",),
        ("action=accept rule=default iprev=temperror helo=temperror spf_mailfrom=temperror",),
    ),
    Guest(
        "No reverse name again, but to the postmaster: he must be reachable",
        Client("198.51.100.21"),
        "mail.nothing.example",
        "help@nothing.example",
        ("250 2.0.0",),
        ("action=accept rule=postmaster iprev=permerror",),
        rcpts=(POSTMASTER,),
    ),
    Guest(
        "... and one message to two recipients: each is judged by himself",
        Client("198.51.100.22"),
        "mail.nothing.example",
        "help@nothing.example",
        ("550 5.7.", "250 2."),
        (f"action=reject rule=nothing-confirmed rcpt={USER}", f"action=accept rule=postmaster rcpt={POSTMASTER}"),
        rcpts=(USER, POSTMASTER),
    ),
    Guest(
        "One of our own users on a train: no reverse name, but logged in",
        Client("203.0.113.130", login="joe"),
        "joes-laptop",
        f"joe@{DOMAIN}",
        ("250 2.0.0",),
        ("action=accept rule=exempt:authenticated iprev=none iprev_reason=exempt helo_kind=unqualified",),
    ),
)
