"""The SPF adaptor: what pyspf alone gets wrong, lets out or cannot bear (packaging/doc/platform.md 4), row by row."""

from __future__ import annotations

import pytest

from rdns_milter.checks.evidence import Spf
from rdns_milter.checks.spf import Limits
from rdns_milter.resolver.lookup import TEMPORARY, Question, Status, Type
from tests.kit.data.spf.case import CLIENT, CLIENT6, Case, check

MANY = "".join(f"m.v.example MX {n} m{n}.v.example\n" for n in range(11))
CHAIN = "".join(f"c{n}.v.example TXT v=spf1 include:c{n + 1}.v.example -all\n" for n in range(1, 11))
JUNK = "".join(f"{CLIENT} PTR junk{n}.example\n" for n in range(12))


CASES = (
    # Clients that pyspf's constructor cannot bear, or takes for something else (1.3)
    Case("mapped-client", "v=spf1 ip4:192.0.2.1 -all", "", "pass", client="::ffff:192.0.2.1"),
    Case("scoped-client", "v=spf1 ip6:fe80::/10 -all", "", "pass", client="fe80::1%eth0"),
    # Senders (1.3): which domain it is, and whether it is one
    Case("last-at", "v=spf1 -all", "", "fail", sender="a@b@v.example"),
    Case("quoted-at", "v=spf1 exists:%{l}.l.example -all", "", "fail", sender='"a@b"@v.example'),
    Case("final-dot", "v=spf1 -all", "", "fail", sender="a@v.example.", fact={"domain": "v.example"}),
    Case("two-final-dots", "v=spf1 -all", "", "none", sender="a@v.example..", asked=0, fact={"domain": ""}),
    Case("route", "v=spf1 -all", "", "fail", sender="<@r.example:a@v.example>"),
    Case("upper-case", "v=spf1 -all", "", "fail", sender="a@V.Example"),
    Case("literal", "v=spf1 -all", "", "none", sender="a@[192.0.2.9]", asked=0),
    Case("address", "v=spf1 -all", "", "none", sender="a@192.0.2.9", asked=0),
    Case("one-label", "v=spf1 -all", "", "none", sender="a@localhost", asked=0),
    Case("no-domain", "v=spf1 -all", "", "none", sender="postmaster", asked=0),
    Case("empty-label", "v=spf1 -all", "", "none", sender="a@b..v.example", asked=0),
    Case("long-label", "v=spf1 -all", "", "none", sender=f"a@{'b' * 64}.example", asked=0),
    Case("long-name", "v=spf1 -all", "", "none", sender=f"a@{'b.' * 125}example", asked=0),
    Case("escape-is-no-octet", "v=spf1 +all", "", "none", sender="a@\\118.example", asked=1),
    Case("blank", "v=spf1 -all", "", "none", sender="a@b c.example", asked=0),
    Case("underscore", "", "_s.v.example TXT v=spf1 -all", "fail", sender="a@_s.v.example"),
    Case("odd-name-under-wildcard", "", "*.v.example TXT v=spf1 -all", "fail", sender="a@-x+y.v.example"),
    Case("percent-in-domain", "", "*.v.example TXT v=spf1 a -all", "fail", sender="a@%{d}.v.example"),
    Case("u-label", "", "xn--bcher-kva.example TXT v=spf1 -all", "fail", sender="a@b\u00fccher.example"),
    Case("no-local-part", "v=spf1 exists:%{l}.v.example -all", "postmaster.v.example A 192.0.2.9", "pass", sender="@v.example"),
    # Local parts outside ASCII match nothing (RFC 8616 4), and break nothing
    Case("eai-exists", "v=spf1 exists:%{l}.v.example -all", "*.v.example A 192.0.2.9", "fail", sender="\u00e4@v.example"),
    Case("eai-include", "v=spf1 include:%{l}.v.example -all", "*.v.example TXT v=spf1 +all", "fail", sender="\u00e4@v.example"),
    Case("eai-a", "v=spf1 a:%{s}.v.example/0 -all", "*.v.example A 192.0.2.9", "fail", sender="\u00e4@v.example"),
    Case("eai-redirect", "v=spf1 redirect=%{l}.v.example", "*.v.example TXT v=spf1 +all", "permerror", sender="\u00e4@v.example"),
    Case("eai-escaped", "v=spf1 exists:%{L}.v.example -all", "*.v.example A 192.0.2.9", "fail", sender="\u00e4@v.example"),
    Case("surrogates", "v=spf1 exists:%{l}.%{L}.v.example -all", "*.v.example A 192.0.2.9", "fail", sender="\udcff@v.example"),
    Case("ideographic-stop", "v=spf1 exists:%{l}.v.example -all", "*.v.example A 192.0.2.9", "fail", sender="a\u3002b@v.example"),
    Case("backslash", "v=spf1 exists:%{l}.v.example -all", "*.v.example A 192.0.2.9", "pass", sender="\\999@v.example"),
    Case("dots", "v=spf1 exists:%{l}.v.example -all", "*.v.example A 192.0.2.9", "fail", sender="..@v.example"),
    Case("long-local-part", "v=spf1 exists:%{l}.v.example -all", "v.example A 192.0.2.9", "pass", sender=f"{'b' * 300}@v.example"),
    # What the client greets with must not break the sender's record
    Case("no-helo", "v=spf1 a:%{h} -all", "", "fail", helo=""),
    Case("helo-list", "v=spf1 -exists:%{h}.v.example +all", "", "pass", helo="list"),
    Case("helo-surrogates", "v=spf1 a:%{H} -all", "", "fail", helo="m\udcff"),
    Case("helo-long", "v=spf1 a:%{h} -all", "", "fail", helo="h." * 30_000),
    Case("helo-control", "v=spf1 a:%{h} -all", "", "fail", helo="h\r\nx"),
    # ptr and %{p}: a DNS error is no match (RFC 7208 5.5)
    Case("ptr", "v=spf1 ptr -all", f"{CLIENT} PTR h.v.example\nh.v.example A {CLIENT}", "pass"),
    Case("ptr-cname", "v=spf1 ptr -all", f"{CLIENT} CNAME p.v.example\np.v.example PTR v.example\nv.example A {CLIENT}", "pass"),
    Case("ptr-servfail", "v=spf1 ptr ip4:192.0.2.0/24 -all", f"{CLIENT} SERVFAIL", "pass"),
    Case("ptr-servfail-fail", "v=spf1 ptr -all", f"{CLIENT} SERVFAIL", "fail"),
    Case("ptr-one-servfail", "v=spf1 ptr -all",
         f"{CLIENT} PTR a.v.example\n{CLIENT} PTR b.v.example\na.v.example SERVFAIL\nb.v.example A {CLIENT}", "pass"),
    Case("ptr-all-silent", "v=spf1 ptr -all", f"{CLIENT} PTR a.v.example\na.v.example SILENT", "fail"),
    Case("ptr-sorted-cut", "v=spf1 ptr -all", f"{CLIENT} PTR a.v.example\na.v.example A {CLIENT}\n{JUNK}", "pass"),
    Case("ptr-beyond-cut", "v=spf1 ptr -all", f"{CLIENT} PTR z.v.example\nz.v.example A {CLIENT}\n{JUNK}", "fail"),
    Case("ptr-junk-is-not-void", "v=spf1 ptr a:x.v.example a:y.v.example -all", JUNK, "fail"),
    Case("ptr-odd-octets", "v=spf1 ptr -all", f"{CLIENT} PTR a\\010b.v.example\n{CLIENT} PTR a\\.b.v.example", "fail"),
    Case("p-error", "v=spf1 exists:%{p}.v.example -all", f"{CLIENT} SERVFAIL\nunknown.v.example A 192.0.2.9", "pass"),
    Case("p-below-domain", "v=spf1 exists:%{p}.e.example -all",
         f"{CLIENT} PTR a.example\n{CLIENT} PTR h.v.example\na.example A {CLIENT}\nh.v.example A {CLIENT}\n"
         "h.v.example.e.example A 192.0.2.9", "pass"),
    Case("p-6", "v=spf1 exists:%{p}.e.example -all",
         f"{CLIENT6} PTR a.example\na.example AAAA {CLIENT6}\na.example.e.example A 192.0.2.9", "pass", client=CLIENT6),
    # CNAMEs are the resolver's
    Case("cname-record", "", "v.example CNAME w.example\nw.example TXT v=spf1 -all", "fail"),
    Case("cname-address", "v=spf1 a:x.v.example -all", f"x.v.example CNAME w.example\nw.example A {CLIENT}", "pass"),
    Case("cname-loop", "v=spf1 include:x.v.example -all", "x.v.example CNAME y.v.example\ny.v.example CNAME x.v.example",
         "temperror", fact={"problem": "TXT of x.v.example: error"}),
    # Limits
    Case("void-two", "v=spf1 a:x.v.example a:y.v.example -all", "", "fail"),
    Case("void-three", "v=spf1 a:x.v.example a:y.v.example a:z.v.example -all", "", "permerror",
         fact={"problem": "More than 2 lookups found nothing"}),
    Case("void-none-allowed", "v=spf1 a:x.v.example -all", "", "permerror", limits=Limits(10, 0)),
    Case("void-more-allowed", "v=spf1 a:x.v.example a:y.v.example a:z.v.example -all", "", "fail", limits=Limits(10, 3)),
    Case("void-mx-6", "v=spf1 mx -all", "".join(f"v.example MX {n} m{n}.v.example\nm{n}.v.example A {CLIENT}\n" for n in range(3)),
         "permerror", client=CLIENT6),
    Case("void-mx-6-allowed", "v=spf1 mx -all",
         "".join(f"v.example MX {n} m{n}.v.example\nm{n}.v.example A {CLIENT}\n" for n in range(3)),
         "fail", client=CLIENT6, limits=Limits(10, 3)),
    Case("include-ten-deep", "v=spf1 include:c1.v.example -all", CHAIN.replace("c10.v.example TXT v=spf1 include:c11.v.example",
         f"c10.v.example TXT v=spf1 ip4:{CLIENT}"), "pass", asked=11),
    Case("include-eleven-deep", "v=spf1 include:c1.v.example -all", CHAIN + "c11.v.example TXT v=spf1 +all", "permerror"),
    Case("include-itself", "v=spf1 include:v.example -all", "", "permerror"),
    Case("include-loop", "v=spf1 include:w.example", "w.example TXT v=spf1 include:v.example", "permerror", asked=2),
    Case("terms-allowed", "v=spf1 a a a a -all", "v.example A 192.0.2.9", "fail", limits=Limits(4)),
    Case("terms-too-many", "v=spf1 a a a a -all", "v.example A 192.0.2.9", "permerror", limits=Limits(3),
         fact={"problem": "More than 3 terms that need lookups"}),
    Case("deeper-than-pyspf", "v=spf1 redirect=v.example", "", "permerror", limits=Limits(30)),
    Case("nested-deeper-than-pyspf", "v=spf1 include:w.example", "w.example TXT v=spf1 include:v.example", "permerror",
         limits=Limits(30), fact={"problem": "Too many levels of recursion"}),
    Case("mx-ten", "v=spf1 mx:m.v.example -all", MANY.replace("MX 10 ", "A ").replace("m10.v.example", "192.0.2.9")
         + f"m9.v.example A {CLIENT}", "pass", limits=Limits(10, 9)),
    Case("mx-eleven", "v=spf1 mx:m.v.example -all", MANY, "permerror", fact={"problem": "More than 10 MX records"}),
    # mx: in order of preference, and content with the first host that matches
    Case("mx-dead-behind-good", "v=spf1 mx -all",
         f"v.example MX 1 g.v.example\nv.example MX 2 d.v.example\ng.v.example A {CLIENT}\nd.v.example SILENT", "pass"),
    Case("mx-dead-before-good", "v=spf1 mx -all",
         f"v.example MX 2 g.v.example\nv.example MX 1 d.v.example\ng.v.example A {CLIENT}\nd.v.example SERVFAIL", "temperror",
         fact={"problem": "A of d.v.example: servfail"}),
    Case("mx-null", "v=spf1 mx -all", "v.example MX 0 .", "fail", asked=2),
    Case("mx-prefix", "v=spf1 mx/24//64 -all", f"v.example MX 1 g.v.example\ng.v.example AAAA {CLIENT6}:9", "pass", client=CLIENT6),
    # Which record it is
    Case("two-records", "v=spf1 -all", "v.example TXT v=spf1 +all", "permerror"),
    Case("other-texts", "v=spf1 -all", "".join(f"v.example TXT x{n}\n" for n in range(200)), "fail"),
    Case("empty-text", "v=spf1 -all", 'v.example TXT ""', "fail"),
    Case("not-spf1", "v=spf10 -all", "", "none"),
    Case("no-record", "", "v.example A 192.0.2.9", "none", fact={"domain": "v.example"}),
    Case("no-name", "", "", "none"),
    Case("not-ascii", "", 'v.example TXT "v=spf1 a:\\195\\164.example -all"', "permerror"),
    Case("non-ascii-other", "v=spf1 -all", 'v.example TXT "\\195\\164"', "fail"),
    # Temporary trouble, wherever it is needed
    Case("record-servfail", "", "v.example SERVFAIL", "temperror", fact={"problem": "TXT of v.example: servfail"}),
    Case("record-silent", "", "v.example SILENT", "temperror", fact={"problem": "TXT of v.example: timeout"}),
    Case("a-refused", "v=spf1 a:x.v.example -all", "x.v.example REFUSED", "temperror"),
    Case("exists-rcode", "v=spf1 exists:x.v.example -all", "x.v.example RCODE 9", "temperror"),
    Case("include-servfail", "v=spf1 include:x.v.example -all", "x.v.example SERVFAIL", "temperror"),
    Case("redirect-silent", "v=spf1 redirect=x.v.example", "x.v.example SILENT", "temperror"),
    Case("trouble-behind-a-match", f"v=spf1 ip4:{CLIENT} include:x.v.example -all", "x.v.example SILENT", "pass", asked=1),
    Case("trouble-behind-a-lookup", "v=spf1 a include:x.v.example -all", f"v.example A {CLIENT}\nx.v.example SILENT", "pass"),
    # What matched
    Case("mechanism", "v=spf1 ip4:192.0.2.0/24 -all", "", "pass", fact={"mechanism": "ip4:192.0.2.0/24"}),
    Case("mechanism-none", "v=spf1 ip4:192.0.9.0/24", "", "neutral", fact={"mechanism": ""}),
    Case("mechanism-redirected", "v=spf1 redirect=w.example", "w.example TXT v=spf1 ~all", "softfail",
         fact={"mechanism": "~all", "domain": "v.example"}),
    Case("mechanism-included", "v=spf1 include:w.example -all", f"w.example TXT v=spf1 ip4:{CLIENT} -all", "pass",
         fact={"mechanism": "include:w.example"}),
    Case("mechanism-bounded", f"v=spf1 ~exists:{'x.' * 150}example", "*.example A 192.0.2.9", "softfail",
         fact={"mechanism": f"~exists:{'x.' * 150}example"[:197] + "..."}),
    # Broken records
    Case("unknown-mechanism", "v=spf1 moo -all", "", "permerror", fact={"problem": "Unknown mechanism found: moo"}),
    Case("control-in-term", 'v=spf1 a:x\tb -all', "", "permerror"),
    Case("crlf-in-term", "", 'v.example TXT "v=spf1 moo\\013\\010X:1 -all"', "permerror",
         fact={"problem": "Unknown mechanism found: moo??X:1"}),
    Case("problem-bounded", f"v=spf1 {'m' * 500} -all", "", "permerror",
         fact={"problem": f"Unknown mechanism found: {'m' * 500}"[:197] + "..."}),
    Case("octal-in-ip4", "", 'v.example TXT "v=spf1 ip4:192.0.2.1\\010 -all"', "permerror"),
    Case("macro-unfinished", "v=spf1 exists:%{d.example -all", "", "permerror"),
    Case("macro-of-no-part", "v=spf1 exists:%{d0}.example -all", "", "permerror"),
    Case("macro-of-many-parts", f"v=spf1 exists:%{{d{'1' * 400}}}.e.example -all", "v.example.e.example A 192.0.2.9", "pass"),
    Case("prefix-of-many-digits", f"v=spf1 a/{'1' * 400} -all", "", "permerror"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    checked, lookup = check(case)
    assert checked.spf.result == case.result
    for key, value in case.fact.items():
        assert getattr(checked.spf, key) == value
    if case.asked is not None:
        assert len(lookup.begun) == case.asked


@pytest.mark.parametrize("status", sorted(TEMPORARY))
def test_every_temporary_status_is_temperror(status: Status) -> None:
    records: dict[Type, str] = {
        "TXT": "v=spf1 include:x.v.example",
        "A": "v=spf1 a:x.v.example",
        "MX": "v=spf1 mx:x.v.example",
    }
    for kind, record in records.items():
        statuses = {Question("x.v.example", kind): status}
        checked, _ = check(Case("", record, "", ""), statuses=statuses)
        assert checked.spf == Spf("temperror", "v.example", problem=f"{kind} of x.v.example: {status}")


@pytest.mark.parametrize("status", ["nxdomain", "nodata", "bad-name"])
def test_every_absent_status_is_an_absence(status: Status) -> None:
    checked, _ = check(Case("", "v=spf1 a:x.v.example -all", "", ""), statuses={Question("x.v.example", "A"): status})
    assert checked.spf.result == "fail"
    checked, _ = check(Case("", "", "", ""), statuses={Question("v.example", "TXT"): status})
    assert checked.spf.result == "none"


def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    dead = "".join(f"d{n}.v.example SILENT\n" for n in range(10))
    record = "v=spf1 " + " ".join(f"a:d{n}.v.example" for n in range(10)) + " -all"
    checked, lookup = check(Case("", record, dead, ""), deadline=1.0)
    assert checked.spf == Spf("temperror", "v.example", problem="A of d0.v.example: deadline")
    assert checked.ttl == 0.0
    assert lookup.now == 1.0
