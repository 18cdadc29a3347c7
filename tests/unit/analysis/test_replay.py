"""Replay gives the verdict that the policy gives on the evidence itself, line by line; hostile and cut lines change nothing; a
warning says what is not in the log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdns_milter.analysis.evaluator import Evaluator
from rdns_milter.analysis.replay import Replay, as_dict, sender_domain, warnings
from rdns_milter.checks.evidence import exempted
from rdns_milter.config.load import Config, load, parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_keys import Decision
from rdns_milter.logs.decision_line import line
from rdns_milter.logs.decision_line import parse as parse_line
from rdns_milter.logs.logged_evidence import evidence_of, rcpts_of
from rdns_milter.policy.decide import decide
from rdns_milter.policy.rules import ACTIONS, LET_IN, Policy
from tests.kit.data import random_log
from tests.kit.data.strategies import FORGERIES, HOSTS, MAILBOXES, decisions, hostile_text, policies

TODAY = date(2026, 11, 21)
ORDINARY = decisions(st.sampled_from((*HOSTS, *MAILBOXES)))
STRICT = """
[lists]

[[rule]]
name = "postmaster"
when = { rcpt = "postmaster@" }
action = "accept"

[[rule]]
name = "known"
when = { ptr = [".example.net"], mailfrom = ["dom1.example", ".net"] }
action = "accept"

[[rule]]
name = "network"
when = { client = ["198.51.0.0/20", "2001:db8::/112"] }
unless = { spf_mailfrom = "pass", helo_name = ["host3.example.net"] }
action = "tempfail"

[[rule]]
name = "doubts-1"
when = { helo = ["fail", "permerror"] }
score = 2

[[rule]]
name = "doubts-2"
when = { mailfrom = ["<>", "user3@dom7.example"] }
score = 1.5

[[rule]]
name = "doubts"
when = { min_score = 3 }
action = "quarantine"

[[rule]]
name = "trial"
when = { generic = "yes" }
action = "reject"
shadow = true

[[rule]]
name = "no-reverse-name"
when = { iprev = ["fail", "permerror"], spf_mailfrom = ["none", "neutral", "softfail", "permerror"] }
action = "reject"

