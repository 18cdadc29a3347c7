"""The milter beside Debian's OpenDKIM, OpenDMARC, rspamd, SpamAssassin and Pigeonhole, with packaging/examples/neighbours.

These tests hold the two tables of packaging/doc/neighbours.md, which come from real runs: what each filter does with the same mail,
and what the wrong order or a missing option costs.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.kit.data import documents
from tests.kit.filters import milters, sieve
from tests.kit.filters.dkim import DkimKey
from tests.kit.mta import examples
from tests.kit.mta.fleet import program
from tests.kit.mta.postfix import SBIN, installed
from tests.mta.attached import DEFAULT_RULES
from tests.mta.neighbour_corpus import CORPUS, RELAY, relayed
from tests.mta.neighbour_stack import DEFAULT, OURS, Chain, Down, Outcome, Stack, Variant, smtpd_milters, stack

MISSING = milters.missing(*milters.PROGRAMS, sieve.PROGRAM)
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}"),
    pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)"),
]
GOOD, UNSIGNED, FORWARDED, _, _, FORGED, BOUNCE, FORGED_BOUNCE, USER, _, _, NOTHING, UNKNOWN = CORPUS
ACCEPT, TEMPFAIL = Down("accept"), Down("tempfail")
NO_SPF = {"SPFIgnoreResults": "true", "SPFSelfValidate": "false"}

# A change of the recommended set-up, the milters in their order, and the mail by which it shows.
COSTS: dict[str, tuple[Chain, str]] = {
    "rdns-milter behind the others": (("opendkim", "opendmarc", OURS), FORGED),
    "rdns-milter behind the others, once more": (("opendkim", "opendmarc", OURS), GOOD),
    "OpenDMARC before OpenDKIM": ((OURS, "opendmarc", "opendkim"), FORWARDED),
    "rdns-milter down, `default_action=accept`": ((ACCEPT, "opendkim", "opendmarc"), FORGED),
    "OpenDKIM down, `default_action=accept`": ((OURS, ACCEPT, "opendmarc"), FORWARDED),
    "OpenDMARC down, `default_action=accept`": ((OURS, "opendkim", ACCEPT), FORGED_BOUNCE),
    "rdns-milter down, `default_action=tempfail`": ((TEMPFAIL, "opendkim", "opendmarc"), GOOD),
    "OpenDKIM down, `default_action=tempfail`": ((OURS, TEMPFAIL, "opendmarc"), GOOD),
    "`SPFSelfValidate false`": ((OURS, "opendkim", "no_self_validation"), BOUNCE),
    "`SPFIgnoreResults true`, `SPFSelfValidate false`": ((OURS, "opendkim", "no_spf"), UNSIGNED),
    "`IgnoreAuthenticatedClients false`": ((OURS, "opendkim", "judges_users"), USER),
    "rdns-milter without the rule of `rules.toml`": ((DEFAULT, "opendkim", "opendmarc"), UNKNOWN),
    "`RemoveARAll yes` in OpenDKIM": ((OURS, "removes_all", "opendmarc"), GOOD),
    "rspamd: `remove` not set": ((OURS, "removes_default"), GOOD),
    "rspamd: `remove = 1`": ((OURS, "removes_first"), GOOD),
}
VARIANTS: dict[str, Variant] = {
    "no_self_validation": ("opendmarc", {"SPFSelfValidate": "false"}),
    "no_spf": ("opendmarc", NO_SPF),
    "judges_users": ("opendmarc", {"IgnoreAuthenticatedClients": "false"}),
    "removes_all": ("opendkim", {"RemoveARAll": "yes"}),
    "removes_default": ("rspamd", {"remove": None}),
    "removes_first": ("rspamd", {"remove": "1"}),
}
RECOMMENDED: dict[str, Chain] = {
    "dmarc": (OURS, "opendkim", "opendmarc"),
    "rspamd": (OURS, "rspamd"),
    "spamassassin": (OURS, "opendkim", "spamassassin"),
}
RELAYING: dict[str, Chain] = {
    "behind a relay": (OURS, "opendkim", "ignores_relay"),
    "rspamd behind a relay": (OURS, "knows_relay"),
}


def with_the_rule_for_neighbours() -> str:
    """Return the default rules with that of the example behind the first, where its comment says."""
    first, second = DEFAULT_RULES.split("[[rule]]\n")[1:3]
    assert '"postmaster"' in first
    assert '"postmaster"' not in second
    return DEFAULT_RULES.replace(first, f"{first}{examples.text('neighbours/rules.toml')}\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    key = DkimKey(tmp_path_factory.mktemp("dkim") / "key.pem")
    chains = RECOMMENDED | {change: chain for change, (chain, _) in COSTS.items()} | RELAYING
    ignored = tmp_path_factory.mktemp("opendmarc") / "ignore.hosts"
    ignored.write_text(f"127.0.0.1\n{RELAY.address}\n", "utf-8")
    ignored.parent.chmod(0o755)
    knows_relay = {"local.d/external_relay.conf": examples.text("neighbours/rspamd/external_relay.conf")}
    variants = VARIANTS | {
        "ignores_relay": ("opendmarc", {"IgnoreHosts": str(ignored)}),
        "knows_relay": ("rspamd", {"files": knows_relay}),
    }
    # Once in some 150 starts rspamd 3.4 did not check DMARC for as long as it ran.
    for tries in range(2):
        with stack(chains, key, with_the_rule_for_neighbours(), **variants) as started:
            if tries or all(
                "dmarc" in started.deliver(each, CORPUS[GOOD]).results() for each in chains if "rspamd" in each
            ):
                yield started
                return


def table(first: str) -> list[list[str]]:
    """Return the rows of a table of the page."""
    return documents.table(first)


def described(outcome: Outcome) -> str:
    """Return what became of a message, as the page has it."""
    if outcome.reply.code != 250:
        return f"{'refused' if outcome.reply.code // 100 == 5 else 'deferred'} ({outcome.reply.code} {outcome.reply.enhanced})"
    results = outcome.results()
    named = [
        f"`{method}={'/'.join(sorted(results[method]))}`"
        for method in ("iprev", "spf", "dkim", "dmarc")
        if method in results
    ]
    return f"accepted: {', '.join(named)}" if named else "accepted"


def ours(decision: dict[str, str], outcome: Outcome) -> str:
    """Return the cell of the milter's own verdict."""
    refused = decision["action"] in ("reject", "tempfail")
    rule = "" if decision["rule"] == "default" else f" `{decision['rule']}`"
    return f"{decision['action']}{rule}{f' ({outcome.reply.code})' if refused else ''}"


