"""`rdns-milter doctor` and `check --self` with the sendmail.cf that a real m4 makes: each broken set-up is named, and the
line for sendmail.mc that doctor prints mends it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rdns_milter.doctor.checks.sendmail_check import check_sendmail
from rdns_milter.doctor.finding import BAD
from rdns_milter.doctor.mta_identity import of_sendmail
from rdns_milter.net.endpoints import parse_socket_address
from tests.kit.mta.sendmail import PROGRAM, Root, Sendmail, installed

pytestmark = [
    pytest.mark.skipif(not installed(), reason="no Sendmail has been unpacked"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

OURS = "inet:8895@127.0.0.1"
LISTENER = parse_socket_address(OURS)
DEADLINE = 6.0
OTHER = "INPUT_MAIL_FILTER(`opendkim', `S=inet:8891@127.0.0.1')dnl"
LINE = re.compile(r"in /etc/mail/sendmail\.mc: (INPUT_MAIL_FILTER.*)")


@dataclass(frozen=True)
class Case:
    """A set-up, and what doctor says of it."""

    name: str
    says: str
    options: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("no filter", "InputMailFilters is empty", {"milter": None}),
    Case("another filter alone", "names opendkim (inet:8891@127.0.0.1) only", {"milter": None, "settings": [OTHER]}),
    Case("wrong port", "names rdns-milter (inet:8985@127.0.0.1) only", {"milter": "inet:8985@127.0.0.1"}),
    Case("refuses while down", "refused for good (F=R)", {"flags": "R"}),
    Case("short timeout", "the timeout R is 5 s", {"timeouts": "C:5s;S:10s;R:5s;E:30s"}),
)


@pytest.fixture(scope="module")
def root() -> Iterator[Root]:
    with Root() as made:
        yield made


def made_again(sendmail: Sendmail) -> str:
    """The sendmail.cf that m4 makes of the changed sendmail.mc; Sendmail itself reads it without an error."""
    (sendmail.base / "sendmail.cf").write_text(sendmail.inside("/bin/sh", "-c", "cd /mnt && m4 sendmail.mc").stdout)
    printed = sendmail.inside(PROGRAM, "-C/mnt/sendmail.cf", "-bt", "-d0.1").stdout
    assert "mx.test.example" in printed
    return (sendmail.base / "sendmail.cf").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_setup_is_named_and_mended(case: Case, root: Root) -> None:
    sendmail = Sendmail(**{"milter": OURS, **case.options})
    text = sendmail.write_configuration(root).read_text()
    (fault,) = [each for each in check_sendmail(text, LISTENER, DEADLINE) if each.level != "ok"]
    assert (fault.level, case.says in fault.text) == (BAD, True), fault.text
    (line,) = (match[1] for each in fault.remedy if (match := LINE.fullmatch(each)))
    mc = sendmail.base / "sendmail.mc"
    written, count = re.subn(
        r"^INPUT_MAIL_FILTER\(`rdns-milter'.*$", lambda _: line, mc.read_text(), flags=re.MULTILINE
    )
    mc.write_text(written if count else written.replace("\nMAILER_DEFINITIONS\n", f"\n{line}\nMAILER_DEFINITIONS\n"))
    after = list(check_sendmail(made_again(sendmail), LISTENER, DEADLINE))
    assert [each for each in after if each.level == BAD] == []
    assert any("asks the milter" in each.text for each in after)


def test_a_setup_in_order_has_no_fault(root: Root) -> None:
    sendmail = Sendmail(OURS)
    text = sendmail.write_configuration(root).read_text()
    assert [each.level for each in check_sendmail(text, LISTENER, DEADLINE)] == ["ok", "ok"]


def test_the_order_of_the_filters(root: Root) -> None:
    sendmail = Sendmail(OURS)
    sendmail.write_configuration(root)
    mc = sendmail.base / "sendmail.mc"
    mc.write_text(
        mc.read_text().replace("INPUT_MAIL_FILTER(`rdns-milter'", f"{OTHER}\nINPUT_MAIL_FILTER(`rdns-milter'")
    )
    (fault,) = [each for each in check_sendmail(made_again(sendmail), LISTENER, DEADLINE) if each.level != "ok"]
    assert "the filter opendkim comes before the milter" in fault.text


def test_names_and_source_address_by_which_others_see_it(root: Root) -> None:
    sendmail = Sendmail(
        OURS, settings=["MASQUERADE_AS(`test.example')dnl", "CLIENT_OPTIONS(`Family=inet, Addr=192.0.2.25')dnl"]
    )
    text = sendmail.write_configuration(root).read_text()
    printed = sendmail.inside(PROGRAM, "-C/mnt/sendmail.cf", "-bt", "-d0.1").stdout
    for identity in (of_sendmail(text, printed), of_sendmail(text, "")):
        assert identity.helo.text == "mx.test.example"
        assert [each.text for each in identity.senders] == ["test.example"]
        assert [str(each.address) for each in identity.bound] == ["192.0.2.25"]
