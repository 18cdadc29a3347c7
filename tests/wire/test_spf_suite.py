"""The RFC 7208 test suite through the running milter: each case is one message over the milter protocol, with a real name server.

The result is read from the log line and from Authentication-Results, which has the results of HELO and MAIL FROM whatever form
they have. The suite has results of MAIL FROM only; that of HELO is the reference evaluator's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from rdns_milter.net.mailboxes import normalized_path, parse_mailbox
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


class SuiteDaemon:
    """Milter and name server for one scenario at a time: the scenarios' zones contradict each other, and failures are
    cached, too."""

    def __init__(self) -> None:
        self._scenario = ""
        self._set = contextlib.ExitStack()
        self._daemon: Daemon | None = None
        self.zone = Zone("")

    def daemon(self, scenario: str) -> Daemon:
        """Return the milter for the scenario's zone."""
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
    """Cases are sorted by scenario, so that there are as many starts as scenarios."""
    empty = SuiteDaemon()
    yield empty
    empty.clear()


def written(claimed: str) -> str:
    """Return a domain as Authentication-Results has it: a host name in lower case, all else quoted, unsafe characters replaced."""
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
    assert result == suite.expected(case)
    assert decision["mailfrom"] == (normalized_path(case.mailfrom) or "<>")
    assert decision["spf_helo"] == of_helo(case, scenarios.zone).result
    (field,) = outcome.header("Authentication-Results")
    mailbox = parse_mailbox(case.mailfrom)
    assert [found for found in results(field) if found[0] == "spf"] == [
        ("spf", decision["spf_helo"], {"smtp.helo": written(case.helo)}),
        ("spf", result, {"smtp.mailfrom": written(case.helo if mailbox.is_null else mailbox.domain)}),
    ]
