"""Valid configuration files: values, rules, lists, digest. Empty and missing files."""

from __future__ import annotations

import re
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from rdns_milter.cli.main import main
from rdns_milter.config import load as module
from rdns_milter.config.load import BUILT_IN, Config, ConfigError, load, parse, warnings
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.sample import sample
from rdns_milter.config.show import show
from rdns_milter.net.endpoints import Endpoint, SocketAddress
from rdns_milter.net.networks import Networks
from rdns_milter.policy.rules import Condition, Mailboxes, Names, Policy, Rule, Words

PATH = "/etc/x/rdns.toml"

FULL = r"""
[milter]
socket = "local:/run/rdns-milter/s"
socket_mode = 0o666
socket_group = "postfix"
user = "rdns-milter"
workers = 3
mode = "observe"
deadline = 25
[dns]
nameservers = ["127.0.0.1", "127.0.0.1:5353", "[::1]:53", "::1", "[2001:db8::1]"]
timeout = 1
[exempt]
networks = ["::ffff:192.0.2.0/120", "2001:DB8::1"]
authenticated = false
own_names = ["MX.Example.com.", "192.0.2.1", "[IPv6:2001:db8::1]", "bücher.example"]
[generic]
patterns = ['^adsl\d+\."x"', "Foo"]
exceptions = ["Example.com", ".example.org."]
[headers]
authserv_id = "mx.example.com"
tag = ""
[metrics]
listen = "[::1]:9415"
"""


def rules(text: str, path: str = PATH) -> tuple[Rule, ...]:
    return parse(text, path).policy.rules


def rule(*lines: str, name: str = "r") -> str:
    return "\n".join(("[[rule]]", f'name = "{name}"', *lines, ""))


def values(line: str) -> object:
    """Return the value of the only condition of a rule."""
    ((condition,),) = (found.when for found in rules(rule(f"when.{line}", "score = 1")))
    return condition.values


def test_an_empty_document_has_the_defaults_and_no_rule() -> None:
    assert parse("", PATH) == Config(PATH, policy=Policy((), "enforce", parse("", "").policy.digest))


def test_values_are_converted() -> None:
    config = parse(FULL, PATH)
    assert config.milter.socket == SocketAddress("unix", path="/run/rdns-milter/s")
    assert str(config.milter.socket) == "unix:/run/rdns-milter/s"
    assert (config.milter.socket_mode, config.milter.socket_group, config.milter.user) == (
        0o666,
        "postfix",
        "rdns-milter",
    )
    assert isinstance(config.milter.deadline, float)
    assert (config.milter.deadline, config.milter.workers, config.policy.mode) == (25.0, 3, "observe")
    local, other = Endpoint("127.0.0.1", 53), Endpoint("127.0.0.1", 5353)
    assert config.dns.nameservers == (
        local,
        other,
        Endpoint("::1", 53),
        Endpoint("::1", 53),
        Endpoint("2001:db8::1", 53),
    )
    assert config.exempt.networks == Networks((ip_network("192.0.2.0/24"), ip_network("2001:db8::1")))
    assert not config.exempt.authenticated
    assert config.exempt.own_names == ("mx.example.com", "xn--bcher-kva.example")
    assert config.exempt.own_addresses == (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
    assert [pattern.pattern for pattern in config.generic.patterns] == ['^adsl\\d+\\."x"', "Foo"]
    assert config.generic.patterns[1].search("a.foo.example")
    assert config.generic.exceptions == ("example.com", "example.org")
    assert (config.headers.authserv_id, config.headers.tag) == ("mx.example.com", "")
    assert config.metrics.listen == Endpoint("::1", 9415)
    assert str(config.metrics.listen) == "[::1]:9415"


@pytest.mark.parametrize(
    ("written", "listener"),
    [
        ("inet:8895@127.0.0.1", SocketAddress("inet", "127.0.0.1", 8895)),
        ("inet:8895@localhost", SocketAddress("inet", "localhost", 8895)),
        ("inet:8895@0.0.0.0", SocketAddress("inet", "0.0.0.0", 8895)),
        ("inet6:8895@::1", SocketAddress("inet6", "::1", 8895)),
        ("inet6:8895@[::1]", SocketAddress("inet6", "::1", 8895)),
        ("unix:/run/x", SocketAddress("unix", path="/run/x")),
    ],
)
def test_sockets(written: str, listener: SocketAddress) -> None:
    assert parse(f'[milter]\nsocket = "{written}"\n', PATH).milter.socket == listener


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("iprev = 'fail'", Words(frozenset(("fail",)))),
        ("iprev = ['fail', 'permerror', 'fail']", Words(frozenset(("fail", "permerror")))),
        ("client = '192.0.2.7'", Networks((ip_network("192.0.2.7/32"),))),
        ("client = ['::ffff:192.0.2.7', '2001:db8::/32']", Networks((ip_network("192.0.2.7"), ip_network("2001:db8::/32")))),
        ("ptr = ['MX.Example.', '.Example.com']", Names(frozenset(("mx.example",)), frozenset((".example.com",)))),
        ("ptr = 'bücher.example'", Names(frozenset(("xn--bcher-kva.example",)))),
        ("helo_name = ['[127.0.0.1]', 'User', '.local']", Names(frozenset(("[127.0.0.1]", "user")), frozenset((".local",)))),
        ("mailfrom = '<>'", Mailboxes(null=True)),
        (
            "mailfrom = ['A.B@Example.com', 'News@', 'example.org', '.example.net', 'localhost']",
            Mailboxes(
                frozenset(("a.b@example.com",)),
                frozenset(("news",)),
                Names(frozenset(("example.org", "localhost")), frozenset((".example.net",))),
            ),
        ),
        ("rcpt = ['\"a@b\"@Example.com', 'x@[192.0.2.1]']", Mailboxes(frozenset(('a@b@example.com', "x@[192.0.2.1]")))),
        ("authenticated = false", False),
        ("tls = true", True),
        ("min_score = 0", 0.0),
    ],
)  # fmt: skip
def test_conditions(line: str, expected: object) -> None:
    found = values(line)
    assert found == expected
    assert type(found) is type(expected)


