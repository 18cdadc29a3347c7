"""All errors in a configuration file are reported at once, each with its line and key."""

from __future__ import annotations

import pytest

from rdns_milter.config.load import ConfigError, Error, parse
from rdns_milter.config.rule_reader import MAX_RULES

FILE = "rdns.toml"


def config_errors(text: str, path: str = FILE) -> tuple[Error, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text, path)
    assert caught.value.errors
    assert str(caught.value).splitlines() == [str(error) for error in caught.value.errors]
    return caught.value.errors


def rule(*lines: str, name: str = "r") -> str:
    """Return a [[rule]] table; `lines` begin on its third line."""
    return "\n".join(("[[rule]]", f'name = "{name}"', *lines, ""))


# Line, key and part of the message of an error.
Expected = tuple[int, str, str]

OPTIONS: list[tuple[str, Expected]] = [
    ("[milter\n", (1, "", "not valid TOML")),
    ("[milter]\nmode = enforce\n", (2, "", "write strings in quotes")),
    ("[milter]\nsocket_mode = 0660\n", (2, "", "0o660")),
    ("[dns]\nnameservers = [127.0.0.1]\n", (2, "", "not valid TOML")),
    ("[dns]\ntries = 1\ntries = 2\n", (3, "", "Cannot overwrite a value")),
    ('[[rule]]\nwhen = { iprev = "fail",\n  helo = "fail" }\n', (2, "", "write a table in braces on one line")),
    ('[dns]\ntries = 1\nnameservers = ["127.0.0.1"\n', (3, "", "the file ends here")),
    ("x = " + "[" * 5000, (0, "", "nested too deeply")),
    ("[dns]\ntries = " + "1" * 5000, (0, "", "not valid TOML")),
    ("\ud800 = 1", (1, "", "is not Unicode text")),
    ("[milter]\nsokcet = 1\n", (2, "milter.sokcet", 'unknown key; did you mean "socket"?')),
    ("[millter]\n", (1, "millter", 'unknown section; did you mean "milter"?')),
    ("[[rules]]\n", (1, "rules", 'did you mean "rule"?')),
    ("deadline = 3\n", (1, "deadline", "it belongs in [milter]")),
    ("frobnicate = 3\n", (1, "frobnicate", "a key outside any section")),
    ("[dns]\nmode = 'enforce'\n", (2, "dns.mode", "it belongs in [milter]")),
    ("milter = 3\n", (1, "milter", "write [milter]")),
    ("[[dns]]\n", (1, "dns", "write [dns]")),
    ('[milter]\n"a b" = 1\n', (2, 'milter."a b"', "unknown key")),
    ("[milter]\nmode = 'observed'\n", (2, "milter.mode", 'did you mean "observe"?')),
    ("[milter]\nmode = 'zzz'\n", (2, "milter.mode", "valid: enforce, observe")),
    ("[milter]\nworkers = true\n", (2, "milter.workers", "must be a whole number from 0 to 256, not true")),
    ("[milter]\nworkers = 2.0\n", (2, "milter.workers", "not 2.0")),
    ("[milter]\nworkers = -1\n", (2, "milter.workers", "-1 is outside 0 to 256")),
    ("[milter]\ndeadline = 25.1\n", (2, "milter.deadline", "25.1 is above 25 seconds: the MTA gives up")),
    ("[milter]\ndeadline = 0\n", (2, "milter.deadline", "0 is not above 0")),
    ("[milter]\ndeadline = nan\n", (2, "milter.deadline", "nan is not above 0")),
    ("[milter]\ndeadline = inf\n", (2, "milter.deadline", "inf is above 25")),
    ("[milter]\ndeadline = '6'\n", (2, "milter.deadline", "must be a number of seconds")),
    ("[milter]\nsocket_mode = 660\n", (2, "milter.socket_mode", "as in 0o660")),
    ("[milter]\nuser = 'a b'\n", (2, "milter.user", "is not the name of a user")),
    ("[milter]\nsocket = 'inet:8895'\n", (2, "milter.socket", 'every address; name the host: "inet:8895@127.0.0.1"')),
    ("[milter]\nsocket = 'inet6:8895'\n", (2, "milter.socket", 'name the host: "inet6:8895@::1"')),
    ("[milter]\nsocket = 'inet:0@127.0.0.1'\n", (2, "milter.socket", "is not a port number (1 to 65535)")),
    ("[milter]\nsocket = 'inet:65536@127.0.0.1'\n", (2, "milter.socket", "is not a port number (1 to 65535)")),
    ("[milter]\nsocket = 'inet:8895@::1'\n", (2, "milter.socket", "is an IPv6 address")),
    ("[milter]\nsocket = 'inet6:8895@127.0.0.1'\n", (2, "milter.socket", "is an IPv4 address")),
    ("[milter]\nsocket = 'inet:8895@a b'\n", (2, "milter.socket", "neither an address nor a host name")),
    ("[milter]\nsocket = '127.0.0.1:8895'\n", (2, "milter.socket", "is not a socket address; write")),
    ("[milter]\nsocket = 'unix:run/x'\n", (2, "milter.socket", "is not an absolute path")),
    (f"[milter]\nsocket = 'unix:/{'x' * 107}'\n", (2, "milter.socket", "at most 107 bytes")),
    ("[dns]\nnameservers = '127.0.0.1'\n", (2, "dns.nameservers", 'write ["127.0.0.1"]')),
    ("[dns]\nnameservers = ['::1',\n 'localhost']\n", (3, "dns.nameservers", "not an address of a name server")),
    ("[dns]\nnameservers = ['127.0.0.1:x']\n", (2, "dns.nameservers", '"x" is not a port number')),
    ("[dns]\nnameservers = ['127.0.0.1:']\n", (2, "dns.nameservers", '"" is not a port number')),
    ("[dns]\nnat64 = ['64:ff9b::/95']\n", (2, "dns.nat64", "32, 40, 48, 56, 64 or 96 bits")),
    ("[dns]\nnat64 = [\n'64:ff9b::/96',\n'192.0.2.0/24']\n", (4, "dns.nat64", "is not the prefix of a translator")),
    ("[dns]\nnat64 = '64:ff9b::/96'\n", (2, "dns.nat64", 'write ["64:ff9b::/96"]')),
    ("[dns]\nnameservers = [53]\n", (2, "dns.nameservers", "not 53")),
    ("[dns]\nmax_ptr_names = 0\n", (2, "dns.max_ptr_names", "outside 1 to 100")),
    (f"[dns]\ncache_entries = {'9' * 400}\n", (2, "dns.cache_entries", "a number of that size is outside")),
    ("[dns]\ncache_min_ttl = 100\ncache_max_ttl = 10\n", (2, "dns.cache_min_ttl", "100 is above cache_max_ttl, 10")),
    (
        "[exempt]\nnetworks = [\n  '10.0.0.0/8',\n  # ours\n  '192.0.2.1/24',\n]\n",
        (5, "exempt.networks", 'did you mean the network "192.0.2.0/24" or the address "192.0.2.1"?'),
    ),
    ("[exempt]\nnetworks = ['10.0.0.0/33']\n", (2, "exempt.networks", "the prefix is longer")),
    ("[exempt]\nnetworks = ['10.0.0.0/255.0.0.0']\n", (2, "exempt.networks", "neither an address nor a network")),
    ("[exempt]\nnetworks = ['fe80::1%eth0']\n", (2, "exempt.networks", "neither an address nor a network")),
    ("[exempt]\nnetworks = ['mail.example.com']\n", (2, "exempt.networks", "neither an address nor a network")),
    ("[exempt]\nown_names = ['a b']\n", (2, "exempt.own_names", "neither a host name nor an address")),
    ("[exempt]\nauthenticated = 'yes'\n", (2, "exempt.authenticated", 'must be true or false, not "yes"')),
    ("[spf]\nlookup_limit = 1000\n", (2, "spf.lookup_limit", "outside 1 to 40")),
    ("[generic]\npatterns = ['a', '(']\n", (2, "generic.patterns", "is not a regular expression")),
    ("[generic]\npatterns = ['x*']\n", (2, "generic.patterns", "matches the empty string")),
    ("[generic]\nexceptions = ['*.example.com']\n", (2, "generic.exceptions", 'write ".example.com"')),
    ("[headers]\nauthserv_id = ['a.example',\n'a b']\n", (3, "headers.authserv_id", "is not an authserv-id")),
    ("[headers]\nauthserv_id = ['a.example', '']\n", (2, "headers.authserv_id", "is not an authserv-id")),
    ("[headers]\nauthserv_id = '\u2603.example'\n", (2, "headers.authserv_id", "is not an authserv-id")),
    ("[headers]\nauthserv_id = 5\n", (2, "headers.authserv_id", "a list of them")),
    ("[headers]\nauthserv_id = 'a; b'\n", (2, "headers.authserv_id", "is not an authserv-id")),
    ("[headers]\ntag = 'X Y'\n", (2, "headers.tag", "is not the name of a header field")),
    ("[headers]\ntag = 'Received'\n", (2, "headers.tag", "is a standard field")),
    ("[log]\nformat = 'jason'\n", (2, "log.format", 'did you mean "json"?')),
    ("[metrics]\nlisten = ':9415'\n", (2, "metrics.listen", 'name the host: "127.0.0.1:9415"')),
    ("[metrics]\nlisten = '9415'\n", (2, "metrics.listen", "is not HOST:PORT")),
    ("lists = 3\n", (1, "lists", "must be a table")),
    ("[lists]\na = 3\n", (2, "lists.a", "must be the path of a file")),
    ("[lists]\n'a b' = '/etc/passwd'\n", (2, 'lists."a b"', "the name of a list")),
    ("[lists]\na = '/nonexistent/a'\n", (2, "lists.a", "/nonexistent/a does not exist")),
    ("[lists]\na = '/'\n", (2, "lists.a", "/ is a directory")),
    ("[lists]\na = '/dev/null'\n", (2, "lists.a", "/dev/null is not a regular file")),
]  # fmt: skip

