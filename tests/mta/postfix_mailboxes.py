"""Compare the mailbox that a real Postfix reads from a path with that in the milter's log, and with what the milter reads from
the path alone.

    python -m tests.mta.postfix_mailboxes 10000 [SEED]

sends that many messages and prints the differences.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from rdns_milter.logs.logged_evidence import rcpts_of
from rdns_milter.net.mailboxes import Mailbox, parse_mailbox
from rdns_milter.net.names import canonical
from tests.kit.dns.nameserver import NameServer
from tests.kit.mta.postfix import SBIN, Postfix
from tests.kit.smtp.paths import any_path
from tests.kit.smtp.smtp_client import Smtp
from tests.mta.attached import HOST, ZONE, Attached, attached

PLAIN = "plain@rcpt.example"
RULES = '[[rule]]\nname = "all"\nwhen = { client = "127.0.0.1" }\naction = "accept"\n'
SETTINGS = {"smtpd_soft_error_limit": "100000", "smtpd_hard_error_limit": "100000"}  # random paths are mostly invalid
AT_ONCE = 100  # messages over one connection


@dataclass(frozen=True, slots=True)
class AcceptedPath:
    """A path that Postfix accepted: the mailbox in its queue, that in the milter's log, and that read from the path alone."""

    path: str
    command: str
    queued: Mailbox
    logged: Mailbox
    read: Mailbox

    @property
    def logged_right(self) -> bool:
        """The log has the mailbox of the queue."""
        return not self.queued.domain or _folded(self.logged) == _folded(self.queued)

    @property
    def read_right(self) -> bool:
        """The path alone gives the same mailbox, or none: Postfix qualifies a local part without a domain."""
        if not self.read.readable or not self.queued.domain:
            return True
        if not self.read.domain and self.queued.domain == HOST:
            return _folded(self.read).local == _folded(self.queued).local
        return _folded(self.read) == _folded(self.queued)


def _folded(mailbox: Mailbox) -> Mailbox:
    """Return the mailbox without differences that Postfix makes: it drops or changes spaces between words of a local part, and
    writes macros in lower case."""
    return Mailbox("".join(mailbox.local.lower().split()), mailbox.domain)


def _in_queue(text: str) -> Mailbox:
    """Return the mailbox of an address in a queue file, where it stands without quotes."""
    local, _, domain = text.rpartition("@")
    return Mailbox(local.lower(), canonical(domain))


def _envelopes(postfix: Postfix, ids: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """Return sender and recipients of messages, by queue id."""
    command = [f"{SBIN}/postcat", "-c", str(postfix.config), "-e", "-q", *ids]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    found: dict[str, tuple[str, list[str]]] = {}
    for part in done.stdout.decode("utf-8", "surrogateescape").split("*** ENVELOPE RECORDS ")[1:]:
        qid = part.split(" ", 1)[0].rpartition("/")[2]
        sender = re.search(r"^sender: (.*)$", part, re.MULTILINE)
        assert sender
        found[qid] = (sender[1], re.findall(r"^recipient: (.*)$", part, re.MULTILINE))
    return found


def _send(postfix: Postfix, pairs: Sequence[tuple[str, str]]) -> dict[str, tuple[str, str | None]]:
    """Send a message for each pair of paths; return the accepted ones by queue id."""
    sent: dict[str, tuple[str, str | None]] = {}
    with Smtp(postfix.address) as smtp:
        smtp.helo("mail.sender.example")
        for sender, recipient in pairs:
            if smtp.mail(sender.encode("utf-8")).ok:
                accepted = smtp.rcpt(recipient.encode("utf-8")).ok
                smtp.rcpt(PLAIN)
                if smtp.data((("Subject", "x"),)).ok:
                    sent[smtp.dialogue.queue_id] = (sender, recipient if accepted else None)
                    continue
            smtp.command("RSET")
        smtp.command("QUIT")
    return sent


def compare(running: Attached, rng: Random, count: int) -> list[AcceptedPath]:
    """Send this many messages with random paths; return the mailboxes of those that Postfix accepted."""
    found: list[AcceptedPath] = []
    while count > 0:
        pairs = [(any_path(rng), any_path(rng)) for _ in range(min(AT_ONCE, count))]
        count -= len(pairs)
        sent = _send(running.postfix, pairs)
        envelopes = _envelopes(running.postfix, list(sent))
        logged = {decision["qid"]: decision for decision in running.new_decisions(len(sent))}
        for qid, (sender, recipient) in sent.items():
            paths = [("MAIL", sender, envelopes[qid][0], logged[qid]["mailfrom"])]
            if recipient is not None:
                paths.append(("RCPT", recipient, envelopes[qid][1][0], rcpts_of(logged[qid])[0]))
            found += [
                AcceptedPath(path, command, _in_queue(queued), parse_mailbox(logged_text), parse_mailbox(path))
                for command, path, queued, logged_text in paths
            ]
        running.postfix.delete("ALL")
    return found


def main(count: int, seed: int) -> int:
    """Print the differences."""
    with (
        NameServer(ZONE) as server,
        attached(server, RULES, postfix=SETTINGS) as running,
    ):
        found = compare(running, Random(seed), count)
    wrong = [each for each in found if not (each.logged_right and each.read_right)]
    for each in wrong:
        print(each)
    unread = [each for each in found if not each.read.readable]
    for each in unread:
        print("cannot be read:", repr(each.path), each.queued)
    print(
        f"{count} messages, {len(found)} paths accepted, {len(wrong)} differ, {len(unread)} cannot be read without the macro"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))