def by_opendmarc(outcome: Outcome) -> str:
    """Return the cell of OpenDMARC: its result, or that it has refused the message."""
    if outcome.reply.code != 250:
        assert "rejected by DMARC policy" in outcome.reply.text
        return described(outcome)
    (result,) = outcome.results().get("dmarc", {"not judged"})
    return result


def symbols(found: list[str], symbol: str) -> str:
    """Return the cell of the symbols of that form in the only one of these fields."""
    (field,) = found or [""]
    names = sorted(set(re.findall(rf"\b(?:{symbol})\b", field)))
    return ", ".join(f"`{name}`" for name in names) or "-"


@pytest.mark.parametrize("title", CORPUS)
def test_what_each_filter_does_with_the_same_mail(running: Stack, title: str) -> None:
    mail = CORPUS[title]
    decision, outcome = running.judge("dmarc", mail)
    found = [title, ours(decision, outcome)]
    if found[1].startswith(("reject", "tempfail")):
        found += ["-"] * 4
    else:
        rspamd, spamassassin = (running.deliver(chain, mail) for chain in ("rspamd", "spamassassin"))
        assert rspamd.reply.code == spamassassin.reply.code == 250
        assert ("iprev" in rspamd.results()) is (title != USER), "our field is kept"
        found += [
            by_opendmarc(outcome),
            symbols(rspamd.values("X-Spamd-Result"), "DMARC_POLICY_[A-Z]+|DMARC_NA|RDNS_MILTER_[A-Z]+"),
            symbols(spamassassin.values("X-Spam-Status"), "RDNS_MILTER_[A-Z]+"),
            sieve.folder(examples.text("neighbours/junk.sieve"), outcome.message) if outcome.message else "-",
        ]
    assert found in table("mail")


@pytest.mark.parametrize("change", COSTS)
def test_what_a_mistake_costs(running: Stack, change: str) -> None:
    chain, title = COSTS[change]
    usual = "rspamd" if chain[-1] in VARIANTS and VARIANTS[str(chain[-1])][0] == "rspamd" else "dmarc"
    found = [described(running.deliver(each, CORPUS[title])) for each in (change, usual)]
    assert found[0] != found[1]
    assert [change.removesuffix(", once more"), title, *found] in table("change")


def test_the_tables_have_no_other_rows() -> None:
    assert [cells[0] for cells in table("mail")] == list(CORPUS)
    assert len(table("change")) == len(COSTS)