RULES: list[tuple[str, Expected]] = [
    ("[rule]\nname = 'r'\n", (1, "rule", "double brackets: [[rule]]")),
    ("rule = ['r']\n", (1, "rule[1]", "a rule is a table")),
    ("[[rule]]\naction = 'accept'\n", (1, "rule[1]", "has no name")),
    ("[[rule]]\nname = 'a b'\naction = 'tag'\n", (2, "rule[1].name", "is not a valid name")),
    (f"[[rule]]\nname = '{'x' * 65}'\naction = 'tag'\n", (2, "rule[1].name", "is not a valid name")),
    ("[[rule]]\nname = 'default'\naction = 'tag'\n", (2, "rule[default].name", "is reserved")),
    ("[[rule]]\nname = 3\naction = 'tag'\n", (2, "rule[1].name", "3 is not a valid name")),
    (rule("score = 1") + rule("score = 1"), (5, "rule[r].name", '"r" is already the name of the rule on line 1')),
    (rule(), (1, "rule[r]", "has neither action nor score")),
    (rule("action = 'tag'", "score = 1"), (4, "rule[r].score", "a rule with an action decides")),
    (rule("score = 1", "shadow = true"), (4, "rule[r].shadow", "has no effect without an action")),
    (rule("action = 'tag'", "shadow = 'yes'"), (4, "rule[r].shadow", "did you mean true?")),
    (rule("score = 0"), (3, "rule[r].score", "a score of 0 has no effect")),
    (rule("score = true"), (3, "rule[r].score", "must be a number, not true")),
    (rule("score = inf"), (3, "rule[r].score", "outside")),
    (rule("action = 'refuse'"), (3, "rule[r].action", "is not an action")),
    (rule("action = 'quarentine'"), (3, "rule[r].action", 'did you mean "quarantine"?')),
    (rule("acton = 'tag'", "score = 1"), (3, "rule[r].acton", 'unknown key; did you mean "action"?')),
    (rule("iprev = 'fail'", "score = 1"), (3, "rule[r].iprev", "write when = { iprev = ... }")),
    (rule("when = 'fail'", "score = 1"), (3, "rule[r].when", "must be a table of conditions")),
    (rule("when = { ipref = 'fail' }", "score = 1"), (3, "rule[r].when.ipref", 'did you mean "iprev"?')),
    (rule("when.helo = 'failed'", "score = 1"), (3, "rule[r].when.helo", 'did you mean "fail"?')),
    (rule("when = { iprev = [] }", "score = 1"), (3, "rule[r].when.iprev", "an empty list matches nothing")),
    (rule("when = { iprev = ['fail',", " 'non'] }", "score = 1"), (4, "rule[r].when.iprev", 'did you mean "none"?')),
    (rule("when = { helo_own = true }", "score = 1"), (3, "rule[r].when.helo_own", 'did you mean "yes"?')),
    (rule("when = { tls = 'yes' }", "score = 1"), (3, "rule[r].when.tls", "did you mean true?")),
    (rule("when = { tls = [true] }", "score = 1"), (3, "rule[r].when.tls", "not a list")),
    (rule("when = { min_score = '3' }", "score = 1"), (3, "rule[r].when.min_score", "must be a number")),
    (rule("when = { client = '192.0.2.9/28' }", "score = 1"), (3, "rule[r].when.client", '"192.0.2.0/28"')),
    (rule("when = { client = '@none' }", "score = 1"), (3, "rule[r].when.client", "[lists] is empty")),
    (rule("when = { ptr = '*.example.com' }", "score = 1"), (3, "rule[r].when.ptr", 'write ".example.com"')),
    (rule("when = { ptr = 'a..b' }", "score = 1"), (3, "rule[r].when.ptr", "neither a host name")),
    (rule("when = { helo_name = 'a b' }", "score = 1"), (3, "rule[r].when.helo_name", "neither a host name")),
    (rule("when = { rcpt = 'postmaster' }", "score = 1"), (3, "rule[r].when.rcpt", 'write "postmaster@"')),
    (rule("when = { rcpt = '<>' }", "score = 1"), (3, "rule[r].when.rcpt", "a recipient cannot be")),
    (rule("when = { mailfrom = '<a@b.example>' }", "score = 1"), (3, "rule[r].when.mailfrom", "without angle brackets")),
    (rule("when = { mailfrom = 'a@b c' }", "score = 1"), (3, "rule[r].when.mailfrom", "is not a mailbox")),
    (rule("when = { mailfrom = 'a b@c.example' }", "score = 1"), (3, "rule[r].when.mailfrom", "is not a mailbox")),
    (rule("action = 'reject'", "code = 451"), (4, "rule[r].code", "codes begin with 5")),
    (rule("action = 'tempfail'", "code = 550"), (4, "rule[r].code", "codes begin with 4")),
    (rule("action = 'reject'", "code = 250"), (4, "rule[r].code", "must be a number such as 550")),
    (rule("action = 'reject'", "enhanced = '4.7.1'"), (4, "rule[r].enhanced", "codes begin with 5")),
    (rule("action = 'reject'", "enhanced = '5.7'"), (4, "rule[r].enhanced", "must be an enhanced status code")),
    (rule("action = 'tag'", "text = 'x'"), (4, "rule[r].text", "only reject and tempfail")),
    (rule("score = 2", "code = 550"), (4, "rule[r].code", "a rule without action has no reply")),
    (rule("action = 'quarantine'", "enhanced = '5.7.1'"), (4, "rule[r].enhanced", "only reject and tempfail")),
    (rule("action = 'reject'", "text = 'no {clint}'"), (4, "rule[r].text", 'did you mean "{client}"?')),
    (rule("action = 'reject'", "text = 'no {client'"), (4, "rule[r].text", "a brace that is not part of a placeholder")),
    (rule("action = 'reject'", 'text = "a\\nb"'), (4, "rule[r].text", "one line of printable ASCII")),
    (rule("action = 'reject'", "text = 'schön'"), (4, "rule[r].text", "one line of printable ASCII")),
    (rule("action = 'reject'", f"text = '{'x' * 401}'"), (4, "rule[r].text", "401 characters")),
    (rule("action = 'reject'", "text = ' '"), (4, "rule[r].text", "must be the text of a reply")),
    (rule("action = 'tag'", "until = '31.12.2026'"), (4, "rule[r].until", "must be a date such as 2026-12-31")),
    (rule("action = 'tag'", "until = '2026-02-30'"), (4, "rule[r].until", "must be a date")),
    (rule("action = 'tag'", "until = 2026-12-31T00:00:00"), (4, "rule[r].until", "must be a date")),
    (
        rule("when = { spf_mailfrom = ['fail', 'temperror'] }", "action = 'reject'"),
        (3, "rule[r].when.spf_mailfrom", '"temperror" is a temporary DNS error'),
    ),
    (
        rule("when = { iprev_reason = ['no-ptr', 'timeout', 'servfail'] }", "action = 'quarantine'"),
        (3, "rule[r].when.iprev_reason", '"servfail", "timeout" is a temporary DNS error'),
    ),
]  # fmt: skip

