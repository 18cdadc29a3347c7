"""The output that packaging/doc/tuning.md shows of commands is real: each line that it shows, in that order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rdns_milter.config.load import load
from rdns_milter.config.sample import sample
from tests.kit.data import documents, random_log
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import command

ZONE = documents.ROOT / "packaging" / "demo" / "zone.txt"


def strict() -> str:
    """The default rules with the strict rule from the file's last lines, where it is a comment, in front of the tags."""
    document = sample()
    last, tags = document.rindex("# [[rule]]"), document.index("# The rules from here on accept the message and tag it")
    rule = re.sub("^# ?", "", document[last:], flags=re.MULTILINE)
    rule = "".join(line + "\n" for line in rule.split("\n") if not line.startswith(("unless", "shadow")))
    return f"{document[:tags]}{rule}\n{document[tags:last]}"


def accepted(queue_id: str, client: str, sender: str) -> str:
    """Return the log lines of a message that Postfix accepted."""
    head = "Nov 21 03:53:19 mx postfix"
    return f"""\
{head}/smtpd[1]: {queue_id}: client={client}
{head}/qmgr[3]: {queue_id}: from=<{sender}>, size=512, nrcpt=1 (queue active)
{head}/lmtp[4]: {queue_id}: to=<user@demo.example>, relay=local, delay=0.1, dsn=2.0.0, status=sent (250 ok)
{head}/qmgr[3]: {queue_id}: removed
"""


MAILLOG = (
    accepted("4bQ1Xz2Lq9zT1", "mail.good.example[192.0.2.10]", "anna@good.example")
    + accepted("4bQ1Xz2Lq9zT2", "mail.good.example[192.0.2.10]", "berta@good.example")
    + accepted("4bQ1Xz2Lq9zT3", "unknown[198.51.100.20]", "anna@good.example")
    + accepted("4bQ1Xz2Lq9zT4", "unknown[198.51.100.30]", "offer@nothing.example")
    + "Nov 21 03:53:20 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[198.51.100.21]: 554 5.7.1 Service unavailable;"
    " Client host [198.51.100.21] blocked using bl.example; from=<win@nothing.example> to=<user@demo.example> proto=ESMTP"
    " helo=<mail.nothing.example>\n"
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "mail.log").write_text("\n".join(random_log.lines(load().policy, 5000)) + "\n")
    (tmp_path / "refused.log").write_text(
        f"2026-11-28T14:03:07.104512+00:00 mx rdns-milter[912]: {documents.blocks('log')[0]}"
    )
    (tmp_path / "postfix.log").write_text(MAILLOG)
    (tmp_path / "new.toml").write_text(strict())
    (tmp_path / "bad.toml").write_text(
        '[[rule]]\nname = "helo-mismatch"\nwhen = { helo = "fail" }\naction = "reject"\n'
    )
    return tmp_path


@pytest.mark.parametrize("name", ["why", "replay", "lint", "forecast", "report"])
def test_the_output_is_real(name: str, directory: Path) -> None:
    (block,) = documents.blocks(name)
    first, *shown = block.rstrip("\n").split("\n")
    assert first.startswith("$ rdns-milter ")
    arguments = shlex.split(first)[2:]
    files = [str(directory / word) if (directory / word).exists() else word for word in arguments]
    with NameServer(Zone.from_file(ZONE)) as server:
        dns = ["--dns", server.hostport] if name == "forecast" else []
        done = command(*files, *dns, COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, b"")
    output = [line.rstrip() for line in done.stdout.decode().replace(f"{directory}/", "").split("\n")]
    at = 0
    for line in shown:
        if line != "...":
            assert line in output[at:], line
            at += output[at:].index(line) + 1
    assert len([line for line in shown if line.strip()]) > 2