[[rule]]
name = "spf"
when = { spf_mailfrom = ["fail", "softfail"] }
action = "reject"
"""


def config(rules: str = "", head: str = "") -> Config:
    return parse(head + rules, "new.toml")


def with_policy(policy: Policy) -> Config:
    return replace(Config(), policy=policy)


def replayed(new: Config, lines: Sequence[str], enforce: bool = False) -> Replay:
    replay = Replay(Evaluator(new, TODAY, enforce))
    for each in lines:
        replay.add(each)
    return replay


def decision_lines(policy: Policy, count: int, seed: int = 1) -> list[str]:
    return list(random_log.lines(policy, count, seed))


def test_200000_decisions_under_the_same_policy_change_nothing() -> None:
    default = load()
    replay = Replay(Evaluator(default, TODAY))
    for each in random_log.lines(default.policy, 200_000, different=20_000):
        replay.add(each)
    assert replay.lines == replay.decisions == replay.verdicts == 200_000
    assert replay.changed == replay.refused.count == replay.admitted.count == len(replay.changes) == 0
    assert sum(replay.matrix[action, action] for action in ACTIONS) == 200_000
    assert {action for action in ACTIONS if replay.matrix[action, action]} == {"accept", "tag", "tempfail", "reject"}
    assert warnings(replay) == ()


def test_under_a_stricter_policy_the_difference_is_what_that_policy_says_line_by_line() -> None:
    strict, default = config(STRICT), load()
    replay, judge = Replay(Evaluator(strict, TODAY)), Evaluator(strict, TODAY)
    matrix: Counter[tuple[str, str]] = Counter()
    rules: Counter[tuple[str, str]] = Counter()
    refused: Counter[str] = Counter()
    for number, decision in enumerate(random_log.decisions(default.policy, 20_000, seed=2)):
        text = line(decision, "json" if number % 3 == 0 else "logfmt")
        expected = decide(decision.evidence, strict.policy)
        fields = parse_line(text)
        assert fields is not None
        assert judge.verdict(fields, rcpts_of(fields)[0]) == expected
        replay.add(text)
        matrix[decision.verdict.action, expected.action] += 1
        rules[expected.rule, expected.action] += 1
        if decision.verdict.action in LET_IN and expected.action not in LET_IN:
            refused[str(decision.evidence.client)] += 1
    assert replay.matrix == matrix
    assert replay.rules == rules
    assert replay.refused.count == refused.total() > 3000
    assert replay.share_refused == refused.total() / sum(n for (was, _), n in matrix.items() if was in LET_IN)
    top = replay.refused.clients.top(10)
    assert sorted(entry.count for entry in top) == sorted(count for _, count in refused.most_common(10))
    for entry in top:
        fields = parse_line(entry.example or "")
        assert fields is not None
        assert (fields["client"], refused[entry.name]) == (entry.name, entry.count)
    assert {name for name, _ in replay.shadows} == {"trial"}
    assert len({expected for _, expected in matrix}) == 4


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(ORDINARY, max_size=4) | st.lists(decisions(hostile_text()), max_size=3),
    policies(but=frozenset({"authenticated", "tls"})),
    st.sampled_from(("logfmt", "json")),
)
def test_any_decision_by_any_policy_for_each_recipient(found: list[Decision], policy: Policy, form: str) -> None:
    """One evaluator judges all of them: its caches must not mix up what the policy tells apart."""
    judge = Evaluator(with_policy(policy), TODAY)
    for decision in found:
        fields = parse_line(line(decision, form))
        assert fields is not None
        for recipient in rcpts_of(fields) or ("",):
            expected = decide(replace(evidence_of(fields), rcpt=recipient), policy)
            assert judge.verdict(fields, recipient) == expected
            assert judge.verdict(fields, recipient) == expected


@given(policies(but=frozenset({"authenticated", "tls"})), st.integers(0, 9))
def test_the_same_policy_whatever_it_is_changes_nothing(policy: Policy, seed: int) -> None:
    replay = replayed(with_policy(policy), decision_lines(policy, 50, seed))
    assert (replay.verdicts, replay.changed) == (50, 0)


@given(ORDINARY, policies(), st.data())
def test_of_a_cut_line_only_what_is_certain_counts(decision: Decision, policy: Policy, data: st.DataObject) -> None:
    whole = line(decision)
    text = whole[: data.draw(st.integers(0, len(whole)))]
    replay = replayed(with_policy(policy), [text])
    fields = parse_line(text)
    assert replay.decisions == (fields is not None)
    assert replay.verdicts + replay.uncertain == (len(rcpts_of(fields) or ("",)) if fields else 0)
    assert replay.cut == (fields is not None and "reply" not in fields)
    but = {condition.name for rule in policy.rules for condition in rule.when + rule.unless}
    full = parse_line(whole)
    if fields and full and replay.verdicts and not but & {"authenticated", "tls"}:
        judge = Evaluator(with_policy(policy), TODAY)
        if rcpts_of(fields) == rcpts_of(full):
            for recipient in rcpts_of(full):
                said, truth = judge.verdict(fields, recipient), judge.verdict(full, recipient)
                assert truth is not None
                assert said is None or said.action == truth.action


def test_a_cut_line_is_left_out_with_a_warning() -> None:
    strict = config('[[rule]]\nname = "s"\nwhen = { spf_mailfrom = "fail" }\naction = "reject"\n')
    lines = [each[: each.index(" spf_mailfrom=")] for each in decision_lines(load().policy, 50)]
    replay = replayed(strict, [each for each in lines if "exempt:" not in each])
    assert replay.verdicts == 0
    assert replay.uncertain == replay.cut == replay.decisions > 40
    assert any("depend on spf_mailfrom" in text for text in warnings(replay))
    assert any("cut by a log daemon" in text for text in warnings(replay))
    # A policy that does not test it gives verdicts.
    other = config('[[rule]]\nname = "s"\nwhen = { generic = "yes" }\naction = "tag"\n')
    replay = replayed(other, lines)
    assert (replay.verdicts, replay.uncertain) == (50, 0)


def test_other_lines_and_forgeries_do_not_count() -> None:
    good = decision_lines(load().policy, 1)[0]
    others = [
        "",
        "Nov 21 01:02:03 mail postfix/smtpd[9]: connect from unknown[192.0.2.1]",
        "2026-11-21T01:02:03+00:00 mail evil[1]: " + good[good.index("action=") :],
        "rdns-milter[1]: listening at inet:8895@127.0.0.1",
        good.replace("action=", "xaction="),
        "action=\x00",
        "{" * 10_000,
        *FORGERIES[:6],
    ]
    replay = replayed(load(), [*others, good])
    assert (replay.lines, replay.decisions) == (len(others) + 1, 1)


@given(st.lists(hostile_text(300), max_size=5))
def test_never_raises_on_any_line(lines: list[str]) -> None:
    strict = config(STRICT)
    replay = replayed(strict, [*lines, *("action=reject rule=x " + text for text in lines)])
    assert json.loads(json.dumps(as_dict(replay, 5)))["lines"] == 2 * len(lines)


def test_each_recipient_is_judged_by_itself() -> None:
    new = config('[[rule]]\nname = "spared"\nwhen = { rcpt = "postmaster@" }\naction = "accept"\n'
                 '[[rule]]\nname = "all"\naction = "reject"\n')  # fmt: skip
    (decision,) = random_log.decisions(Policy(), 1)
    many = replace(decision, rcpts=("a@x.example", "postmaster@x.example", '"p,q"@x.example', "B@x.example"))
    replay = replayed(new, [line(many)])
    assert replay.matrix == {("accept", "reject"): 3, ("accept", "accept"): 1}
    assert replay.changes.top()[0].name == ("accept", "default", "reject", "all")


def test_recipients_that_are_in_no_line_are_counted() -> None:
    new = config('[[rule]]\nname = "spared"\nwhen = { rcpt = "postmaster@" }\naction = "accept"\n')
    (decision,) = random_log.decisions(Policy(), 1)
    text = line(replace(decision, rcpts=tuple(f"user{number}@{'x' * 60}.example" for number in range(100))))
    replay = replayed(new, [text])
    assert replay.verdicts + replay.unnamed == 100
    assert replay.unnamed > 50
    assert any("did not fit into their lines" in text for text in warnings(replay))
    for odd in ("٣", "1" * 40, "-5", "", "0"):
        assert replayed(new, [text.replace("nrcpt=100", f"nrcpt={odd}")]).unnamed == 0


def test_authenticated_and_tls_are_not_logged() -> None:
    new = config('[[rule]]\nname = "plain"\nwhen = { tls = false }\naction = "tag"\n'
                 '[[rule]]\nname = "users"\nunless = { authenticated = true }\naction = "tag"\n')  # fmt: skip
    (text,) = (each for each in warnings(replayed(new, decision_lines(load().policy, 3))) if "tls" in each)
    assert text.endswith(": plain, users")


RELAY = ip_address("203.0.113.5")
WITH_RELAY = '[relays]\nnetworks = ["203.0.113.0/28"]\n'


def relayed_decisions(policy: Policy, count: int) -> list[Decision]:
    """Return decisions on messages of which every other one comes through a relay, or is from the relay itself."""
    found = []
    for number, decision in enumerate(random_log.decisions(policy, count, seed=4)):
        evidence = decision.evidence if number % 2 else replace(decision.evidence, via=RELAY)
        if number % 20 == 0:
            evidence = exempted(replace(evidence, client=RELAY, via=RELAY), "relay")
        found.append(replace(decision, evidence=evidence, verdict=decide(evidence, policy), reply=""))
    return found


def test_through_relays_the_same_policy_changes_nothing_and_another_refuses_nothing() -> None:
    policy = load().policy
    decisions = relayed_decisions(policy, 2000)
    lines = [line(each, form) for each in decisions for form in ("logfmt", "json")]
    same = replayed(replace(parse(WITH_RELAY, "c.toml"), policy=policy), lines)
    assert (same.verdicts, same.changed, same.uncertain) == (4000, 0, 0)
    assert same.relayed.total() == 2000
    assert same.relayed["reject"] > 50 < same.relayed["tempfail"]
    strict = config(STRICT, WITH_RELAY)
    replay = replayed(strict, lines)
    direct = [each for each in decisions if each.evidence.via is None]
    expected = [decide(each.evidence, strict.policy).action for each in direct]
    was_in = sum(
        each.verdict.action in LET_IN and action not in LET_IN for each, action in zip(direct, expected, strict=True)
    )
    held = [
        each for each in decisions if each.evidence.via and decide(each.evidence, strict.policy).action == "quarantine"
    ]
    assert replay.refused.count == 2 * (was_in + sum(each.verdict.action in LET_IN for each in held))
    assert as_dict(replay, 5)["relayed"] == dict(replay.relayed) | {}
    assert warnings(same) == warnings(replay) == ()


def test_where_another_client_would_be_judged_there_is_no_verdict() -> None:
    """A relay that is none any more, and one that is new: the facts in the line are those of another client."""
    lines = [line(each) for each in relayed_decisions(load().policy, 200)]
    gone = replayed(load(), lines)
    assert (gone.verdicts, gone.uncertain, gone.others) == (100, 100, 100)
    client = next(random_log.decisions(load().policy, 1)).evidence.client
    new = config(STRICT, f'[relays]\nnetworks = ["203.0.113.0/28", "{client}"]\n')
    (direct,) = decision_lines(load().policy, 1)
    replay = replayed(new, [*lines, direct])
    assert (replay.verdicts, replay.uncertain, replay.others) == (200, 1, 1)
    assert any("relays.networks was another then" in text for text in warnings(replay))


def test_a_cut_line_is_not_taken_for_one_without_a_relay() -> None:
    """The key is behind the cut: with relays in the config it is not known whether the message was refused."""
    policy = load().policy
    lines = [line(each) for each in relayed_decisions(policy, 300)]
    cut = [each[: each.index(" client_spf=")] for each in lines if "exempt:" not in each]
    replay = replayed(replace(parse(WITH_RELAY, "c.toml"), policy=policy), cut)
    assert replay.cut == len(cut)
    assert {would for (_, would), count in replay.matrix.items() if count} <= {"accept", "tag"}
    assert replay.uncertain == sum(
        decide(each.evidence, policy).withheld != "" or decide(each.evidence, policy).action not in LET_IN
        for each in relayed_decisions(policy, 300)
        if not each.evidence.exempt
    )


def test_lines_of_the_last_release_are_judged_as_before() -> None:
    """Its lines have none of the keys client_spf, dnslist and via."""
    policy = load().policy
    lines = decision_lines(policy, 500)
    old = [each.replace(" client_spf=none dnslist=none via=none", "") for each in lines]
    assert all(len(before) < len(after) for before, after in zip(old, lines, strict=True))
    for new in (load(), config(STRICT), config(STRICT, WITH_RELAY)):
        before, after = replayed(new, old), replayed(new, lines)
        assert as_dict(before, 5)["matrix"] == as_dict(after, 5)["matrix"]
        assert warnings(before) == warnings(after) == ()


def test_observe_mode_and_enforce() -> None:
    observe = config(STRICT, '[milter]\nmode = "observe"\n')
    lines = decision_lines(observe.policy, 300)
    assert replayed(observe, lines).changed == 0
    assert any("--enforce" in text for text in warnings(replayed(observe, lines)))
    enforced = replayed(observe, lines, enforce=True)
    assert enforced.refused.count == replayed(config(STRICT), lines).refused.count > 50
    assert not any("--enforce" in text for text in warnings(enforced))


def test_rules_that_have_ended_by_today_do_not_count() -> None:
    rule = '[[rule]]\nname = "all"\naction = "reject"\nuntil = {}\n'
    lines = decision_lines(Policy(), 20)
    judged = sum("exempt:" not in each for each in lines)
    assert replayed(config(rule.format("2026-11-21")), lines).refused.count == judged > 0
    assert replayed(config(rule.format("2026-11-20")), lines).changed == 0


def test_clients_that_are_exempt_now_and_that_are_not_any_more() -> None:
    everything = '[[rule]]\nname = "all"\naction = "reject"\n'
    lines = decision_lines(Policy(), 400)
    judged = [each for each in lines if "exempt:" not in each]
    spared = replayed(config(everything, '[exempt]\nnetworks = ["198.51.0.0/16"]\n'), judged)
    assert spared.rules["exempt:network", "accept"] == sum(" client=198.51." in each for each in judged) > 100
    assert spared.rules["all", "reject"] == sum(" client=2001" in each for each in judged)
    strict = replayed(config(everything, "[exempt]\nnetworks = []\nauthenticated = false\n"), lines)
    assert strict.exempt == len(lines) - len(judged) > 5
    assert any("were exempt then" in text for text in warnings(strict))
    assert replayed(config(everything, '[exempt]\nnetworks = ["0.0.0.0/0", "::/0"]\n'), lines).exempt == 0


def test_generic_names_are_tested_again() -> None:
    new = config('[[rule]]\nname = "pool"\nwhen = { generic = "yes" }\naction = "reject"\n',
                 '[generic]\npatterns = ["^mx7"]\nexceptions = ["example.org"]\n')  # fmt: skip
    lines = [each for each in decision_lines(Policy(), 3000) if "exempt:" not in each]
    refused = [each for each in lines if replayed(new, [each]).refused.count]
    assert refused
    assert any(" ptr=mx7" in each for each in refused)
    assert not any(".example.org ptrs=" in each for each in refused)
    # Without a name the logged result stays.
    assert any(" ptr= " in each or " ptr=none " in each for each in refused)


def test_an_empty_log_and_one_without_accepted_mail() -> None:
    assert any("contains no decision" in text for text in warnings(replayed(load(), ["nothing here"])))
    refused = [each for each in decision_lines(load().policy, 200) if "action=reject" in each]
    replay = replayed(load(), refused)
    assert replay.share_refused is None
    assert any('log.decisions = "all"' in text for text in warnings(replay))


def test_sender_domains() -> None:
    assert [sender_domain(path) for path in ("a@B.example", "<>", "", "nobody", '"a@b"@c.example')] == [
        "b.example", "<>", "<>", "nobody", "c.example",
    ]  # fmt: skip


def test_json() -> None:
    lines = decision_lines(load().policy, 2000)
    found = as_dict(replayed(config(STRICT), lines), 3, ["x: cannot be read to its end"])
    assert json.loads(json.dumps(found)) == found
    assert found["verdicts"] == found["decisions"] == found["lines"] == 2000
    assert sum(sum(row.values()) for row in found["matrix"].values()) == 2000
    assert sum(entry["count"] for entry in found["rules"]) == 2000
    assert sum(entry["count"] for entry in found["changes"]) == found["changed"] > 0
    assert found["share_refused"] == pytest.approx(found["newly_refused"]["count"] / found["let_in"], abs=1e-6)
    assert len(found["newly_refused"]["clients"]) == len(found["newly_let_in"]["senders"]) == 3
    assert found["policies"] == [{"policy": load().policy.digest, "lines": 2000}]
    assert found["warnings"][-1] == "x: cannot be read to its end"
    assert parse(sample(), "").policy.digest == load().policy.digest