NEVER_MATCHING: list[tuple[str, Expected]] = [
    (rule("when.iprev = 'pass'", "unless.iprev = ['pass', 'fail']", "score = 1"), (1, "rule[r]", "unless excludes every value")),
    (rule("when.iprev = 'pass'", "when.iprev_reason = 'no-ptr'", "score = 1"), (1, "rule[r]", "iprev, iprev_reason")),
    (rule("when.helo_kind = 'missing'", "when.helo = 'pass'", "score = 1"), (1, "rule[r]", "helo_kind, helo")),
    (rule("when.iprev = 'fail'", "when.ptr = 'a.example'", "score = 1"), (1, "rule[r]", "iprev, ptr")),
    (rule("when.iprev = 'fail'", "when.helo_match = 'same'", "score = 1"), (1, "rule[r]", "iprev, helo_match")),
    (rule("when.helo_kind = 'literal'", "when.spf_helo = 'pass'", "score = 1"), (1, "rule[r]", "helo_kind, spf_helo")),
    (rule("when.iprev_reason = 'no-ptr'", "when.generic = 'yes'", "score = 1"), (1, "rule[r]", "iprev_reason, generic")),
    (
        rule("when.helo_match = 'same'", "unless = { iprev = 'pass' }", "score = 1"),
        (1, "rule[r]", "no client can meet all of its conditions on helo_match, iprev"),
    ),
    (rule("unless.helo_own = ['yes', 'no']", "score = 1"), (1, "rule[r]", "conditions on helo_own")),
    (rule("when.tls = true", "unless.tls = true", "score = 1"), (1, "rule[r]", "every value of tls that when allows")),
    (
        rule("when.client = ['192.0.2.0/25', '192.0.2.200']", "unless.client = '192.0.2.0/24'", "score = 1"),
        (1, "rule[r]", "every value of client that when allows"),
    ),
    (
        rule("when.ptr = ['a.b.example', '.b.example']", "unless.ptr = ['.example']", "score = 1"),
        (1, "rule[r]", "every value of ptr that when allows"),
    ),
    (
        rule("when.mailfrom = ['a@b.example', '<>']", "unless.mailfrom = ['b.example', '<>']", "score = 1"),
        (1, "rule[r]", "every value of mailfrom that when allows"),
    ),
    (rule("when.rcpt = 'a@b.example'", "unless.rcpt = 'A@'", "score = 1"), (1, "rule[r]", "every value of rcpt that when allows")),
    (
        rule("action = 'accept'", name="all") + rule("when.iprev = 'fail'", "action = 'tag'"),
        (4, "rule[r]", 'rule "all" before it decides every message'),
    ),
    (
        rule("when.helo_own = ['no', 'yes']", "action = 'tag'", name="all") + rule("action = 'tag'", "shadow = true"),
        (5, "rule[r]", 'rule "all" before it'),
    ),
    (
        rule("score = 2", name="a") + rule("score = -3", name="b") + rule("when.min_score = 3", "action = 'tag'"),
        (7, "rule[r]", "add up to 2 at most"),
    ),
    (
        rule("score = 2", name="a") + rule("unless.min_score = 0", "action = 'tag'"),
        (4, "rule[r]", "a score of at least 0"),
    ),
    (rule("when.min_score = 2", "unless.min_score = 1", "score = 1"), (1, "rule[r]", "every value of min_score that when allows")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OPTIONS + RULES + NEVER_MATCHING)
def test_error(text: str, expected: Expected) -> None:
    (error,) = config_errors(text)
    assert (error.file, error.line, error.key) == (FILE, *expected[:2])
    assert expected[2] in error.message


POSSIBLE = [
    rule("when.client = '192.0.2.0/24'", "unless.client = '192.0.2.0/25'", "score = 1"),
    rule("when.ptr = '.example'", "unless.ptr = '.b.example'", "score = 1"),
    rule("when.mailfrom = 'b.example'", "unless.mailfrom = 'a@b.example'", "score = 1"),
    rule("when.iprev = ['pass', 'fail']", "when.iprev_reason = ['no-ptr', 'no-forward']", "score = 1"),
    rule("when.iprev = 'permerror'", "unless.generic = ['yes', 'no']", "score = 1"),
    rule("when.tls = true", "unless.authenticated = true", "score = 1"),
    rule("action = 'accept'", "until = 2026-12-31", name="a") + rule("action = 'tag'"),
    rule("action = 'accept'", "shadow = true", name="a") + rule("action = 'tag'"),
    rule("action = 'accept'", "when.iprev = ['pass', 'fail']", name="a") + rule("action = 'tag'"),
    rule("action = 'accept'", "unless.tls = true", name="a") + rule("action = 'tag'"),
    rule("score = 1.5", name="a") + rule("score = 1.5", name="b") + rule("when.min_score = 3", "action = 'tag'"),
    rule("when.min_score = 0", "action = 'tag'"),
    rule("when.spf_mailfrom = 'temperror'", "action = 'tempfail'", "code = 451", "enhanced = '4.4.3'"),
    rule("when.iprev = 'fail'", "unless.spf_mailfrom = 'temperror'", "action = 'reject'"),
]


@pytest.mark.parametrize("text", POSSIBLE)
def test_unusual_rules_that_are_valid(text: str) -> None:
    assert parse(text, FILE).policy.rules


def test_all_errors_of_a_file_in_the_order_of_lines() -> None:
    text = """\
[lists]
bad = "/nonexistent/list"
[dsn]
tries = 2
[milter]
mode = "obsrve"
deadline = 30
[exempt]
networks = ["::1", "10.0.0.1/8",
            "x"]
[[rule]]
name = "one"
when = { iprev = "fial", client = "@bda", hello = "x" }
action = "rejct"
[[rule]]
name = "one"
text = "{foo}"
[[rule]]
action = "accept"
"""
    assert [(error.line, error.key) for error in config_errors(text)] == [
        (2, "lists.bad"),
        (3, "dsn"),
        (6, "milter.mode"),
        (7, "milter.deadline"),
        (9, "exempt.networks"),
        (10, "exempt.networks"),
        (13, "rule[one].when.iprev"),
        (13, "rule[one].when.client"),
        (13, "rule[one].when.hello"),
        (14, "rule[one].action"),
        (15, "rule[one]"),
        (16, "rule[one].name"),
        (17, "rule[one].text"),
        (18, "rule[3]"),
    ]


def test_an_error_as_text() -> None:
    assert str(Error("a.toml", 3, "dns.tries", "is wrong")) == "a.toml:3: dns.tries: is wrong"
    assert str(Error("a.toml", 0, "", "is wrong")) == "a.toml: is wrong"
    assert str(Error("a\n.toml", 0, "x\x1b", "is wrong")) == "a\\n.toml: x\\x1b: is wrong"


def test_a_key_with_control_characters_stays_on_one_line() -> None:
    (error,) = config_errors('"a\\nb\\u001b" = 1\n')
    assert len(str(error).splitlines()) == 1
    assert str(error).isprintable()


def test_too_many_rules() -> None:
    text = "".join(rule("score = 1", name=f"r{number}") for number in range(MAX_RULES + 1))
    (error,) = config_errors(text)
    assert (error.line, error.message) == (3 * MAX_RULES + 1, "more than 1000 rules")