def test_a_rule_in_full() -> None:
    (found,) = rules(
        rule(
            "when = { iprev = 'fail' }",
            "unless = { helo = 'pass', tls = true }",
            "action = 'reject'",
            "shadow = true",
            "code = 554",
            "enhanced = '5.7.1'",
            "text = 'Sorry {client}: {advice}'",
            "until = '2026-12-31'",
        )
    )
    assert found == Rule(
        "r",
        (Condition("iprev", Words(frozenset(("fail",)))),),
        (Condition("helo", Words(frozenset(("pass",)))), Condition("tls", True)),
        "reject",
        0.0,
        True,
        554,
        "5.7.1",
        "Sorry {client}: {advice}",
        date(2026, 12, 31),
    )


def test_a_score() -> None:
    (found,) = rules(rule("score = -2"))
    assert (found.action, found.score) == ("", -2.0)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    (tmp_path / "partners.cidr").write_text(
        "\ufeff# ours\r\n192.0.2.0/24   # a\r\n\r\n  2001:db8::1\n", encoding="utf-8"
    )
    (tmp_path / "senders").write_text("a#b@example.com\nnews@\n#x@example.com\n")
    (tmp_path / "empty").write_text("# no entry yet\n")
    return tmp_path / "rdns.toml"


LISTS = "[lists]\npartners = 'partners.cidr'\nsenders = 'senders'\nempty = 'empty'\n"


def test_lists(listed: Path) -> None:
    text = LISTS + rule("when.client = ['@partners', '198.51.100.1']", "unless.mailfrom = '@senders'", "score = 1")
    config = parse(text, str(listed))
    (found,) = config.policy.rules
    networks = ("192.0.2.0/24", "2001:db8::1", "198.51.100.1")
    assert found.when == (Condition("client", Networks(map(ip_network, networks))),)
    assert found.unless == (Condition("mailfrom", Mailboxes(frozenset(("a#b@example.com",)), frozenset(("news",)))),)
    assert [(item.name, item.path) for item in config.lists] == [
        ("partners", str(listed.parent / "partners.cidr")),
        ("senders", str(listed.parent / "senders")),
        ("empty", str(listed.parent / "empty")),
    ]
    assert parse(show(config), config.path) == config


