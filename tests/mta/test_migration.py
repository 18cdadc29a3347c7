"""packaging/doc/migration.md: the rules that it shows decide as the old program does, where the page says so.

The old: restrictions of Postfix, and Debian's policyd-spf as its policy service, both with the DNS of the test. The new: the milter
at another port of the same Postfix. Each row of the page has a recipient of its own, so that one dialogue compares all rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kit.dns.zone import Zone
from tests.kit.filters import migration, milters
from tests.kit.filters.migration import Row
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port
from tests.kit.mta.postfix import Postfix, installed
from tests.kit.smtp.client_identity import Client
from tests.kit.smtp.smtp_client import send

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")
POLICYD = Path("/usr/bin/policyd-spf")
LOCALHOST = "127.0.0.1"
ZONE = Zone(
    """
    192.0.2.10               PTR  mail.good.example
    mail.good.example        A    192.0.2.10
    198.51.100.30            PTR  mail.good.example
    198.51.100.31            PTR  gone.good.example
    198.51.100.80            PTR!SERVFAIL
    198.51.100.82            PTR  mail.unlucky.example
    mail.unlucky.example     SERVFAIL
    unlucky.example          SERVFAIL
    mxonly.good.example      MX   10 mail.good.example
    mx.rcpt.example          A    192.0.2.25
    good.example             A    192.0.2.10
    50.100.51.198.wl.example A    127.0.5.2
    51.100.51.198.wl.example A    127.0.5.0
    52.100.51.198.wl.example SERVFAIL
    53.100.51.198.bl.example A    127.0.0.4
    54.100.51.198.bl.example A    127.0.1.9
    55.100.51.198.bl.example SERVFAIL
    56.100.51.198.bl.example A    127.255.255.254
    57.100.51.198.bl.example A    203.0.113.80
    pass.example             TXT  "v=spf1 ip4:192.0.2.10 -all"
    fail.example             TXT  "v=spf1 -all"
    soft.example             TXT  "v=spf1 ~all"
    neutral.example          TXT  "v=spf1 ?all"
    broken.example           TXT  "v=spf1 foo:bar -all"
    """
)
GOOD = Client("192.0.2.10", name="mail.good.example")
GREETING, SENDER = "mail.good.example", "anna@good.example"
Case = tuple[Client, str, str]  # client, HELO, MAIL FROM
CLIENTS: dict[str, Case] = {
    "good client": (GOOD, GREETING, SENDER),
    **{
        title: (Client(f"198.51.100.{number}"), "vps.other.example", "ben@other.example")
        for title, number in (
            ("another client, on wl.example", 50),
            ("on wl.example, with another answer", 51),
            ("wl.example cannot be asked", 52),
            ("on bl.example", 53),
            ("on bl.example, with another answer", 54),
            ("bl.example cannot be asked", 55),
            ("bl.example refuses the query", 56),
            ("bl.example gives an address outside 127.0.0.0/8", 57),
        )
    },
    "no reverse name": (Client("198.51.100.20"), GREETING, SENDER),
    "reverse name is that of another host": (Client("198.51.100.30", reverse_name=GREETING), GREETING, SENDER),
    "reverse name does not exist": (Client("198.51.100.31", reverse_name="gone.good.example"), GREETING, SENDER),
    "reverse name cannot be looked up": (Client("198.51.100.80", trouble=True), GREETING, SENDER),
    "address of the reverse name cannot be looked up": (
        Client("198.51.100.82", reverse_name="mail.unlucky.example", trouble=True),
        GREETING,
        SENDER,
    ),
    **{
        f"HELO {name}": (GOOD, name, SENDER)
        for name in (
            *("laptop", "192.0.2.10", "[192.0.2.10]", "[192.0.2.999]", "mail..example", "-x.good.example"),
            *("my_host.good.example", "gone.nothing.example", "mxonly.good.example", "mail.unlucky.example"),
            "mx.rcpt.example",
        )
    },
}
RESULTS = ("pass", "fail", "soft", "neutral", "nothing", "broken", "unlucky")
SENDERS: dict[str, Case] = {
    **{f"sender {name}.example": (GOOD, GREETING, f"a@{name}.example") for name in RESULTS},
    **{f"HELO {name}.example": (GOOD, f"{name}.example", SENDER) for name in RESULTS},
    **{f"HELO {name}.example, bounce": (GOOD, f"{name}.example", "<>") for name in RESULTS},
    "HELO pass.example, sender fail.example": (GOOD, "pass.example", "a@fail.example"),
    "HELO fail.example, sender pass.example": (GOOD, "fail.example", "a@pass.example"),
    "another client, sender fail.example": (Client("198.51.100.50"), "vps.other.example", "a@fail.example"),
}
# All clients are judged, and nothing is refused but what a row asks for.
POLICYD_SPF = {
    "debugLevel": "0",
    "TestOnly": "1",
    "HELO_reject": "False",
    "Mail_From_reject": "False",
    "PermError_reject": "False",
    "TempError_Defer": "False",
    "skip_addresses": "192.0.2.254/32",
}


def rules(rows: list[Row]) -> str:
    """Return the rules of all rows, each for its own recipient."""
    texts: list[str] = []
    for number, row in enumerate(rows):
        for each in row.rules:
            keys = each.replace("when = { ", f'when = {{ rcpt = "{recipient(number)}", ')
            texts.append(f'[[rule]]\nname = "row-{number}-{len(texts)}"\n{keys}\n')
    return "\n".join(texts)


def recipient(number: int) -> str:
    return f"row{number}@rcpt.example"


def codes(address: tuple[str, int], case: Case, rows: list[Row]) -> list[int]:
    """Return the first digit of the reply to each recipient: accepted (2), deferred (4) or refused (5)."""
    client, helo, mailfrom = case
    recipients = [recipient(number) for number in range(len(rows))]
    dialogue = send(address, client, helo=helo, mailfrom=mailfrom, rcpts=recipients)
    found = [reply.code // 100 for reply in dialogue.rcpts]
    assert len(found) == len(rows), dialogue
    return found


def compare(
    rows: list[Row], cases: Mapping[str, Case], directory: Path, classes: list[str], services: str = ""
) -> list[str]:
    """Return the cell "compared" for each row. `classes`: what each row's recipient is checked with by Postfix."""
    names = [f"row{number}" for number in range(len(rows))]
    recipients = ", ".join(f"{{ {recipient(number)} = {name} }}" for number, name in enumerate(names))
    restrictions = f"check_recipient_access inline:{{ {recipients} }}"
    ports = {False: free_port(), True: free_port()}
    for refuses, port in ports.items():
        refusing = "-o unknown_client_reject_code=550" if refuses else ""
        options = f"-o smtpd_milters= {refusing} -o {{ smtpd_recipient_restrictions = {restrictions} }}"
        services += f"{LOCALHOST}:{port} inet n - n - - smtpd {options}\n"
    settings: dict[str, Any] = dict(zip(names, classes, strict=True)) | {
        "smtpd_restriction_classes": ", ".join(names),
        "smtpd_recipient_limit": 100,
        "smtpd_hard_error_limit": 100,
        "services": services,
    }
    lines = (each.partition(" = ") for row in rows for each in row.options)
    lists = {name.removeprefix("dnslists."): zone.strip('"') for name, _, zone in lines}
    differ: list[list[str]] = [[] for _ in rows]
    refused = [False for _ in rows]
    with (
        milters.resolver(ZONE) as server,
        Daemon({"milter": {"deadline": 3.0}, "dnslists": lists}, rules(rows), server) as daemon,
        Postfix(daemon.spec, within=milters.asking(server, directory), **settings) as postfix,
    ):
        for title, case in cases.items():
            old = {refuses: codes((LOCALHOST, port), case, rows) for refuses, port in ports.items()}
            new = codes(postfix.address, case, rows)
            for number, row in enumerate(rows):
                code = old[bool(row.settings)][number]
                refused[number] |= code != 2
                if code != new[number]:
                    differ[number].append(title)
    assert [row.old for row, seen in zip(rows, refused, strict=True) if not seen and "warn" not in row.old] == []
    return [f"the same, except: {'; '.join(each)}" if each else "the same" for each in differ]


