"""What the policy would have done to mail of which only the MTA's log is left: looked up now, judged now.

The milter's own session asks and judges; what the log does not tell stays unknown, and a verdict that hangs on it is no verdict.
Equal deliveries are looked up once. Never asks for more than `workers` messages at a time.

packaging/doc/tuning.md; RFC 7208 2.4 (SPF of the null sender is that of the greeting).
"""

from __future__ import annotations

import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ..checks.evidence import TEMPERROR, UNKNOWN, Evidence, Helo, Spf, facts_in_trouble, missing_facts
from ..config.load import Config
from ..logs.decision import Decision, line
from ..logs.line_prefix import Beginnings
from ..logs.mta_log import ACCEPTED, OUTCOMES, Delivery
from ..net.endpoints import Endpoint
from ..net.mailboxes import parse_mailbox
from ..net.names import parse_address
from ..policy.decide import decide, possible_actions
from ..policy.rules import ACTIONS, ENFORCE, LET_IN, OBSERVE, Policy, Verdict
from ..session.dns_thread import Engine
from ..session.session import Service, Session
from .replay import Movement, unrecognised

WORKERS = 24
OPEN = "open"  # a verdict that hangs on what the log does not tell


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one recipient. `actions`: what may be done, more than one where that hangs on what the log does not
    tell; `verdict`: what it would be if that did not matter."""

    delivery: Delivery
    evidence: Evidence
    actions: tuple[str, ...]
    verdict: Verdict

    @property
    def action(self) -> str:
        """What would be done; OPEN if it is open whether the message would be let in."""
        if len(LET_IN.intersection(self.actions)) not in (0, len(self.actions)):
            return OPEN
        return self.verdict.action if self.verdict.action in self.actions else self.actions[0]


def grouped(deliveries: Iterable[Delivery], limit: int) -> dict[Delivery, int]:
    """The last so many deliveries (0: all of them), equal ones counted."""
    kept: Iterable[Delivery] = deque(deliveries, maxlen=limit) if limit else deliveries
    return dict(Counter(kept))


class Forecaster:
    """Looks up and judges. A context manager: its resolver lives as long as the context. `today`: by which rules are in force;
    `enforce`: as if the config had no observe mode."""

    def __init__(self, config: Config, servers: Sequence[Endpoint], today: date, enforce: bool = False) -> None:
        if enforce:
            config = replace(config, policy=replace(config.policy, mode=ENFORCE))
        self.config = config
        self.policy: Policy = config.policy.in_force(today)
        self._asking = replace(config, policy=Policy())
        self._bugs: list[BaseException] = []
        self._engine = Engine(config, tuple(servers), lambda where, error: self._bugs.append(error))

    def __enter__(self) -> Forecaster:
        self._engine.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._engine.__exit__(*exc)

    def judge(self, delivery: Delivery) -> list[Outlook]:
        """What would become of it, for each recipient. Asks DNS."""
        outlooks = []
        for decision in self._found_out(delivery):
            for rcpt in decision.rcpts:
                evidence = replace(decision.evidence, rcpt=rcpt)
                if delivery.helo is None and not evidence.exempt:
                    evidence = without_greeting(evidence)
                verdict = decide(evidence, self.policy)
                possible = possible_actions(evidence, self.policy) if missing_facts(evidence) else {verdict.action}
                outlooks.append(Outlook(delivery, evidence, tuple(sorted(possible, key=ACTIONS.index)), verdict))
        return outlooks

    def _found_out(self, delivery: Delivery) -> list[Decision]:
        """The delivery through a session that refuses nobody, and so waits for all facts."""
        decisions: list[Decision] = []
        hostname = socket.gethostname()
        service = Service(self._asking, self._engine.finder, decisions.append, date.today, time.monotonic, hostname)
        session = Session(service)
        session.connect(parse_address(delivery.client), hostname)
        if delivery.helo:
            session.helo(delivery.helo)
        session.mail(delivery.sender, delivery.authenticated)
        for rcpt in delivery.rcpts:
            session.rcpt(rcpt)
        session.end()
        if self._bugs:
            raise self._bugs[0]
        return decisions

    def judge_all(self, deliveries: Iterable[Delivery], workers: int = WORKERS) -> Iterator[list[Outlook]]:
        """The same for many, in their order, so many of them at a time."""
        with ThreadPoolExecutor(workers, "forecast") as pool:
            waiting: deque[Future[list[Outlook]]] = deque()
            try:
                for delivery in deliveries:
                    waiting.append(pool.submit(self.judge, delivery))
                    if len(waiting) >= 4 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def without_greeting(evidence: Evidence) -> Evidence:
    """The same client, as if nobody had heard it greet; but not with our own name: too few do to leave all open for it."""
    greeted = Helo(UNKNOWN, "no", UNKNOWN, evidence.helo.match if evidence.iprev.result != "pass" else UNKNOWN)
    bounce = parse_mailbox(evidence.mailfrom).is_null
    return replace(
        evidence,
        helo=greeted,
        spf_helo=Spf(),
        spf_mailfrom=Spf() if bounce else evidence.spf_mailfrom,
    )


class Forecast:
    """Counts. `verdicts`: how many recipients; `matrix`: what the MTA did, and what the policy would do (or OPEN); `rules`: rule
    and action; `doubts`: what may become of those that are open; `refused`: mail that the MTA took; `ungreeted`: verdicts without
    a known HELO name; `troubled`: with DNS trouble in them now."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.deliveries = self.verdicts = self.ungreeted = self.troubled = 0
        self.matrix: Counter[tuple[str, str]] = Counter()
        self.rules: Counter[tuple[str, str]] = Counter()
        self.doubts: Counter[tuple[str, ...]] = Counter()
        self.shadows: Counter[tuple[str, str]] = Counter()
        self.refused = Movement()

    def add(self, outlooks: Sequence[Outlook], count: int) -> None:
        """One delivery, which the log has so many times."""
        self.deliveries += count
        for outlook in outlooks:
            self._add(outlook, count)

    def _add(self, outlook: Outlook, count: int) -> None:
        delivery, verdict = outlook.delivery, outlook.verdict
        self.verdicts += count
        self.matrix[delivery.outcome, outlook.action] += count
        self.ungreeted += count * (delivery.helo is None and not outlook.evidence.exempt)
        self.troubled += count * bool(facts_in_trouble(outlook.evidence))
        if outlook.action == OPEN:
            self.doubts[outlook.actions] += count
            return
        self.rules[verdict.rule if verdict.action == outlook.action else "", outlook.action] += count
        if delivery.outcome == ACCEPTED and outlook.action not in LET_IN:
            example = _example(outlook, self.policy)
            fields = {"client": delivery.client, "mailfrom": delivery.sender}
            for _ in range(count):
                self.refused.add(fields, example)

    @property
    def accepted(self) -> int:
        """Verdicts on mail that the MTA took."""
        return sum(count for (was, _), count in self.matrix.items() if was == ACCEPTED)

    @property
    def share_refused(self) -> float | None:
        """Of what the MTA took, the part that would certainly be kept out; None where it took nothing."""
        return self.refused.count / self.accepted if self.accepted else None


