"""Macros of SPF records (RFC 7208 7), and the names that they expand to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from rdns_milter.checks.spf_macros import (
    MAX_EXPANSION,
    MacroError,
    check_macros,
    cut_to_name,
    ends_in_domain,
    expand,
    is_domain,
    macro_values,
    name_in_answer,
    name_to_ask,
    validated_name,
)

SENDER = "strong-bad@email.example.com"
VALUES = macro_values(ip_address("192.0.2.3"), "strong-bad", "email.example.com", "mx.example.org")
VALUES |= {"d": "email.example.com", "p": "mx.example.org", "t": "1700000000"}
VALUES6 = macro_values(ip_address("2001:db8::cb01"), "strong-bad", "email.example.com", "mx.example.org")


def letter(name: str) -> str:
    """Return the value of a letter in the example of RFC 7208 7.4."""
    return VALUES[name]


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["b.v.example", "v.example"], "v.example"),
        (["other.example", "notv.example", "b.v.example", "a.v.example"], "b.v.example"),
        (["other.example", "notv.example"], "other.example"),
        ([], "unknown"),
    ],
)
def test_the_validated_name_is_the_domain_or_one_below_it_if_there_is_one(names: list[str], value: str) -> None:
    assert validated_name("v.example", names) == value


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        # RFC 7208 7.4
        ("%{s}", SENDER),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        # 7.1, 7.3
        ("a%%b%_c%-d", "a%b c%20d"),
        ("%%{d}", "%{d}"),
        ("%{S}", "strong-bad%40email.example.com"),
        ("%{D2R}", "example.email"),
        ("%{d99999999999999999999}", "email.example.com"),
        ("%{c} %{r} %{t}", "192.0.2.3 unknown 1700000000"),
        ("no macro", "no macro"),
        ("", ""),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, letter) == expanded


@pytest.mark.parametrize(
    "text",
    [
        "%",
        "%%%",
        "a%b",
        "%{",
        "%{}",
        "%{d",
        "%d}",
        "%(ir)",
        "%{x}",
        "%{d0}",
        "%{d00}",
        "%{d2!}",
        "%{s1.@-}",
        "%{rd}x%",
        "%{\u017f}",
    ],
)
def test_what_is_no_macro(text: str) -> None:
    with pytest.raises(MacroError):
        expand(text, letter)


def test_each_delimiter_splits_and_dots_join() -> None:
    assert expand("%{l.+,/_=-}", lambda _: "a.b+c,d/e_f=g-h") == "a.b.c.d.e.f.g.h"
    assert expand("%{l2r+-}", lambda _: "foo-bar+zip+quux") == "bar.foo"
    assert expand("%{l-}", lambda _: "a.b-c") == "a.b.c"


def test_expansion_is_bounded() -> None:
    assert len(expand("%{l}", lambda _: "x" * MAX_EXPANSION)) == MAX_EXPANSION
    with pytest.raises(MacroError):
        expand("%{l}%{l}", lambda _: "x" * (MAX_EXPANSION // 2 + 1))


def test_values_of_ipv6() -> None:
    assert VALUES6["i"] == "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1"
    assert (VALUES6["v"], VALUES6["c"]) == ("ip6", "2001:db8::cb01")


@pytest.mark.parametrize(
    ("helo", "value"),
    [
        ("mx.example.org", "mx.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("", "unknown"),
        ("a\r\nb", "unknown"),
        ("\udcff", "unknown"),
        ("x" * 300, "x" * 255),
    ],
)
def test_greeting(helo: str, value: str) -> None:
    found = macro_values(ip_address("192.0.2.1"), "a", "v.example", helo)["h"]
    assert found == value
    assert found.isascii()


@pytest.mark.parametrize("text", ["", "a", "%%", "a%_b%-", "%{d}", "%{D10R.-}", "%{l1r.+,/_=-}", "%%{d}", "=:/"])
def test_macro_string(text: str) -> None:
    check_macros(text, in_domain=True)


@pytest.mark.parametrize(
    "text", ["%", "a%b", "%%%", "%{", "%{x}", "%{d", "%{d0}", "%{d00r}", "%{d1!}", "a b", "a\tb", "\x7f", "\0"]
)
def test_no_macro_string(text: str) -> None:
    for in_domain in (True, False):
        with pytest.raises(MacroError):
            check_macros(text, in_domain)


@pytest.mark.parametrize("letter", "crtCRT")
def test_letters_of_explanations(letter: str) -> None:
    check_macros(f"%{{{letter}}}", in_domain=False)
    with pytest.raises(MacroError):
        check_macros(f"%{{{letter}}}", in_domain=True)


@pytest.mark.parametrize(
    "spec",
    ["a.example", "a.example.", ".a", "%{d}", "a.%{d}", "a%%", "a%_", "foo:bar/baz.example", "a.xn--zckzah", "x.a1", "x.1a",
     "x.a-b", "x.1-2", f"x.{'a' * 64}"],
)  # fmt: skip
def test_ends_in_domain(spec: str) -> None:
    assert ends_in_domain(spec)


@pytest.mark.parametrize(
    "spec",
    ["", "museum", "museum.",
     "a.123", "a.123.", "a.-com", "a.com-", "example.com:8080", "a..", "%{d}.1", "a.c_m", ".", "%%{d}", "a%%_",
     "%{d}/24"],
)  # fmt: skip
def test_ends_otherwise(spec: str) -> None:
    assert not ends_in_domain(spec)


def test_left_labels_are_cut() -> None:
    assert cut_to_name("a.example.") == "a.example"
    assert cut_to_name("a.example..") == "a.example."
    assert cut_to_name("a" * 300) == "a" * 300
    tail = "b" * 100 + "." + "c" * 152
    assert len(tail) == 253
    assert cut_to_name("a." + tail) == tail
    assert cut_to_name("z" * 400 + ".y." + tail) == tail
    assert cut_to_name("a." + tail + "d") == "c" * 152 + "d"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A.Example", "a.example"),
        ("a.example.", ""),
        ("a b%20c.example", "a b%20c.example"),
        ("com", "com"),
        ("x" * 63 + ".example", "x" * 63 + ".example"),
        ("x" * 64 + ".example", ""),
        ("a..example", ""),
        (".a", ""),
        ("", ""),
        (".", ""),
        ("\u00e4.example", ""),
        ("a\n.example", ""),
        ("a.example\n", ""),
        ("a." * 126 + "b", "a." * 126 + "b"),
        ("a." * 126 + "bc", ""),
    ],
)
def test_name_to_ask(text: str, name: str) -> None:
    assert name_to_ask(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.example", "a.example"),
        ("a\\032b.example", "a b.example"),
        ("a\\@b.example", "a@b.example"),
        ("a\\\\b.example", "a\\b.example"),
        ("a\\.b.example", ""),
        ("a\\046b.example", ""),
        ("a\\010b.example", ""),
        ("a\\255b.example", ""),
        ("a\\999b.example", ""),
        ("", ""),
    ],
)
def test_name_in_answer(text: str, name: str) -> None:
    assert name_in_answer(text) == name


@pytest.mark.parametrize("name", ["a.example", "_a.example", "-a-.example", "a+b.example", "a.b.c.d.example", "a.1a"])
def test_is_domain(name: str) -> None:
    assert is_domain(name)


@pytest.mark.parametrize(
    "name",
    ["", "com", "a.", ".a", "a..b", "192.0.2.1", "[192.0.2.1]", "a b.c", "a\\b.c", "a@b.c", '"a".b', "\u00e4.b", "a\n.b", "a.b\n",
     "x" * 64 + ".b", "a." * 127 + "b"],
)  # fmt: skip
def test_is_no_domain(name: str) -> None:
    assert not is_domain(name)