def test_restrictions_of_postfix(tmp_path: Path) -> None:
    # test_migration_postscreen.py has the row of postscreen.
    rows = [row for row in migration.rows("Postfix") if row.compared != "-" and "postscreen" not in row.old]
    assert all(row.settings in ([], ["unknown_client_reject_code = 550"]) for row in rows)
    found = compare(rows, CLIENTS, tmp_path, [row.old for row in rows])
    assert [[row.old, *row.settings, cell] for row, cell in zip(rows, found, strict=True)] == [
        [row.old, *row.settings, row.compared] for row in rows
    ]


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory that every user can read: policyd-spf takes its defaults without a word if it cannot read its configuration."""
    with tempfile.TemporaryDirectory(prefix="rdns-policyd-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(not POLICYD.exists(), reason="policyd-spf is not installed")
def test_policyd_spf(readable: Path) -> None:
    rows = [row for row in migration.rows("policyd-spf") if row.compared != "-"]
    services = ""
    for number, row in enumerate(rows):
        options = POLICYD_SPF | dict(option.split(" = ") for option in [row.old, *row.settings])
        path = readable / f"{number}.conf"
        path.write_text("".join(f"{name} = {value}\n" for name, value in options.items()))
        services += f"spf{number} unix - n n - 0 spawn user=nobody argv=/usr/bin/python3 {POLICYD} {path}\n"
    classes = [f"check_policy_service unix:private/spf{number}" for number in range(len(rows))]
    rows = [Row(row.old, [], row.rules, row.compared) for row in rows]
    found = compare(rows, SENDERS, readable, classes, services)
    assert found == [row.compared for row in rows]
