"""The RFC 7208 suite through the running milter: each case is one message over the milter protocol, its DNS a real name server.

The verdict is read where an admin and a filter read it: in the log line, and in Authentication-Results, which says what came of
HELO and of MAIL FROM whatever they look like. The suite judges MAIL FROM only; HELO's result is the reference evaluator's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from rdns_milter.net.mailboxes import parse_mailbox, spelling
from rdns_milter.net.names import canonical, is_hostname
from tests.kit.data.spf import suite
from tests.kit.data.spf.suite import SuiteCase
from tests.kit.data.spf.suite_reference import of_helo
from tests.kit.dns.nameserver import NameServer
from tests.kit.dns.zone import Zone
from tests.kit.milter.daemon import Daemon
from tests.kit.smtp.authentication_results import results
from tests.kit.smtp.client_identity import Client

CASES = tuple(suite.cases())
ZONES = {case.scenario: case.zonedata for case in CASES}
# The order of an RRset is nobody's promise: names are sorted before the cut to ten, and the one that matches is among them.
NOT_PREFERRED = {"multispf1": "fail", "ptr-limit": "pass"}


class SuiteDaemon:
    """The milter and the name server of one scenario at a time: their zones contradict each other, and failures too are
    remembered, so each scenario has a milter of its own."""

    def __init__(self) -> None:
        self._scenario = ""
        self._set = contextlib.ExitStack()
        self._daemon: Daemon | None = None
        self.zone = Zone("")

    def daemon(self, scenario: str) -> Daemon:
        """The milter that knows the zone of the scenario."""
        if self._daemon is None or scenario != self._scenario:
            self.clear()
            self.zone = Zone.from_suite(ZONES[scenario])
            server = self._set.enter_context(NameServer(self.zone))
            self._daemon = self._set.enter_context(Daemon({"exempt": {"networks": []}}, nameserver=server))
            self._scenario = scenario
        return self._daemon

    def clear(self) -> None:
        """Stop both."""
        self._daemon = None
        self._set.close()


@pytest.fixture(scope="module")
def scenarios() -> Iterator[SuiteDaemon]:
    """Cases come scenario by scenario, so there are as many starts as scenarios."""
    empty = SuiteDaemon()
    yield empty
    empty.clear()


def written(claimed: str) -> str:
    """A domain as Authentication-Results has it: a host name in lower case, all else quoted, and what is unsafe replaced."""
    name = canonical(claimed)
    return name if is_hostname(name) else re.sub(r"[^A-Za-z0-9.\[\]%']", "?", claimed)


def test_the_suite_is_complete() -> None:
    assert len(CASES) == suite.CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(scenarios: SuiteDaemon, case: SuiteCase) -> None:
    daemon = scenarios.daemon(case.scenario)
    outcome, (decision,) = daemon.judge(client=Client(case.client), helo=case.helo, mailfrom=case.mailfrom)
    assert outcome.accepted
    result = decision["spf_mailfrom"]
    assert result in case.allowed
    assert result == NOT_PREFERRED.get(case.name, case.allowed[0])
    assert decision["mailfrom"] == (spelling(case.mailfrom) or "<>")
    assert decision["spf_helo"] == of_helo(case, scenarios.zone).result
    (field,) = outcome.header("Authentication-Results")
    mailbox = parse_mailbox(case.mailfrom)
    assert [found for found in results(field) if found[0] == "spf"] == [
        ("spf", decision["spf_helo"], {"smtp.helo": written(case.helo)}),
        ("spf", result, {"smtp.mailfrom": written(case.helo if mailbox.is_null else mailbox.domain)}),
    ]