def test_an_empty_list_is_valid_and_matches_nothing(listed: Path) -> None:
    (found,) = rules(LISTS + rule("when.client = '@empty'", "unless.client = '@empty'", "score = 1"), str(listed))
    assert found.when == (Condition("client", Networks()),)


BASE = (
    LISTS
    + rule("when = { iprev = ['fail', 'permerror'], client = '@partners' }", "action = 'reject'")
    + rule("score = 1", name="s")
)


def test_the_digest_depends_on_the_meaning_of_the_rules_only(listed: Path) -> None:
    first = parse(BASE, str(listed)).policy.digest
    assert re.fullmatch("[0-9a-f]{6}", first)
    other = (
        rule('action = "reject" # no', "when.client = ['@p', '192.0.2.0/24']", "when.iprev = ['permerror', 'fail']")
        + rule("score = 1.0", name="s")
        + f"[milter]\nmode = 'observe'\n[lists]\np = '{listed.parent}/partners.cidr'\n"
    )
    assert parse(other, str(listed.parent / "other.toml")).policy.digest == first


def test_the_digest_is_the_same_in_all_versions() -> None:
    """Digests in old logs are compared with it, also those of other versions."""
    assert parse("", PATH).policy.digest == "4f53cd"
    assert parse(rule("when.iprev = 'fail'", "action = 'tag'"), PATH).policy.digest == "cb7719"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'fail', ", ""),
        ("reject", "tempfail"),
        ('"r"', '"q"'),
        ("score = 1", "score = 2"),
        ("'reject'", "'reject'\nshadow = true"),
        ("'reject'", "'reject'\nuntil = 2030-01-01"),
        ("'reject'", "'reject'\ntext = 'no'"),
        ("'@partners'", "'192.0.2.0/25'"),
        ("when", "unless"),
    ],
)
def test_the_digest_changes_with_the_rules(listed: Path, old: str, new: str) -> None:
    assert old in BASE
    assert parse(BASE.replace(old, new, 1), str(listed)).policy.digest != parse(BASE, str(listed)).policy.digest


def test_the_digest_changes_with_a_list_and_with_the_order_of_rules(listed: Path) -> None:
    first = parse(BASE, str(listed)).policy.digest
    (listed.parent / "partners.cidr").write_text("192.0.2.0/24\n")
    assert parse(BASE, str(listed)).policy.digest != first
    a, b = rule("when.iprev = 'fail'", "action = 'tag'", name="a"), rule("score = 1", name="b")
    assert parse(a + b, PATH).policy.digest != parse(b + a, PATH).policy.digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        FULL,
        sample(),
        rule("when = { 'iprev' = \"fail\" }", "unless = {}", "action = 'reject'", "text = 'a \"b\" \\ {client}'"),
        rule("action = 'accept'", "until = 2026-12-31"),
        rule("when = { mailfrom = ['\"a\\\"b\"@x.example', '<>'], tls = false, min_score = -1.5 }", "score = 1e3"),
    ],
)  # fmt: skip
def test_show_gives_the_same_config_again(text: str) -> None:
    config = parse(text, PATH)
    assert parse(show(config), PATH) == config
    assert show(parse(show(config), PATH)) == show(config)


def test_show_has_every_option_in_the_usual_notation() -> None:
    shown = show(parse(FULL, PATH))
    assert "socket_mode = 0o666\n" in shown
    assert 'networks = ["192.0.2.0/24", "2001:db8::1"]\n' in shown
    assert all(f"\n[{name}]\n" in shown for name in SECTIONS)


def test_show_only_what_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(parse(sample(), PATH), True).splitlines()[1:] == []
    assert show(parse("", PATH), True).splitlines()[2].startswith("# default rules that are not there: postmaster, ")
    spare = rule('when = { rcpt = "spare@" }', 'action = "accept"', name="spare")
    changed = sample().replace('mode = "enforce"', 'mode = "observe"', 1)
    head, *rest = changed.rpartition('[[rule]]\nname   = "spf-softfail"')
    path = tmp_path / "c.toml"
    path.write_text(f"{head}{spare}{''.join(rest)}")
    assert main(["config", "--show", "--changed", "-c", str(path)]) == 0
    shown = capsys.readouterr().out
    policy = load(str(path)).policy
    assert shown == (
        f'# "{path}", policy {policy.digest}: what is changed\n\n[milter]\nmode = "observe"\n\n'
        '[[rule]]\nname   = "spare"\nwhen   = { rcpt = "spare@" }\naction = "accept"\n'
    )
    for other in ("--check", "--lint", "--sample"):
        assert main(["config", other, "--changed", "-c", str(path)]) == 2
        assert "--changed goes with --show only" in capsys.readouterr().err