def _example(outlook: Outlook, policy: Policy) -> str:
    """The verdict as the milter would log it, without what is not known."""
    whole = line(Decision(outlook.verdict, outlook.evidence, (outlook.evidence.rcpt,), policy=policy.digest))
    unknown = missing_facts(outlook.evidence) | ({"helo_name"} if outlook.delivery.helo is None else set())
    return " ".join(pair for pair in whole.split(" ") if pair not in {f"{key}=none" for key in unknown})


UNTOLD = "helo_name, and so helo, helo_kind, helo_match, spf_helo, and spf_mailfrom of bounces (for helo_own stands no)"


def warnings(forecast: Forecast, config: Config, limit: int, beginnings: Beginnings | None = None) -> tuple[str, ...]:
    """What one should know before believing the numbers, a sentence each. `beginnings`: how the lines of the log begin."""
    found = []
    if not forecast.verdicts and beginnings is not None and not beginnings.known:
        return (unrecognised(beginnings) if beginnings.unknown else "there is no mail in the log: it is empty",)
    if not forecast.verdicts:
        return ("there is no mail in the log that came from outside, neither Postfix's nor Sendmail's",)
    found.append("DNS was asked now: at the time of the mail it may have said something else")
    if forecast.ungreeted:
        found.append(
            f"{forecast.ungreeted:,} of {forecast.verdicts:,} verdicts are without what the log does not tell: {UNTOLD}."
            " Postfix logs the HELO name of mail that it takes only where an access rule of its own (WARN, HOLD) does"
        )
    asked = {condition.name for rule in forecast.policy.rules for condition in rule.when + rule.unless}
    if "tls" in asked:
        found.append("the log does not tell which messages came by TLS; judged as if none had")
    if "helo_own" in asked and not config.exempt.own:
        found.append(f"exempt.own_names is empty: this host's name, {socket.gethostname()}, was taken for the MTA's")
    if forecast.troubled:
        found.append(
            f"{forecast.troubled:,} verdicts have DNS trouble (temperror) in them; asked again they may come out otherwise"
        )
    if forecast.policy.mode == OBSERVE:
        found.append('the policy has mode = "observe", and so refuses nobody; --enforce judges as if it had not')
    if limit and forecast.deliveries >= limit:
        found.append(f"only the last {limit:,} deliveries were looked at; --limit 0 looks at all")
    return tuple(found)


def as_dict(forecast: Forecast, most: int, notes: Sequence[str]) -> dict[str, Any]:
    """All of it for programs; `most`: how many clients and senders; `notes`: warnings and troubles."""
    share = forecast.share_refused
    columns = (*ACTIONS, OPEN)
    return {
        "policy": forecast.policy.digest,
        "mode": forecast.policy.mode,
        "deliveries": forecast.deliveries,
        "verdicts": forecast.verdicts,
        "accepted": forecast.accepted,
        "share_refused": None if share is None else round(share, 6),
        "matrix": {was: {would: forecast.matrix[was, would] for would in columns} for was in OUTCOMES},
        "rules": [{"rule": rule, "action": action, "count": n} for (rule, action), n in forecast.rules.most_common()],
        "open": [{"actions": list(actions), "count": n} for actions, n in forecast.doubts.most_common()],
        "without_helo": forecast.ungreeted,
        TEMPERROR: forecast.troubled,
        "newly_refused": forecast.refused.as_dict(most),
        "warnings": list(notes),
    }
