"""The generic check on generic names and on names of mail servers. Addresses are for documentation (RFC 5737, 3849) or real."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdns_milter.checks import generic_words
from rdns_milter.checks.evidence import Generic
from rdns_milter.checks.generic import MAX_NAME, generic
from tests.kit.data import generic_kinds, generic_names

# Pattern, then names with their address.
POOLS = {
    "address:decimal": """
        dslb-203-000-113-077.pools.arcor-ip.net 203.0.113.77
        c-203-0-113-77.hsd1.il.comcast.net 203.0.113.77
        pool-203-0-113-77.nycmny.fios.verizon.net 203.0.113.77
        static-203-0-113-77.nycmny.fios.verizon.net 203.0.113.77
        cpe-203-0-113-77.socal.res.rr.com 203.0.113.77
        lns-bzn-46-82-253-208-248.adsl.proxad.net 82.253.208.248
        i203-0-113-77.s42.a014.ap.plala.or.jp 203.0.113.77
        203x0x113x77.ap203.ftth.ucom.ne.jp 203.0.113.77
        host-203-0-113-77.retail.telecomitalia.it 203.0.113.77
        203-0-113-77.user.vivozap.com.br 203.0.113.77
        203.0.113.77.dynamic.ttnet.com.tr 203.0.113.77
        broadband-203-0-113-77.ip.moscow.rt.ru 203.0.113.77
        triband-mum-203.0.113.77.mtnl.net.in 203.0.113.77
        203-0-113-77.broadband.corbina.ru 203.0.113.77
        ppp-223-24-162-214.revip6.asianet.co.th 223.24.162.214
        mx-ll-180.183.100-45.dynamic.3bb.co.th 180.183.100.45
        ec2-203-0-113-77.compute-1.amazonaws.com 203.0.113.77
        static.203-0-113-77.clients.your-server.de 203.0.113.77
        ip-203-0-113-77.ip.secureserver.net 203.0.113.77
        203.0.113.77.example.com 203.0.113.77
        mail.dyn-203-0-113-77.example.net 203.0.113.77
    """,
    "address:reversed": """
        138.193.65-86.rev.gaoland.net 86.65.193.138
        77.113.0.203.dyn.plus.net 203.0.113.77
        77.113.0.203.broad.gz.gd.dynamic.163data.com.cn 203.0.113.77
        77.113.0.203.bc.googleusercontent.com 203.0.113.77
        host77-113-dynamic.0-203-r.retail.telecomitalia.it 203.0.113.77
        pc-77-113-0-203.cm.vtr.net 203.0.113.77
        abts-mum-dynamic-143.144.179.122.airtelbroadband.in 122.179.144.143
        77.113.0.203.in-addr.arpa.maxnet.co.th 203.0.113.77
        h77.113.0.203.dynamic.ip.windstream.net 203.0.113.77
    """,
    "address:mixed": """
        213.red-83-45-92.dynamicip.rima-tde.net 83.45.92.213
        201.pool85-49-12.dynamic.orange.es 85.49.12.201
        5.83-213-116.dynamic.clientes.euskaltel.es 83.213.116.5
    """,
    "address:padded": """
        softbank126090202047.bbtec.net 126.90.202.47
        kd203000113077.ppp-bb.dion.ne.jp 203.0.113.77
        n219078080082.netvigator.com 219.78.80.82
        200164145021.user.veloxzone.com.br 200.164.145.21
    """,
    "address:hex": """
        p5b3d2185.dip0.t-ipconnect.de 91.61.33.133
        ip92342367.dynamic.kabel-deutschland.de 146.52.35.103
        ool-cb00714d.dyn.optonline.net 203.0.113.77
        c911deb6.bhz.virtua.com.br 201.17.222.182
        i5c75f434.versanet.de 92.117.244.52
        dcb00714d.access.telenet.be 203.0.113.77
        zaqcb00714d.zaq.ne.jp 203.0.113.77
        cb-00-71-4d.dyn.example.net 203.0.113.77
    """,
    "address:integer": """
        bas1-toronto12-3405803853.dsl.bell.ca 203.0.113.77
    """,
    "address:digits": """
        dynamic-ip-181492371.cable.net.co 181.49.23.71
    """,
    "address:partial": """
        lfbn-lyo-1-123-77.w203-100.abo.wanadoo.fr 203.100.113.77
        adsl-100-113-77.mia.bellsouth.net 203.100.113.77
        ns3016508.ip-51-254-47.eu 51.254.47.198
        h-209-203.a463.priv.bahnhof.se 155.4.209.203
        host-113-77.example.net 203.0.113.77
        113-77.example.net 203.0.113.77
    """,
    "address:other": """
        203-0-113-77.example.net 198.51.100.9
        host-203-0-113-77.nat.example.net 198.51.100.9
        20010db800010002000300040005abcd.example.net 2001:db8:9::1
    """,
    "address:nibbles": """
        2001-1c06-2302-5600-7555-cca3-bbc4-648b.cable.dynamic.v6.ziggo.nl 2001:1c06:2302:5600:7555:cca3:bbc4:648b
        p200300f65f47db04930dc5bd4534e1e5.dip0.t-ipconnect.de 2003:f6:5f47:db04:930d:c5bd:4534:e1e5
        2a01cb058d23d6001ef525940bfc7e6a.ipv6.abo.wanadoo.fr 2a01:cb05:8d23:d600:1ef5:2594:bfc:7e6a
        2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.v6.example.fr 2001:db8::1
        2001-0db8-0001-0002-0003-0004-0005-abcd.rev.example.pl 2001:db8:1:2:3:4:5:abcd
    """,
    "address:nibbles-reversed": """
        1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.dynamic.example.net 2001:db8::1
    """,
    "address:groups": """
        2001-db8-77--1f.cust.example.nl 2001:db8:77::1f
        node-2001-db8-1-2-3-4-5-abcd.bb.example.fi 2001:db8:1:2:3:4:5:abcd
    """,
    "address:half": """
        i0003000400abcdef.ipv6.example.de 2001:db8:1:2:3:4:ab:cdef
    """,
    "word:adsl": """
        abyl150.neoplus.adsl.tpnet.pl 83.9.31.150
        eatkyo123456.adsl.ppp.infoweb.ne.jp 203.0.113.77
        firma.adsl.example.gr 203.0.113.77
        adsl-77.example.net 203.0.113.77
    """,
    "word:dsl": "user-12l5k1q.dsl.mindspring.com 203.0.113.77",
    "word:dynamic": "dynamic-pool.example.net 203.0.113.77",
    "word:pppoe": "77.pppoe.example.ru 203.0.113.77",
    "word:ppp": "ppp77.example.net 198.51.100.9",
    "word:dhcp": "a1234.dhcp.inet.fi 203.0.113.77",
    "word:dyn": "dyn12.example.net 203.0.113.77",
    "word:bb": "fwa5da9-171.bb.example.no 88.93.169.9",
    "word:3g": "3g-12.example.co.za 203.0.113.77",
    "word:cust": """
        cpc149474-cmbg20-2-0-cust94.5-4.cable.virginm.net 82.4.196.95
        pc3-camc5-0-cust13.cam.cable.ntl.com 80.4.125.13
    """,
    "word:cpe": "cpe001122334455-cm001122334450.cpe.net.cable.rogers.com 203.0.113.77",
    "word:cable": "a123.cable.example.net 203.0.113.77",
    "word:dial": "a1.dial-up.example.net 203.0.113.77",
    "word:unassigned": "unassigned.example.net 203.0.113.77",
    "word:undefined": "undefined.hostname.localhost 203.0.113.77",
    "phrase:hosted-by": "hosted-by.example.nl 203.0.113.77",
    "phrase:no-reverse": "no-reverse-dns-configured.com 203.0.113.77",
    "address:mac": "s0106f0f249e4dad3.gv.shawcable.net 96.54.245.187",
    "address:serial-code": "p1007-ipad203funabasi.chiba.ocn.ne.jp 222.146.80.7",
    "domain:shawcable.net": "h96-54.gv.shawcable.net 203.0.113.7",
    "domain:members.linode.com": "li123-77.members.linode.com 203.0.113.77",
    "word:hosted": "vps-0123abcd.vps.ovh.net 203.0.113.77",
    "word:static": "static.vnpt.vn 123.16.30.186",
}

MAIL = """
    mail-we0-f182.google.com 74.125.82.182
    mail-qk1-x72f.google.com 2607:f8b0:4864:20::72f
    mail-bn8nam12on2045.outbound.protection.outlook.com 40.107.237.45
    a8-23.smtp-out.amazonses.com 54.240.8.23
    a27-19.smtp-out.us-west-2.amazonses.com 54.240.27.19
    o1.ptr123.sendgrid.net 167.89.12.34
    wrqvnrkx.outbound-mail.sendgrid.net 149.72.154.232
    o1678974x69.outbound-mail.sendgrid.net 167.89.74.69
    mail133-20.atl131.mandrillapp.com 198.2.133.20
    mail36.atl11.rsgsv.net 205.201.133.36
    m42-5.mailgun.net 69.72.42.5
    rs224.mailgun.us 209.61.151.224
    mta194a-ord.mtasv.net 104.245.209.194
    mta-70-22-201.sparkpostmail.com 192.70.22.201
    smtp08-ia2-sp1.mta.salesforce.com 13.110.6.8
    sonic308-9.consmr.mail.ne1.yahoo.com 66.163.187.32
    nm40-vm0.bullet.mail.ne1.yahoo.com 98.138.229.176
    pv50p00im-zteg10011401.me.com 17.58.6.41
    ms-1101.mail.qq.com 203.205.128.101
    out162-62-57-210.mail.qq.com 162.62.57.210
    out20-1.mail.aliyun.com 115.124.20.1
    m17-178.vip.126.com 123.58.178.17
    m12-17.163.com 220.181.12.17
    m15111.mail.126.com 220.181.15.111
    mout.kundenserver.de 212.227.126.187
    mo4-p00-ob.smtp.rzone.de 81.169.146.160
    4.mo548.mail-out.ovh.net 188.165.42.229
    sender4-op-o12.zoho.com 136.143.188.12
    fout-a1-smtp.messagingengine.com 103.168.172.144
    mail-4316.protonmail.ch 185.70.43.16
    us-smtp-delivery-1.mimecast.com 207.211.31.120
    mx0a-001b2d01.pphosted.com 148.163.156.1
    outbound-ip123a.ess.barracuda.com 209.222.82.123
    66-220-155-140.mail-mail.facebook.com 66.220.155.140
    maile-fc.linkedin.com 108.174.0.252
    spring-chicken-bc.twitter.com 199.16.156.188
    ccm178.constantcontact.com 208.75.123.178
    smtp-fw-9103.amazon.com 207.171.188.200
    92-67-42-100-dedicated.multacom.com 92.67.42.100
    resqmta-po-01v.sys.comcast.net 96.114.154.160
    rwcrmhc11.comcast.net 204.127.198.35
    vms046pub.verizon.net 206.46.252.46
    nschwmtas04p.mx.bigpond.com 61.9.189.146
    mail104.syd.optusnet.com.au 211.29.132.246
    ms-smtp-03-smtplb.tampabay.rr.com 65.32.5.133
    pfepa.post.tele.dk 195.41.46.235
    pne-smtpout2-sn2.hy.skanova.net 81.228.8.164
    smtp4-g21.free.fr 212.27.42.4
    smtp-vbr11.xs4all.nl 194.109.24.31
    viefep20-int.chello.at 62.179.121.40
    www381.your-server.de 78.46.137.84
    n3plcpnl0123.prod.ams3.secureserver.net 160.153.1.2
    ns35774.ovh.net 213.251.185.197
    host-4bb71.example.com 203.0.113.77
    va-1-113.ptr.blmpb.com 209.127.230.113
    nat-pool-mxp-t.redhat.com 149.6.153.186
    sd-green-bigip-207.dreamhost.com 208.97.132.207
    sau-465d4-or.servercontrol.com.au 43.250.207.1
    zm-etu-ensimag-1.grenet.fr 130.190.244.117
    mail.example.com 203.0.113.77
    mx1.example.de 203.0.113.77
    smtp-out-3.example.fr 203.0.113.77
    gateway2.firm.co.uk 203.0.113.77
    server1.example.nl 203.0.113.77
    host77.example.com 203.0.113.77
    srv01.example.org 203.0.113.77
    static.example.com 203.0.113.77
    vps77.example.com 203.0.113.77
    server-113-77.example.com 203.0.113.77
    s113-77.example.com 203.0.113.77
    mail-203-0-113-77.example.com 203.0.113.77
    203-0-113-77.mta.example.com 203.0.113.77
    mta-cb00714d.example.com 203.0.113.77
    mail.static.example.org 203.0.113.77
    mail.customer.isp.example 203.0.113.77
    smtp.dialup.example.com 203.0.113.77
    adsl-gw.example.com 203.0.113.77
    dsl.example.com 203.0.113.77
    pool.example.com 203.0.113.77
    mail.dslreports.com 64.91.255.98
    mail.dynamics.example 203.0.113.77
    mail.poolparty.de 203.0.113.77
    mxpool01.netaddress.usa.net 203.0.113.77
    mail.customer-domain.com 203.0.113.77
    cablemail.example.com 203.0.113.77
    mta1.cable.comcast.com 69.252.76.1
    techno-dns.example.com 203.0.113.77
    example.com 203.0.113.77
    gandalf.example.org 2001:db8::77
    mail.example.net 2001:db8:1:2:3:4:5:6