def test_show_only_what_is_changed_of_every_option() -> None:
    config = parse(FULL, PATH)
    for line in show(config, True).splitlines():
        assert line in show(config).splitlines() or line.startswith("#") or not line
    again = parse(show(config, True), PATH)
    assert all(getattr(again, name) == getattr(config, name) for name in (*SECTIONS, "lists", "policy"))


def test_warnings() -> None:
    ends = [("past", 1), ("today", 10), ("soon", 11), ("week", 17), ("later", 18)]
    text = "".join(rule("score = 1", f"until = 2026-03-{day:02}", name=name) for name, day in ends)
    assert warnings(parse(text, PATH), date(2026, 3, 10)) == (
        'rule "past" ended on 2026-03-01 and is no longer in force',
        'rule "today" ends today, on 2026-03-10',
        'rule "soon" ends in 1 day, on 2026-03-11',
        'rule "week" ends in 7 days, on 2026-03-17',
    )
    assert warnings(parse("", PATH), date(2026, 3, 10)) == ("there is no rule: every message is accepted",)
    assert warnings(parse(sample(), PATH), date(2026, 3, 10)) == ()


def test_load_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rdns-milter.toml"
    monkeypatch.setattr(module, "DEFAULT_PATH", str(path))
    assert load() == parse(sample(), BUILT_IN)
    path.write_text("[milter]\nworkers = 7\n")
    assert (load().path, load().milter.workers) == (str(path), 7)
    path.write_text("[milter]\nworkers = '7'\n")
    with pytest.raises(ConfigError):
        load()


def test_load_with_a_path_never_falls_back(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(str(tmp_path / "rdns-milter.toml"))


@pytest.mark.parametrize(
    "document", ["", "\ufeff", "\n \n", "# only a comment\n", "[milter]\n[lists]\n", "rule = []\n"]
)
@pytest.mark.parametrize("is_default", [True, False])
def test_an_empty_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, document: str, is_default: bool
) -> None:
    """An editor or a copy that was interrupted leaves such a file. It must not turn the milter off."""
    path = tmp_path / "rdns-milter.toml"
    path.write_text(document, "utf-8")
    monkeypatch.setattr(module, "DEFAULT_PATH", str(path))
    with pytest.raises(ConfigError) as caught:
        load(None if is_default else str(path))
    assert str(caught.value) == f"{path}: is empty: it sets no option and has no rule"


@pytest.mark.parametrize("document", ['[milter]\nmode = "enforce"\n', "[dns]\nnameservers = []\n", rule("score = 1")])
def test_a_file_that_sets_anything_is_not_empty(tmp_path: Path, document: str) -> None:
    path = tmp_path / "rdns-milter.toml"
    path.write_text(document)
    assert load(str(path)).path == str(path)


@pytest.mark.parametrize(
    ("written", "ids", "shown"),
    [
        ('""', (), '""'),
        ("[]", (), '""'),
        ('"mx.example.com"', ("mx.example.com",), '"mx.example.com"'),
        ('["mx.example.com"]', ("mx.example.com",), '"mx.example.com"'),
        ('["mx.example.com", "old.example"]', ("mx.example.com", "old.example"), '["mx.example.com", "old.example"]'),
        ('"b\u00fccher.example"', ("xn--bcher-kva.example",), '"xn--bcher-kva.example"'),
    ],
)
def test_an_authserv_id_or_several(written: str, ids: tuple[str, ...], shown: str) -> None:
    headers = parse(f"[headers]\nauthserv_id = {written}\n", "x.toml").headers
    assert headers.authserv_ids == ids
    assert headers.authserv_id == (ids[0] if ids else "")
    assert options_of(type(headers))["authserv_ids"].toml(ids) == shown
