"""packaging/examples/sendmail/sendmail.mc as Sendmail reads it: the same filter as in README, also in Debian's own sendmail.mc; and
which directories Sendmail accepts for the milter's socket."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from rdns_milter.config.options import SECTIONS, options_of
from tests.kit.data import documents
from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.probe import Probe
from tests.kit.mta.network_namespace import NetworkNamespace
from tests.kit.mta.sendmail import EXAMPLE, FILTER, UNPACKED, Root, Sendmail, SendmailFailed


@pytest.fixture(scope="module")
def probe(network: NetworkNamespace) -> Iterator[Probe]:
    with Probe() as running:
        yield running


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


def test_the_line_is_good_for_debians_own_sendmail_mc(network: NetworkNamespace, probe: Probe) -> None:
    """The line is inserted as an administrator would insert it into an existing file."""
    (block,) = documents.blocks("sendmail.mc")
    theirs = (UNPACKED / "pristine/usr/share/sendmail/cf/debian/sendmail.mc").read_text("utf-8")
    text = re.sub(r"include\(`/etc/mail/m4/.*\n", "", theirs)  # files that sendmailconfig makes
    with Sendmail() as sendmail:
        (sendmail.base / "sendmail.mc").write_text(text.replace("MAILER_DEFINITIONS\n", f"{block}MAILER_DEFINITIONS\n"))
        cf = sendmail.inside("/bin/sh", "-c", "cd /mnt && m4 sendmail.mc").stdout
    assert re.findall("^O InputMailFilters=(.*)$", cf, re.MULTILINE) == ["rdns-milter"]
    assert re.findall("^Xrdns-milter, (.*)$", cf, re.MULTILINE) == [block.split("`")[2].split("'")[0]]
