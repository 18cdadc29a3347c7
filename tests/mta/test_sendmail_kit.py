"""The kit's private Sendmail; that the kit's own MTA treats a message as the real one does; and that the example is right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdns_milter.config.options import SECTIONS, options_of
from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.probe import Probe
from tests.kit.milter.process_group import dies_with_us, members
from tests.kit.milter.transaction import RECEIVED, deliver
from tests.kit.mta.network_namespace import Network
from tests.kit.mta.sendmail import EXAMPLE, FILTER, UNPACKED, Root, Sendmail, SendmailFailed
from tests.kit.smtp.smtp_client import send
from tests.mta.attached import GOOD, HOST, USER
from tests.mta.test_postfix_kit import FIELDS

CLONE = Path(__file__).resolve().parents[2]
WISHES = [
    *(["insert 0 Top t"], ["insert 1 Top t"], ["insert 99 Top t"], ["add Low l"]),
    *(["change 1 X-A", "change 2 X-A"], ["change 2 X-A", "change 1 X-A"], ["change 0 X-A new"], ["change 9 X-A"]),
    *(["change 1 Received"], ["change 1 Received other"], ["insert 1 Top t", "insert 0 Top u"]),
    *(["change 3 X-A", "change 2 X-A", "change 1 X-A"], ["change 1 X-A", "insert 0 X-A 0"], ["insert 0 Received 0"]),
]


@pytest.fixture(scope="module")
def probe(network: Network) -> Iterator[Probe]:
    with Probe() as running:
        yield running


@pytest.fixture(scope="module")
def probed(names: NameServer, probe: Probe) -> Iterator[Sendmail]:
    with Sendmail(probe.socket, host=HOST) as running:
        yield running


@pytest.mark.parametrize("wishes", WISHES, ids="; ".join)
def test_the_kit_applies_changes_as_sendmail_does(probed: Sendmail, probe: Probe, wishes: list[str]) -> None:
    headers = [*FIELDS, *(("X-Do", wish) for wish in wishes)]
    real = probed.headers(send(probed.address, GOOD, arrive=probed.arrive, headers=headers).queue_id)
    own = next(at for at, (name, value) in enumerate(real) if f"by {HOST} (8." in value)
    real[own] = RECEIVED
    assert list(deliver(probe.socket, headers=headers, mta="sendmail").headers) == real


def test_no_socket_below_a_directory_that_a_group_may_write_to(names: NameServer) -> None:
    with Root() as root, Probe("unix", place=root.media) as probe:
        probe.directory.chmod(0o775)
        with pytest.raises(SendmailFailed, match="unsafe: Group writable directory"), Sendmail(probe.socket, root=root):
            pass


def test_the_example_and_readme_have_the_same_filter() -> None:
    (block,) = documents.blocks("sendmail.mc")
    found = FILTER.search(EXAMPLE.read_text("utf-8"))
    assert found
    assert found[0] + "\n" == block
    defaults = {option.key: option.default for option in options_of(SECTIONS["milter"]).values()}
    deadline = defaults["deadline"]
    assert f"S={defaults['socket']}," in block
    seconds = {letter: int(number) for letter, number in re.findall(r"\b([CSRE]):(\d+)s", block)}
    assert min(seconds["R"], seconds["E"]) > deadline
    assert f"milter.deadline ({deadline:g} s)" in EXAMPLE.read_text("utf-8")


def test_the_line_is_good_for_debians_own_sendmail_mc(network: Network, probe: Probe) -> None:
    """As whoever has one already puts it there."""
    (block,) = documents.blocks("sendmail.mc")
    theirs = (UNPACKED / "pristine/usr/share/sendmail/cf/debian/sendmail.mc").read_text("utf-8")
    text = re.sub(r"include\(`/etc/mail/m4/.*\n", "", theirs)  # files that sendmailconfig makes
    with Sendmail() as sendmail:
        (sendmail.base / "sendmail.mc").write_text(text.replace("MAILER_DEFINITIONS\n", f"{block}MAILER_DEFINITIONS\n"))
        cf = sendmail.inside("/bin/sh", "-c", "cd /mnt && m4 sendmail.mc").stdout
    assert re.findall("^O InputMailFilters=(.*)$", cf, re.MULTILINE) == ["rdns-milter"]
    assert re.findall("^Xrdns-milter, (.*)$", cf, re.MULTILINE) == [block.split("`")[2].split("'")[0]]


def test_two_side_by_side_leave_nothing_behind(names: NameServer) -> None:
    with Sendmail() as one, Sendmail() as other:
        assert one.port != other.port
        send(one.address, GOOD, arrive=one.arrive, rcpts=[USER])
        assert (len(one.queued()), other.queued()) == (1, [])
        sessions = [sendmail.leader.pid for sendmail in (one, other)]
        assert all(list(members(session)) for session in sessions)
    assert not any(list(members(session)) for session in sessions)
    assert not one.base.exists()
    assert not other.base.exists()
    assert not [path for sendmail in (one, other) for path in (sendmail.root,) if path and path.path.exists()]


def test_the_network_is_left_as_it_was_entered() -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with Network():
        inside = os.readlink("/proc/thread-self/ns/net")
        with Network():
            assert os.readlink("/proc/thread-self/ns/net") not in (before, inside)
        assert os.readlink("/proc/thread-self/ns/net") == inside
    assert os.readlink("/proc/thread-self/ns/net") == before != inside


def test_it_dies_with_us(network: Network) -> None:
    assert dies_with_us("from tests.kit.mta.sendmail import Sendmail\nwith Sendmail() as s:", "s.leader.pid, s.base")
