"""The RFC 7208 suite through the running milter: each case is one message over the milter protocol, its DNS a real name server.

The verdict is read where an admin and a filter read it: in the log line, and in Authentication-Results.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pytest

from rdns_milter.names import canonical, is_hostname, parse_mailbox
from tests.kit import suite
from tests.kit.client import Client
from tests.kit.daemon import Daemon
from tests.kit.nameserver import NameServer
from tests.kit.suite import SuiteCase
from tests.kit.zone import Zone

CASES = tuple(suite.cases())
ZONES = {case.scenario: case.zonedata for case in CASES}
# The order of an RRset is nobody's promise: names are sorted before the cut to ten, and the one that matches is among them.
NOT_PREFERRED = {"multispf1": "fail", "ptr-limit": "pass"}
_SPF = re.compile(r"\bspf=(\w+) smtp\.mailfrom=([^\s;]+)")


class Stage:
    """The milter and the name server of one scenario at a time: their zones contradict each other, and failures too are
    remembered, so each scenario has a milter of its own."""

    def __init__(self) -> None:
        self._scenario = ""
        self._set = contextlib.ExitStack()
        self._daemon: Daemon | None = None

    def daemon(self, scenario: str) -> Daemon:
        """The milter that knows the zone of the scenario."""
        if self._daemon is None or scenario != self._scenario:
            self.clear()
            server = self._set.enter_context(NameServer(Zone.from_suite(ZONES[scenario])))
            self._daemon = self._set.enter_context(Daemon({"exempt": {"networks": []}}, nameserver=server))
            self._scenario = scenario
        return self._daemon

    def clear(self) -> None:
        """Stop both."""
        self._daemon = None
        self._set.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Cases come scenario by scenario, so there are as many starts as scenarios."""
    empty = Stage()
    yield empty
    empty.clear()


def identity(case: SuiteCase) -> str:
    """The domain that Authentication-Results names; "" if there is none that may stand there."""
    mailbox = parse_mailbox(case.mailfrom)
    domain = canonical(case.helo) if mailbox.is_null else mailbox.domain
    return domain if is_hostname(domain) else ""


def test_the_suite_is_complete() -> None:
    assert len(CASES) == suite.CASES


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(stage: Stage, case: SuiteCase) -> None:
    daemon = stage.daemon(case.scenario)
    outcome, (decision,) = daemon.judge(client=Client(case.client), helo=case.helo, mailfrom=case.mailfrom)
    assert outcome.accepted
    result = decision["spf_mailfrom"]
    assert result in case.allowed
    assert result == NOT_PREFERRED.get(case.name, case.allowed[0])
    assert decision["mailfrom"] == (case.mailfrom or "<>")
    (field,) = outcome.header("Authentication-Results")
    assert _SPF.findall(field) == ([(result, identity(case))] if identity(case) else [])