"""


def rows(text: str) -> list[tuple[str, str]]:
    return [(name, address) for name, address in (line.split() for line in text.strip().splitlines())]


@pytest.mark.parametrize(
    ("pattern", "name", "address"), [(pattern, *row) for pattern, text in POOLS.items() for row in rows(text)]
)
def test_pool(pattern: str, name: str, address: str) -> None:
    assert generic(name, ip_address(address)) == Generic("yes", pattern)


@pytest.mark.parametrize(("name", "address"), rows(MAIL))
def test_mail_host(name: str, address: str) -> None:
    assert generic(name, ip_address(address)) == Generic("no", "")


ANY = IPv4Address("203.0.113.77")


def test_no_name() -> None:
    assert generic("", ANY) == Generic("none", "")


def test_longer_than_a_name_can_be() -> None:
    assert generic("a" * (MAX_NAME + 1), ANY) == Generic("none", "")


def test_mapped_address_is_the_ipv4_one() -> None:
    assert generic("203-0-113-77.example.net", IPv6Address("::ffff:203.0.113.77")).pattern == "address:decimal"


def test_configured_pattern() -> None:
    patterns = (re.compile(r"^nothing$"), re.compile(r"^ap[0-9]+\."))
    assert generic("ap7.example.com", ANY, patterns) == Generic("yes", "pattern:^ap[0-9]+\\.")
    assert generic("mail.example.com", ANY, patterns) == Generic("no", "")


@pytest.mark.parametrize("exception", ["example.net", ".example.net", "EXAMPLE.net.", "dsl.example.net"])
def test_exception_holds_for_the_domain_below(exception: str) -> None:
    assert generic("203-0-113-77.dsl.example.net", ANY, (), [exception]) == Generic("no", "")


def test_exception_holds_for_the_name_itself() -> None:
    assert generic("unassigned.example.net", ANY, (), ["unassigned.example.net"]) == Generic("no", "")


@pytest.mark.parametrize("exception", ["ample.net", "net.example", "", ".", "77.dsl.example.net", "x.dsl.example.net"])
def test_exception_ends_at_a_label(exception: str) -> None:
    assert generic("203-0-113-77.dsl.example.net", ANY, (), [exception]).result == "yes"


def test_exception_beats_configured_pattern() -> None:
    assert generic("a.example.net", ANY, [re.compile("a")], ["example.net"]) == Generic("no", "")


def test_sender_is_known_by_labels() -> None:
    assert generic("203-0-113-77.google.com", ANY).result == "no"
    assert generic("203-0-113-77.notgoogle.com", ANY).result == "yes"


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
# Parts of names, combined at random.
PIECES = (
    "1 12 255 256 0 00 a f ff 5b2c1a2b - . .. -- _ x ip mail mx dsl adsl pool com net de co uk ocn.ne.jp google.com"
)
pieces = st.sampled_from(PIECES.split())
names = st.one_of(st.text(max_size=300), st.lists(pieces, max_size=120).map("".join))


@given(name=names, address=addresses)
def test_any_name_has_an_answer(name: str, address: IPv4Address | IPv6Address) -> None:
    answer = generic(name, address)
    assert answer.result in {"yes", "no", "none"}
    assert bool(answer.pattern) == (answer.result == "yes")


@given(address=st.ip_addresses(v=4))
def test_whole_address_is_found_in_every_order(address: IPv4Address) -> None:
    octets = str(address).split(".")
    for order in (octets, octets[::-1], octets[2:] + octets[:2]):
        for between in "-.x":
            assert generic(between.join(order) + ".example.net", address).result == "yes"
    assert generic(f"x{address.packed.hex()}.example.net", address).result == "yes"


@given(address=st.ip_addresses(v=6, network="2001:db8::/32"))
def test_whole_ipv6_address_is_found(address: IPv6Address) -> None:
    nibbles = address.packed.hex()
    for text in (nibbles, ".".join(nibbles), ".".join(nibbles[::-1]), address.exploded.replace(":", "-")):
        assert generic(text + ".example.net", address).result == "yes"


@pytest.mark.parametrize(
    "piece", ["a", "1", "-", "1-", "0.", "ip", "a1-", "f", "f-", "1x", "abcdefghij", "dsl.", "1.1-"]
)
def test_hostile_name_has_an_answer(piece: str) -> None:
    name = (piece * MAX_NAME)[:MAX_NAME]
    for address in (ANY, IPv4Address("1.1.1.1"), IPv6Address("1:1:1:1:1:1:1:1"), IPv6Address("f:f:f:f:f:f:f:a")):
        assert generic(name, address).result in {"yes", "no"}


def test_tables_are_lower_case_and_do_not_contradict() -> None:
    domains = generic_words.ACCESS | generic_words.SENDERS
    assert not generic_words.ACCESS & generic_words.SENDERS
    assert all(domain == domain.lower() and 0 < domain.count(".") < 5 for domain in domains)
    assert not set(generic_words.WORDS) & (generic_words.MAIL_WORDS | generic_words.INFRASTRUCTURE)


def test_no_word_looks_like_hexadecimal() -> None:
    words = set(generic_words.WORDS) | generic_words.MAIL_WORDS | generic_words.INFRASTRUCTURE | generic_words.DEDICATED
    assert not [word for word in words if set(word) <= set("abcdef")]


def test_kinds_of_names() -> None:
    """Of every kind of generic name nearly all are recognized, of every kind of mail server name none."""
    found = Counter(
        kind
        for kind, name, address in generic_names.names(generic_names.POOLS, 40)
        if generic(name, address).result == "yes"
    )
    assert found.total() >= 0.93 * 40 * len(generic_names.POOLS)
    assert [
        name
        for _, name, address in generic_names.names(generic_names.MAIL, 40)
        if generic(name, address).result == "yes"
    ] == []


def test_recall_and_false_alarms() -> None:
    pools = [generic(name, address).result for _, name, address in generic_kinds.names(generic_kinds.POOLS, 10)]
    mail = [
        (name, str(address))
        for _, name, address in generic_kinds.names(generic_kinds.MAIL, 10)
        if generic(name, address).result == "yes"
    ]
    assert pools.count("yes") >= 0.93 * len(pools)
    assert len(mail) <= 0.005 * 10 * len(generic_kinds.MAIL), mail


@pytest.mark.parametrize(
    "name",
    """
    nas12.firm.example max2019.firm.example pm25.firm.example term30.firm.example as12.firm.example users623.phy.firm.example
    lon1ex12.london.firm.example dc2ex04.london.firm.example lon1rp12.london.firm.example osa89nod60.osaka.firm.example
    c2b18.london.firm.example r8u35.london.firm.example web10234.london.firm.example m12345.london.firm.example
    """.split(),  # noqa: SIM905
)
def test_server_codes_are_no_serials(name: str) -> None:
    assert generic(name, IPv4Address("198.51.93.236")) == Generic("no", "")


@pytest.mark.parametrize(
    "name",
    """
    20010db80077.isp.example 1f.00.7700.8bd0.1002.isp.example cust-20010db800770000.isp.example
    1.0.0.0.2.0.0.0.7.7.0.0.8.b.d.0.1.0.0.2.isp.example x-2001-db8-77.isp.example user-abcd-1f2e.isp.example
    """.split(),  # noqa: SIM905
)
def test_parts_of_an_ipv6_address(name: str) -> None:
    assert generic(name, IPv6Address("2001:db8:77:2:1::abcd:1f2e")).result == "yes"
    assert generic(f"mail-{name}", IPv6Address("2001:db8:77:2:1::abcd:1f2e")).result == "no"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("k93236.isp.example", "198.51.93.236"),
        ("xnet093236.isp.example", "198.51.93.236"),
        ("u93-236.isp.example", "198.51.93.236"),
        ("n236.z198051093.isp.example", "198.51.93.236"),
        ("ec.5d.33c6.ip4.static.isp.example", "198.51.93.236"),
        ("max2-45.isp.example", "198.51.100.7"),
        ("ts008d25.isp.example", "198.51.100.7"),
        ("pm1port17.isp.example", "198.51.100.7"),
        ("vps10234.hoster.example", "198.51.100.7"),
        ("xy1-312-10234.vs.hoster.example", "198.51.100.7"),
        ("bn97z75.bremen.isp.example", "198.51.100.7"),
        ("cm-132b12c1a206.isp.example", "198.51.100.7"),
    ],
)
def test_names_that_nobody_has_chosen(name: str, address: str) -> None:
    assert generic(name, ip_address(address)).result == "yes"
    # With a word for mail in the first label it was chosen.
    assert generic(f"mail-{name}", ip_address("192.0.2.1")).result == "no" or "static" in name
