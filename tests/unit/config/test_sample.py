"""The sample is the default configuration, and its rules do what their comments say, for every possible client."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from rdns_milter.checks.evidence import FACTS, LOOKED_UP, Evidence, Generic, Helo, Iprev, Spf
from rdns_milter.config.load import BUILT_IN, Config, load, parse
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.sample import sample
from rdns_milter.policy.decide import decide, possible_actions, reply_is_settled

POLICY = parse(sample(), BUILT_IN).policy
SHIPPED = Path(__file__).parents[3] / "etc" / "rdns-milter.toml"


def evidence(
    iprev: str = "pass",
    generic: str = "no",
    kind: str = "fqdn",
    helo: str = "pass",
    own: str = "no",
    spf_helo: str = "none",
    spf_mailfrom: str = "none",
    rcpt: str = "user@example.net",
) -> Evidence:
    return Evidence(
        helo_name="mx.example.com",
        mailfrom="a@example.com",
        rcpt=rcpt,
        iprev=Iprev(iprev, "confirmed"),
        generic=Generic(generic),
        helo=Helo(kind, own, helo, "none"),
        spf_helo=Spf(spf_helo),
        spf_mailfrom=Spf(spf_mailfrom),
        mailfrom_match="none",
    )


def test_the_shipped_file_is_the_sample() -> None:
    assert SHIPPED.read_bytes() == sample().encode()


def test_the_sample_is_the_default() -> None:
    config = parse(sample(), BUILT_IN)
    bare = parse("", BUILT_IN)
    assert replace(config, rules=(), policy=bare.policy) == bare == Config(policy=bare.policy)
    assert config.policy.rules
    assert load(str(SHIPPED)).policy == config.policy


def test_every_option_has_its_default_and_a_comment() -> None:
    tables = tomllib.loads(sample())
    assert list(tables) == [*SECTIONS, "lists", "dnslists", "rule"]
    lines = sample().split("\n")
    for name, section in SECTIONS.items():
        options = options_of(section).values()
        assert tables[name] == {option.key: option.default for option in options}
        assert list(tables[name]) == [option.key for option in options]
        for option in options:
            at = lines.index(
                next(line for line in lines[lines.index(f"[{name}]") :] if line.startswith(f"{option.key} = "))
            )
            assert lines[at - 1].startswith("# ")


def test_the_sample_fits_a_terminal() -> None:
    assert max(map(len, sample().split("\n"))) <= 120
    assert sample().isascii()


def test_the_example_in_the_comments_is_valid(tmp_path: Path) -> None:
    (tmp_path / "partners").write_text("192.0.2.0/24\n")
    head, _, example = sample().rpartition("# [[rule]]")
    rule = "\n".join(line.removeprefix("# ") for line in ("# [[rule]]" + example).split("\n"))
    text = head.replace('# partners = "/etc/rdns-milter/partners.cidr"', "partners = 'partners'") + rule
    config = parse(text, str(tmp_path / "x.toml"))
    assert len(config.policy.rules) == len(POLICY.rules) + 1
    assert config.policy.rules[-1].shadow


@pytest.mark.parametrize("rcpt", ["postmaster@example.net", "Postmaster", "ABUSE@example.org"])
def test_postmaster_and_abuse_can_be_reached_by_anyone(rcpt: str) -> None:
    worst = evidence("permerror", "none", "missing", "none", "yes", "fail", "fail", rcpt)
    assert decide(worst, POLICY).rule == "postmaster"
    assert reply_is_settled(Evidence(rcpt=rcpt), POLICY)


@pytest.mark.parametrize(
    ("client", "action", "rule"),
    [
        (evidence(), "accept", "default"),
        (evidence(spf_mailfrom="pass"), "accept", "default"),
        (evidence(helo="fail"), "accept", "default"),
        (evidence(helo="permerror"), "accept", "default"),
        (evidence(kind="literal"), "accept", "default"),
        (evidence(spf_mailfrom="neutral"), "accept", "default"),
        (evidence(spf_helo="softfail"), "accept", "default"),
        (evidence(own="yes"), "reject", "forged-own-name"),
        (evidence("permerror", "none", helo="fail"), "reject", "nothing-confirmed"),
        (evidence("fail", helo="permerror"), "reject", "nothing-confirmed"),
        (evidence("fail", kind="missing", helo="none"), "reject", "nothing-confirmed"),
        (evidence("fail", helo="fail", spf_mailfrom="softfail"), "reject", "nothing-confirmed"),
        (evidence("fail", helo="fail", spf_mailfrom="pass"), "tag", "unconfirmed-name"),
        (evidence("permerror", "none", helo="fail", spf_helo="pass"), "tag", "no-reverse-name"),
        (evidence("permerror", "none"), "tag", "no-reverse-name"),
        (evidence("permerror", "none", spf_mailfrom="fail"), "reject", "spf-fail-unconfirmed"),
        (evidence("fail", spf_mailfrom="fail"), "reject", "spf-fail-unconfirmed"),
        (evidence("fail"), "tag", "unconfirmed-name"),
        (evidence(spf_mailfrom="fail"), "tag", "spf-fail"),
        (evidence(spf_helo="fail"), "tag", "spf-helo-fail"),
        (evidence(generic="yes"), "tag", "generic-name"),
        (evidence("fail", generic="yes"), "tag", "generic-name"),
        (evidence(generic="yes", spf_mailfrom="pass"), "accept", "default"),
        (evidence(generic="yes", spf_helo="pass"), "accept", "default"),
        (evidence(kind="invalid", helo="none"), "tag", "malformed-helo"),
        (evidence(kind="missing", helo="none"), "tag", "malformed-helo"),
        (evidence(kind="address"), "tag", "malformed-helo"),
        (evidence(kind="unqualified"), "tag", "malformed-helo"),
        (evidence(spf_mailfrom="softfail"), "tag", "spf-softfail"),
        (evidence(spf_mailfrom="permerror"), "tag", "spf-permerror"),
        (evidence("temperror", "none"), "accept", "default"),
        (evidence("temperror", "none", helo="fail"), "accept", "default"),
        (evidence("temperror", "none", spf_mailfrom="fail"), "tag", "spf-fail"),
        (evidence(spf_mailfrom="temperror"), "accept", "default"),
        (evidence("permerror", "none", helo="fail", spf_mailfrom="temperror"), "tempfail", "nothing-confirmed"),
        (evidence("permerror", "none", helo="temperror"), "tempfail", "nothing-confirmed"),
    ],
)
def test_default_rules(client: Evidence, action: str, rule: str) -> None:
    verdict = decide(client, POLICY)
    assert (verdict.action, verdict.rule) == (action, rule)


def refused(own: str, iprev: str, helo: str, spf_helo: str, spf_mailfrom: str) -> bool:
    """Return whether the default rules refuse a client, in a simpler formulation."""
    if own == "yes":
        return True
    if iprev == "pass":
        return False
    return spf_mailfrom == "fail" or "pass" not in (helo, spf_helo, spf_mailfrom)


def every(fact: str) -> tuple[str, ...]:
    return FACTS[fact].words


def test_which_clients_are_refused() -> None:
    """Try all possible clients. Neither HELO (RFC 5321 4.1.4) nor a softfail (RFC 7208 8.5) alone is a reason to refuse."""
    facts = ("iprev", "helo_kind", "helo", "helo_own", "spf_helo", "spf_mailfrom")
    for iprev, kind, helo, own, spf_helo, spf_mailfrom in itertools.product(*map(every, facts)):
        if iprev == "none":  # exempt clients are not judged
            continue
        action = decide(evidence(iprev, "no", kind, helo, own, spf_helo, spf_mailfrom), POLICY).action
        words = (iprev, helo, spf_helo, spf_mailfrom)
        if "temperror" not in words:
            assert action in ("accept", "tag", "reject")
            assert (action == "reject") == refused(own, *words)
        elif action == "reject":
            assert all(refused(own, *answers) for answers in itertools.product(*map(could_be, LOOKED_UP, words)))
        else:
            assert action in ("accept", "tag", "tempfail")


def could_be(fact: str, word: str) -> tuple[str, ...]:
    """Return the values that the fact could have if DNS had answered."""
    return tuple(other for other in every(fact) if other != "temperror") if word == "temperror" else (word,)


@pytest.mark.parametrize("kind", every("helo_kind"))
def test_a_confirmed_name_decides_the_reply_before_other_lookups(kind: str) -> None:
    """The client need not wait for SPF and HELO."""
    known = Evidence(
        rcpt="user@example.net",
        mailfrom="a@example.com",
        iprev=Iprev("pass", "confirmed", ("mx.example.com",), ("mx.example.com",), 1),
        helo=Helo(kind, "no"),
    )
    assert possible_actions(known, POLICY) <= {"accept", "tag"}
    assert reply_is_settled(known, POLICY)


def test_an_own_name_is_refused_before_any_lookup() -> None:
    assert possible_actions(Evidence(rcpt="user@example.net", helo=Helo("fqdn", "yes")), POLICY) == {"reject"}
