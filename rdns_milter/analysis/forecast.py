"""Forecast how the policy would have judged the mail in the MTA's log: the facts are looked up now, and judged now.

Lookups and judgement are those of the milter's own session. A fact stays unknown if it depends on data that is not in the log, and
a verdict that depends on an unknown fact is open. Equal deliveries are looked up once. Must never have more than `workers`
deliveries in progress.

packaging/doc/tuning.md; RFC 7208 section 2.4 (SPF of the null sender is that of the HELO name).
"""

from __future__ import annotations

import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ..checks.evidence import TEMPERROR, UNKNOWN, Evidence, Helo, Spf, facts_in_trouble, missing_facts
from ..config.load import Config
from ..logs.decision_keys import Decision, values
from ..logs.decision_line import line
from ..logs.line_prefix import PrefixForms
from ..logs.mta_deliveries import ACCEPTED, OUTCOMES, Delivery
from ..net.endpoints import Endpoint
from ..net.mailboxes import parse_mailbox
from ..net.names import parse_address
from ..policy.decide import decide, possible_actions
from ..policy.rules import ACTIONS, ENFORCE, LET_IN, OBSERVE, Policy, Verdict
from ..session.dns_thread import DnsThread
from ..session.service import Service
from ..session.session import Session
from .replay import MAX_EXAMPLE, OBSERVE_WARNING, Movement, unrecognised

WORKERS = 24
OPEN = "open"  # a verdict that depends on what is not in the log


@dataclass(frozen=True, slots=True)
class Outlook:
    """The forecast for one recipient. `actions`: the possible actions, more than one if they depend on data that is not in the log;
    `verdict`: the verdict by the facts that are known."""

    delivery: Delivery
    evidence: Evidence
    actions: tuple[str, ...]
    verdict: Verdict

    @property
    def action(self) -> str:
        """The action; OPEN if it is not certain whether the message would be let in."""
        if len(LET_IN.intersection(self.actions)) not in (0, len(self.actions)):
            return OPEN
        return self.verdict.action if self.verdict.action in self.actions else self.actions[0]


def grouped(deliveries: Iterable[Delivery], limit: int) -> dict[Delivery, int]:
    """Return, for each different delivery among the last `limit` ones (0: all), how often it occurs."""
    kept: Iterable[Delivery] = deque(deliveries, maxlen=limit) if limit else deliveries
    return dict(Counter(kept))


class Forecaster:
    """Looks up facts and judges. A context manager: its resolver runs while the context is open.

    `today`: the day for `until`; `enforce`: judge as if the config had mode enforce."""

    def __init__(self, config: Config, servers: Sequence[Endpoint], today: date, enforce: bool = False) -> None:
        if enforce:
            config = replace(config, policy=replace(config.policy, mode=ENFORCE))
        self.config = config
        self.policy: Policy = config.policy.in_force(today)
        asked = Policy(providers=self.policy.providers, dnslists=self.policy.dnslists)
        self._asking = replace(config, policy=asked)
        self._bugs: list[BaseException] = []
        self._dns_thread = DnsThread(config, tuple(servers), lambda where, error: self._bugs.append(error))

    def __enter__(self) -> Forecaster:
        self._dns_thread.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._dns_thread.__exit__(*exc)

    def judge(self, delivery: Delivery) -> list[Outlook]:
        """Return the forecast for each recipient. Makes DNS queries."""
        outlooks = []
        for decision in self._decisions(delivery):
            for rcpt in decision.rcpts:
                evidence = replace(decision.evidence, rcpt=rcpt)
                if delivery.helo is None and not evidence.exempt:
                    evidence = without_helo(evidence)
                verdict = decide(evidence, self.policy)
                possible = possible_actions(evidence, self.policy) if missing_facts(evidence) else {verdict.action}
                outlooks.append(Outlook(delivery, evidence, tuple(sorted(possible, key=ACTIONS.index)), verdict))
        return outlooks

    def _decisions(self, delivery: Delivery) -> list[Decision]:
        """Send the delivery through a session without rules. Such a session waits for all facts."""
        decisions: list[Decision] = []
        hostname = socket.gethostname()
        service = Service(
            self._asking, self._dns_thread.check_runner, decisions.append, date.today, time.monotonic, hostname
        )
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
        """Yield the forecasts of the deliveries, in their order. `workers`: how many deliveries are in progress at a time."""
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


def without_helo(evidence: Evidence) -> Evidence:
    """Return the evidence of the same client with an unknown HELO name.

    The unknown name is taken to be none of our own names: few clients use one of those, and otherwise every verdict would be
    open."""
    helo = Helo(UNKNOWN, "no", UNKNOWN, evidence.helo.match if evidence.iprev.result != "pass" else UNKNOWN)
    is_bounce = parse_mailbox(evidence.mailfrom).is_null
    return replace(
        evidence,
        helo=helo,
        spf_helo=Spf(),
        spf_mailfrom=Spf() if is_bounce else evidence.spf_mailfrom,
    )


