"""packaging/doc/cookbook.md: every file that it shows is valid, every command exists with its options, and each rule does what its
recipe says."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest

from rdns_milter.cli.main import parser
from rdns_milter.config.load import parse
from rdns_milter.config.sample import sample
from rdns_milter.logs.decision_line import line
from rdns_milter.policy.decide import decide
from tests.kit.data import documents
from tests.kit.data.decisions import DECISION, EVIDENCE
from tests.kit.data.evidence import evidence

PAGE = (documents.ROOT / "packaging" / "doc" / "cookbook.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(rules|console|postfix)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RULES = [text for word, text in BLOCKS if word == "rules"]
COMMANDS = [line for word, text in BLOCKS if word == "console" for line in text.splitlines()]
# Programs of others, and the words after them that tests elsewhere hold.
OTHERS = (
    "systemctl",
    "journalctl",
    "postconf",
    "postfix",
    "postcat",
    "postsuper",
    "mailq",
    "sendmail",
    "apt",
    "cp",
    "echo",
)
DAY = date(2026, 11, 29)


def rule(name: str, tmp_path: Path) -> str:
    """The block that has this rule, its list beside it."""
    text: str = next(each for each in RULES if f'"{name}"' in each)
    (tmp_path / "partners.cidr").write_text("192.0.2.0/24  # partner.example, ticket 4711\n")
    return text.replace("/etc/rdns-milter/", f"{tmp_path}/")


def test_every_heading_is_in_the_list_of_recipes() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert re.findall(r"^- \[(.+)\]\(#", PAGE, re.MULTILINE) == headings
    assert headings[0] == "If mail stops"


@pytest.mark.parametrize("text", RULES)
def test_every_file_is_valid(text: str, tmp_path: Path) -> None:
    (tmp_path / "partners.cidr").write_text("192.0.2.0/24\n")
    parse(text.replace("/etc/rdns-milter/", f"{tmp_path}/"), "cookbook.toml")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_there(command: str) -> None:
    name, *arguments = shlex.split(command.partition(" && ")[0], comments=command.startswith("rdns-milter"))
    if name != "rdns-milter":
        assert name in OTHERS
        return
    parser().parse_args(arguments)


@pytest.mark.skipif(not Path("/usr/sbin/postconf").exists(), reason="no Postfix on this machine")
def test_postfix_knows_every_setting(tmp_path: Path) -> None:
    known = subprocess.run(["/usr/sbin/postconf", "-d"], check=True, capture_output=True, text=True, timeout=30).stdout
    names = re.findall(r"^(\w+) =", "".join(text for word, text in BLOCKS if word == "postfix"), re.MULTILINE)
    assert len(names) == 3
    assert all(re.search(rf"^{name} =", known, re.MULTILINE) for name in names)


def test_one_sender_is_let_in_until_that_day(tmp_path: Path) -> None:
    strict = '[[rule]]\nname = "own-name"\nwhen = { helo_own = "yes" }\naction = "reject"\n'
    policy = parse(f"{rule('let-in-partner', tmp_path)}\n{strict}", "c.toml").policy
    partner = replace(
        evidence(),
        client=ip_address("192.0.2.7"),
        mailfrom="anna@partner.example",
        helo=replace(evidence().helo, own="yes"),
    )
    assert decide(partner, policy.in_force(DAY)).rule == "let-in-partner"
    assert decide(replace(partner, mailfrom="anna@other.example"), policy.in_force(DAY)).action == "reject"
    assert decide(replace(partner, client=ip_address("192.0.2.8")), policy.in_force(DAY)).action == "reject"
    assert decide(partner, policy.in_force(date(2026, 12, 30))).action == "reject"


def test_partners_are_let_in_by_their_list(tmp_path: Path) -> None:
    policy = parse(rule("partners", tmp_path), "c.toml").policy
    assert decide(replace(evidence(), client=ip_address("192.0.2.99")), policy).rule == "partners"
    assert decide(replace(evidence(), client=ip_address("192.0.3.1")), policy).rule == "default"


def test_a_partner_at_a_provider_is_let_in_from_there(tmp_path: Path) -> None:
    policy = parse(rule("partner-at-provider", tmp_path), "c.toml").policy
    assert policy.providers == ("_spf.mailer.example",)
    partner = replace(evidence(), mailfrom="news@news.partner.example", client_spf=(("_spf.mailer.example", "pass"),))
    assert decide(partner, policy).rule == "partner-at-provider"
    assert decide(replace(partner, client_spf=(("_spf.mailer.example", "none"),)), policy).rule == "default"
    assert decide(replace(partner, mailfrom="news@other.example"), policy).rule == "default"


def test_a_shadow_is_logged_and_found(tmp_path: Path) -> None:
    policy = parse(rule("no-confirmed-name", tmp_path), "c.toml").policy
    verdict = decide(EVIDENCE, policy)
    assert verdict.action == "accept"
    (search,) = (re.search(r"-g '(.*)'", command) for command in COMMANDS if "shadow_rule" in command)
    assert search is not None
    assert re.search(search[1], line(replace(DECISION, verdict=verdict)))


def test_searches_of_the_journal_find_the_line() -> None:
    searches = [
        found[1] for command in COMMANDS if (found := re.search(r"-g '( (?:client|mailfrom|rcpt)=.*)'", command))
    ]
    assert len(searches) == 3
    decision = replace(DECISION, evidence=replace(EVIDENCE, rcpt="user@rcpt.example"), rcpts=("user@rcpt.example",))
    assert all(re.search(search, line(decision)) for search in searches)


def test_quarantine_is_what_the_rule_does(tmp_path: Path) -> None:
    policy = parse(rule("hold-generic", tmp_path), "c.toml").policy
    pool = replace(EVIDENCE, generic=replace(EVIDENCE.generic, result="yes"))
    assert decide(pool, policy).action == "quarantine"
    assert decide(EVIDENCE, policy).action == "accept"


@pytest.mark.parametrize("text", RULES)
def test_no_rule_has_the_name_of_a_default_rule(text: str) -> None:
    names = {each["name"] for each in tomllib.loads(text).get("rule", ())}
    assert not names & {each["name"] for each in tomllib.loads(sample())["rule"]}


@pytest.mark.parametrize("number", [number for number, text in enumerate(RULES) if "[exempt]" in text])
def test_loopback_stays_exempt(number: int) -> None:
    networks = parse(RULES[number], "c.toml").exempt.networks
    assert all(ip_address(address) in networks for address in ("127.0.0.1", "::1"))


@pytest.mark.skipif(not Path("/usr/sbin/postconf").exists(), reason="no Postfix on this machine")
def test_submission_asks_no_milter(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\nsmtpd_milters = inet:127.0.0.1:8895\n")
    (tmp_path / "master.cf").write_text("smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n")
    (command,) = (each for each in COMMANDS if each.startswith("postconf -P"))
    environment = {"MAIL_CONFIG": str(tmp_path), "PATH": "/usr/sbin:/usr/bin:/bin"}
    subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True, timeout=30)
    shown = subprocess.run(
        ["/usr/sbin/postconf", "-P"], env=environment, check=True, capture_output=True, text=True, timeout=30
    )
    assert shown.stdout == "submission/inet/smtpd_milters =\n"