def test_forged_results_are_gone_in_every_recommended_order(running: Stack) -> None:
    for chain in RECOMMENDED:
        outcome = running.deliver(chain, CORPUS[FORGED])
        assert outcome.reply.code == 550 or "pass" not in outcome.results()["spf"]


def test_mail_that_only_a_relay_kept_from_being_refused(running: Stack) -> None:
    """The relay has taken it, so no program in front of the mailbox may refuse it; the filters see the tag."""
    mail = relayed(CORPUS[NOTHING])
    decision, outcome = running.judge("behind a relay", mail)
    assert (decision["rule"], decision["action"], decision["would"]) == ("nothing-confirmed", "tag", "reject")
    assert sieve.folder(examples.text("neighbours/junk.sieve"), outcome.message) == "Junk"
    rspamd, spamassassin = (running.deliver(chain, mail) for chain in ("rspamd", "spamassassin"))
    assert symbols(rspamd.values("X-Spamd-Result"), "RDNS_MILTER_[A-Z]+") == "`RDNS_MILTER_REFUSED`"
    assert "`RDNS_MILTER_REFUSED`" in symbols(spamassassin.values("X-Spam-Status"), "RDNS_MILTER_[A-Z]+")


def test_opendmarc_refuses_mail_of_a_relay_unless_it_ignores_it(running: Stack) -> None:
    for title in (GOOD, UNSIGNED):
        outcome = running.deliver("dmarc", relayed(CORPUS[title]))
        assert outcome.results()["spf"] == {"pass"}, "that of the client, which OpenDMARC uses"
        assert outcome.results()["dmarc"] == {"pass"}
    assert running.deliver("dmarc", relayed(CORPUS[FORGED])).reply.code == 550
    outcome = running.deliver("behind a relay", relayed(CORPUS[FORGED]))
    assert outcome.reply.code == 250
    assert outcome.results()["spf"] == {"fail"}
    assert "dmarc" not in outcome.results()


def test_rspamd_takes_a_relay_for_the_client_unless_it_knows_it(running: Stack) -> None:
    found = {}
    for chain in ("rspamd", "rspamd behind a relay"):
        for title in (UNSIGNED, FORGED):
            outcome = running.deliver(chain, relayed(CORPUS[title]))
            found[chain, title] = symbols(outcome.values("X-Spamd-Result"), "DMARC_POLICY_[A-Z]+|R_SPF_[A-Z]+")
    assert found["rspamd", UNSIGNED] == "`DMARC_POLICY_REJECT`, `R_SPF_FAIL`"
    assert found["rspamd behind a relay", UNSIGNED] == "`DMARC_POLICY_ALLOW`, `R_SPF_ALLOW`"
    assert found["rspamd behind a relay", FORGED] == "`DMARC_POLICY_REJECT`, `R_SPF_FAIL`"


def test_opendmarc_checks_once_more_what_does_not_pass(running: Stack) -> None:
    fields = {
        title: running.deliver("dmarc", CORPUS[title]).values("Authentication-Results") for title in (GOOD, FORWARDED)
    }
    assert [sum("; spf=" in value for value in fields[title]) for title in (GOOD, FORWARDED)] == [1, 2]


def test_main_cf_is_the_order_that_is_tested(tmp_path: Path) -> None:
    settings: Mapping[str, str] = examples.settings("neighbours/main.cf")
    ports = {
        "opendkim": re.findall(r"^Socket +inet:(\d+)@127", examples.text("neighbours/opendkim.conf"), re.MULTILINE)[0],
        "opendmarc": re.findall(r"^Socket +inet:(\d+)@127", examples.text("neighbours/opendmarc.conf"), re.MULTILINE)[
            0
        ],
        OURS: "8895",
    }
    links = [(f"inet:127.0.0.1:{ports[str(link)]}", "tempfail") for link in RECOMMENDED["dmarc"]]
    assert settings["smtpd_milters"] == smtpd_milters(links)
    assert f"smtpd_milters = {settings['smtpd_milters']}\n" in documents.blocks("postfix")
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + examples.text("neighbours/main.cf"))
    os.utime(tmp_path / "main.cf", (0, 0))  # otherwise Postfix waits until it is two seconds old
    (tmp_path / "master.cf").write_text("")
    command = [f"{SBIN}/postconf", "-c", str(tmp_path), "-n", *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_spamassassin_takes_the_rules(tmp_path: Path) -> None:
    site = milters.spamassassin_site(tmp_path / "site", "mx.example.com")
    command = [program("spamassassin") or "spamassassin", "--lint", "--siteconfigpath", str(site)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