class Forecast:
    """Counts over forecasts.

    `verdicts`: one for each recipient.
    `matrix`: verdicts by what the MTA did, and by what the policy would do (or OPEN).
    `rules`: verdicts by rule and action.
    `open`: open verdicts by the possible actions.
    `refused`: mail that the MTA accepted and the policy would keep out.
    `without_helo`: verdicts without a HELO name.
    `with_temperror`: verdicts with a temporary DNS error in their facts.
    `relayed`: verdicts on mail that came through a relay."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.deliveries = self.verdicts = self.without_helo = self.with_temperror = self.relayed = 0
        self.matrix: Counter[tuple[str, str]] = Counter()
        self.rules: Counter[tuple[str, str]] = Counter()
        self.open: Counter[tuple[str, ...]] = Counter()
        self.refused: Movement[Outlook] = Movement()

    def add(self, outlooks: Sequence[Outlook], count: int) -> None:
        """Count the forecasts of one delivery. `count`: how often the delivery is in the log."""
        self.deliveries += count
        for outlook in outlooks:
            self._add(outlook, count)

    def _add(self, outlook: Outlook, count: int) -> None:
        delivery, verdict = outlook.delivery, outlook.verdict
        self.verdicts += count
        self.matrix[delivery.outcome, outlook.action] += count
        self.without_helo += count * (delivery.helo is None and not outlook.evidence.exempt)
        self.relayed += count * (outlook.evidence.via is not None)
        self.with_temperror += count * bool(facts_in_trouble(outlook.evidence))
        if outlook.action == OPEN:
            self.open[outlook.actions] += count
            return
        self.rules[verdict.rule if verdict.action == outlook.action else "", outlook.action] += count
        if delivery.outcome == ACCEPTED and outlook.action not in LET_IN:
            self.refused.add(delivery.client, delivery.sender, outlook, count)

    @property
    def accepted(self) -> int:
        """The number of verdicts on mail that the MTA accepted."""
        return sum(count for (was, _), count in self.matrix.items() if was == ACCEPTED)

    @property
    def share_refused(self) -> float | None:
        """The share of the mail accepted by the MTA that would certainly be kept out; None if the MTA accepted no mail."""
        return self.refused.count / self.accepted if self.accepted else None


def known_values(outlook: Outlook) -> Mapping[str, str]:
    """Return the known values by their keys in a log line. An absent text is ""."""
    found, unknown = values(_decision(outlook)), _unknown(outlook)
    return {key: "" if value is None else str(value) for key, value in found.items() if key not in unknown}


def known_line(outlook: Outlook, digest: str) -> str:
    """Return the line that the milter would log, without the keys whose values are not known. `digest`: of the policy."""
    return line(_decision(outlook, digest), without=_unknown(outlook))


def _decision(outlook: Outlook, digest: str = "") -> Decision:
    return Decision(outlook.verdict, outlook.evidence, (outlook.evidence.rcpt,), policy=digest)


def _unknown(outlook: Outlook) -> frozenset[str]:
    helo_name = {"helo_name"} if outlook.delivery.helo is None else set()
    return missing_facts(outlook.evidence) | helo_name


def warnings(forecast: Forecast, config: Config, limit: int, prefixes: PrefixForms | None = None) -> tuple[str, ...]:
    """Return what limits the numbers, one sentence each. `prefixes`: the forms of the lines in the log."""
    if not forecast.verdicts:
        return (_nothing(prefixes),)
    found = ["the lookups were made now; at the time of the mail DNS may have answered otherwise"]
    if forecast.without_helo:
        found.append(
            f"{forecast.without_helo:,} of {forecast.verdicts:,} verdicts were made without the HELO name, which is not in the log,"
            " and so without helo, helo_kind, helo_match, spf_helo, and spf_mailfrom of bounces; helo_own counts as no."
            " Postfix logs the HELO name of accepted mail only through WARN or HOLD in an access table"
        )
    tested = {condition.name for rule in forecast.policy.rules for condition in rule.when + rule.unless}
    if "tls" in tested:
        found.append("TLS is not in the log; judged as if no message had come by TLS")
    if "helo_own" in tested and not config.exempt.own:
        found.append(f"exempt.own_names is empty; the name of this host, {socket.gethostname()}, is taken as the MTA's")
    if forecast.with_temperror:
        found.append(
            f"{forecast.with_temperror:,} verdicts have temporary DNS errors (temperror) in their facts; a second run may differ"
        )
    if forecast.relayed:
        found.append(
            f"{forecast.relayed:,} verdicts are on mail that comes through a relay (relays.networks). The client behind it is not"
            " in the log, so such mail counts as accepted; the milter would accept, tag or quarantine it, never refuse or defer it"
        )
    if forecast.policy.mode == OBSERVE:
        found.append(OBSERVE_WARNING)
    if limit and forecast.deliveries >= limit:
        found.append(f"only the last {limit:,} deliveries were judged; --limit 0 judges all")
    return tuple(found)


def _nothing(prefixes: PrefixForms | None) -> str:
    if prefixes is None or prefixes.known:
        return "the log contains no mail from outside, neither of Postfix nor of Sendmail"
    return unrecognised(prefixes) if prefixes.unknown else "the log is empty: it contains no mail"


def as_dict(forecast: Forecast, most: int, notes: Sequence[str]) -> dict[str, Any]:
    """Return the result as values that `json.dumps` takes. `most`: how many clients and senders; `notes`: warnings and troubles."""
    share = forecast.share_refused
    columns = (*ACTIONS, OPEN)

    def written(outlook: Outlook) -> str:
        return known_line(outlook, forecast.policy.digest)[:MAX_EXAMPLE]

    return {
        "policy": forecast.policy.digest,
        "mode": forecast.policy.mode,
        "deliveries": forecast.deliveries,
        "verdicts": forecast.verdicts,
        "accepted": forecast.accepted,
        "share_refused": None if share is None else round(share, 6),
        "matrix": {was: {would: forecast.matrix[was, would] for would in columns} for was in OUTCOMES},
        "rules": [{"rule": rule, "action": action, "count": n} for (rule, action), n in forecast.rules.most_common()],
        "open": [{"actions": list(actions), "count": n} for actions, n in forecast.open.most_common()],
        "without_helo": forecast.without_helo,
        TEMPERROR: forecast.with_temperror,
        "newly_refused": forecast.refused.as_dict(most, written),
        "warnings": list(notes),
    }
