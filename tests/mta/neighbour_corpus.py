"""The same mail for all filters beside the milter: senders, their DNS, and messages with everything that decides about them.

Nothing is checked here: tests do that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from tests.kit.dns.zone import Zone
from tests.kit.filters.dkim import DkimKey
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import Dialogue, send
from tests.mta.attached import HOST, USER

# good.example publishes everything; p=reject makes DMARC decide. The last one's SPF record cannot be had.
ZONE = """
    192.0.2.10               PTR  mail.good.example
    mail.good.example        A    192.0.2.10
    mail.good.example        TXT  "v=spf1 a -all"
    good.example             A    192.0.2.10
    good.example             TXT  "v=spf1 ip4:192.0.2.10 -all"
    _dmarc.good.example      TXT  "v=DMARC1; p=reject"
    192.0.2.20               PTR  mail.forwarder.example
    mail.forwarder.example   A    192.0.2.20
    192.0.2.21               PTR  mail.lists.example
    mail.lists.example       A    192.0.2.21
    lists.example            A    192.0.2.21
    lists.example            TXT  "v=spf1 ip4:192.0.2.21 -all"
    192.0.2.26               PTR  backup.rcpt.example
    backup.rcpt.example      A    192.0.2.26
    192.0.2.66               PTR  mail.evil.example
    mail.evil.example        A    192.0.2.66
    vps7.hosting.example     A    198.51.100.40
    hosting.example          A    198.51.100.41
    hosting.example          TXT  "v=spf1 ip4:198.51.100.40 -all"
    203.0.113.44             PTR  203-0-113-44.dyn.isp.example
    203-0-113-44.dyn.isp.example  A  203.0.113.44
    isp.example              A    203.0.113.1
    198.51.100.77            PTR  198-51-100-77.dyn.isp.example
    198-51-100-77.dyn.isp.example  A  198.51.100.77
    rcpt.example             A    192.0.2.25
    rcpt.example             TXT  "v=spf1 ip4:192.0.2.25 -all"
    _dmarc.rcpt.example      TXT  "v=DMARC1; p=reject"
    192.0.2.30               PTR  mail.unlucky.example
    mail.unlucky.example     A    192.0.2.30
    unlucky.example          A    192.0.2.30
    unlucky.example          TXT!SERVFAIL
    _dmarc.unlucky.example   TXT  "v=DMARC1; p=reject"
"""
BODY = b"Dear all,\r\n\r\nhere are the minutes of yesterday's meeting. Please read them until Friday.\r\n"
ANNA, DAEMON = "anna@good.example", "MAILER-DAEMON@good.example"
GOOD = Client("192.0.2.10", name="mail.good.example")
FORWARDER = Client("192.0.2.20", name="mail.forwarder.example")
EVIL = Client("192.0.2.66", name="mail.evil.example")
FORGED = ("Authentication-Results", f"{HOST}; spf=pass smtp.mailfrom=good.example")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to USER. `author`: the address in From. `signed`: with the key of good.example. `forged`: further fields."""

    client: Client
    helo: str
    mailfrom: str
    author: str
    signed: bool = False
    forged: Sequence[tuple[str, str]] = field(default=())


CORPUS = {
    "from the domain's own server, signed": Mail(GOOD, GOOD.name, ANNA, ANNA, signed=True),
    "from the domain's own server, not signed": Mail(GOOD, GOOD.name, ANNA, ANNA),
    "forwarded, its signature intact": Mail(FORWARDER, FORWARDER.name, ANNA, ANNA, signed=True),
    "forwarded, not signed": Mail(FORWARDER, FORWARDER.name, ANNA, ANNA),
    "through a mailing list, not signed": Mail(
        Client("192.0.2.21", name="mail.lists.example"), "mail.lists.example", "bounces@lists.example", ANNA
    ),
    "forged sender, with a forged `spf=pass`": Mail(EVIL, EVIL.name, ANNA, ANNA, forged=(FORGED,)),
    "bounce from the domain's own server": Mail(GOOD, GOOD.name, "<>", DAEMON),
    "forged bounce": Mail(EVIL, EVIL.name, "<>", DAEMON),
    "user who has logged in": Mail(
        Client("198.51.100.77", login="joe"), "laptop.home", "joe@rcpt.example", "joe@rcpt.example"
    ),
    "client without a reverse name, SPF passes": Mail(
        Client("198.51.100.40"), "vps7.hosting.example", "news@hosting.example", "news@hosting.example"
    ),
    "dial-up line, no SPF record": Mail(
        Client("203.0.113.44", name="203-0-113-44.dyn.isp.example"),
        "203-0-113-44.dyn.isp.example",
        "joe@isp.example",
        "joe@isp.example",
    ),
    "nothing about the client is confirmed": Mail(
        Client("198.51.100.30"), "mail.nothing.example", "offer@nothing.example", "offer@nothing.example"
    ),
    "SPF record cannot be looked up": Mail(
        Client("192.0.2.30", name="mail.unlucky.example"),
        "mail.unlucky.example",
        "eve@unlucky.example",
        "eve@unlucky.example",
    ),
}
RELAY = Client("192.0.2.26", name="backup.rcpt.example")  # of our own, not in the table


def relayed(mail: Mail) -> Mail:
    """Return the message as the relay hands it on."""
    peer = f"{mail.client.name or 'unknown'} [{mail.client.address}]"
    received = f"from {mail.helo} ({peer})\n\tby {RELAY.name} (Postfix) with ESMTP id 4F3A2C; {formatdate()}"
    return replace(mail, client=RELAY, helo=RELAY.name, forged=(("Received", received), *mail.forged))


def zone(key: DkimKey) -> Zone:
    """Return the DNS of the senders, with that key for good.example."""
    return Zone(ZONE, f"s1._domainkey.good.example TXT {key.record}")


def deliver(address: tuple[str, int], mail: Mail, key: DkimKey) -> Dialogue:
    """Send it as its client to the SMTP server at that address."""
    domain = mail.author.partition("@")[2]
    headers = [
        ("Date", formatdate()),
        ("From", mail.author),
        ("To", USER),
        ("Subject", "Minutes"),
        ("Message-ID", f"<{hash(mail) & 0xFFFFFFFF:x}@{domain}>"),
    ]
    if mail.signed:
        headers.insert(0, ("DKIM-Signature", key.signature("good.example", "s1", headers, BODY)))
    return send(
        address,
        mail.client,
        helo=mail.helo,
        mailfrom=mail.mailfrom,
        rcpts=[USER],
        headers=[*mail.forged, *headers],
        body=BODY,
    )
