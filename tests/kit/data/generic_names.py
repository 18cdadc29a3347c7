"""Made-up reverse names with their addresses: of address pools, and of hosts that send mail. Deterministic.

A kind is a way in which networks or mail systems name their hosts; names of one kind differ in address and numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

# Documentation networks (RFC 5737) and others that look like real ones; no name here is looked up.
_NETWORKS = tuple(
    map(IPv4Network, ("198.51.100.0/24", "203.0.113.0/24", "100.64.0.0/10", "198.18.0.0/15", "172.16.0.0/12"))
)
_CITIES = ("bremen", "lyon", "gdansk", "turku", "porto", "graz", "leeds", "brno", "malmo", "pisa", "osaka", "boise")
_ISPS = (
    "telenor-made.example",
    "citynet.example",
    "nordlys.example",
    "metronet.example",
    "surfline.example",
    "onda.example",
)
_FIRMS = ("acme.example", "bakery.example", "law-firm.example", "school.example", "clinic.example", "print.example")


@dataclass(frozen=True, slots=True)
class Case:
    """One name. `o1` to `o4` of its address are what a kind writes into it; `n`: a random generator of its own."""

    address: IPv4Address
    n: random.Random

    @property
    def o(self) -> tuple[int, ...]:
        """The four bytes of the address."""
        return tuple(self.address.packed)

    @property
    def isp(self) -> str:
        """A domain of an access provider."""
        return self.n.choice(_ISPS)

    @property
    def firm(self) -> str:
        """A domain of an organization with a mail server."""
        return self.n.choice(_FIRMS)

    @property
    def city(self) -> str:
        """A label with a city's name."""
        return self.n.choice(_CITIES)


Kind = Callable[[Case], str]


def _hex(c: Case, digits: int) -> str:
    return "".join(c.n.choices("0123456789abcdef", k=digits))


def _code(c: Case, letters: int, digits: int) -> str:
    return "".join(c.n.choices("bcdfghkmnprstvxz", k=letters)) + "".join(c.n.choices("0123456789", k=digits))


POOLS: tuple[Kind, ...] = (
    lambda c: f"k{c.o[2]}{c.o[3]}.{c.isp}",
    lambda c: f"xnet{c.o[2]:03}{c.o[3]:03}.{c.isp}",
    lambda c: f"u{c.o[2]}-{c.o[3]}.{c.city}.{c.isp}",
    lambda c: f"n{c.o[3]}.z{c.o[0]:03}{c.o[1]:03}{c.o[2]:03}.{c.isp}",
    lambda c: f"{c.o[3]:02x}.{c.o[2]:02x}.{c.o[1]:02x}{c.o[0]:02x}.ip4.static.{c.isp}",
    lambda c: f"max{c.n.randint(1, 9)}-{c.n.randint(1, 96)}.{c.city}.{c.isp}",
    lambda c: f"ts{c.n.randint(1, 40):03}d{c.n.randint(1, 60)}.{c.isp}",
    lambda c: f"pm{c.n.randint(1, 9)}port{c.n.randint(1, 48)}.{c.isp}",
    lambda c: f"vps{c.n.randint(10_000, 99_999)}.{c.isp}",
    lambda c: f"xy{c.n.randint(1, 4)}-{c.n.randint(100, 999)}-{c.n.randint(10_000, 99_999)}.vs.{c.isp}",
    lambda c: f"{_code(c, 2, 3)}{_code(c, 1, 2)}.{c.city}.{c.isp}",
    lambda c: f"{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.{c.isp}",
    lambda c: f"dyn-{c.o[3]}-{c.o[2]}.{c.isp}",
    lambda c: f"host{c.o[3]}-{c.o[2]}-{c.o[1]}-{c.o[0]}.{c.city}.{c.isp}",
    lambda c: f"{c.address.packed.hex()}.cable.{c.isp}",
    lambda c: f"p{c.address.packed.hex().upper().lower()}.dip.{c.isp}",
    lambda c: f"c-{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.hsd1.{c.isp}",
    lambda c: f"pool-{c.o[2]}-{c.o[3]}.{c.city}.fios.{c.isp}",
    lambda c: f"cpe-{_code(c, 0, 6)}.{c.isp}",
    lambda c: f"{c.o[3]}.{c.o[2]}.{c.o[1]}.{c.o[0]}.adsl.{c.isp}",
    lambda c: f"g{c.o[2]:03}-{c.o[3]:03}.{c.isp}",
    lambda c: f"bk{c.o[3]}{c.o[2]}.{c.isp}",
    lambda c: f"abo{c.o[2]:03}{c.o[3]:03}.{c.city}.{c.isp}",
    lambda c: f"{c.o[2]}{c.o[3]:03}.{c.city}.{c.isp}",
    lambda c: f"r{c.o[1]:03}{c.o[2]:03}-{c.o[3]}.{c.isp}",
    lambda c: f"x{c.o[0]:02x}-{c.o[1]:02x}{c.o[2]:02x}.{c.o[3]:02x}.{c.isp}",
    lambda c: f"tnt{c.n.randint(1, 9)}-{c.n.randint(1, 200)}.{c.city}.{c.isp}",
    lambda c: f"as{c.n.randint(1, 9)}s{c.n.randint(10, 60)}.{c.isp}",
    lambda c: f"nas{c.n.randint(1, 9)}-p{c.n.randint(1, 60)}.{c.isp}",
    lambda c: f"kvm{c.n.randint(1000, 99_999)}.{c.isp}",
    lambda c: f"vds-{c.n.randint(10_000, 999_999)}.{c.isp}",
    lambda c: f"{_code(c, 1, 2)}{_code(c, 2, 2)}.{c.city}.{c.isp}",
    lambda c: f"ip{c.o[3]}.{c.o[0]}-{c.o[1]}-{c.o[2]}.{c.isp}",
    lambda c: f"static-{c.o[3]:03}-{c.o[2]:03}.{c.isp}",
    lambda c: f"user-{c.o[2]:02x}{c.o[3]:02x}.{c.isp}",
    lambda c: f"h{c.o[0]:03}{c.o[1]:03}{c.o[2]:03}{c.o[3]:03}.{c.isp}",
    lambda c: f"{int(c.address)}.{c.isp}",
    lambda c: f"ppp{c.n.randint(1, 400)}.{c.city}.{c.isp}",
    lambda c: f"w{c.o[3]}.{c.city}-{c.o[2]}.dsl.{c.isp}",
    lambda c: f"slip{c.n.randint(1, 9)}-line{c.n.randint(1, 40)}.{c.isp}",
    lambda c: f"c{c.o[1]}x{c.o[2]}x{c.o[3]}.{c.isp}",
    lambda c: f"{c.city}-{c.o[2]}-{c.o[3]}.{c.isp}",
    lambda c: f"dslb-{c.o[0]:03}-{c.o[1]:03}-{c.o[2]:03}-{c.o[3]:03}.pools.{c.isp}",
    lambda c: f"{c.o[3]}.net-{c.o[2]}.{c.city}.{c.isp}",
    lambda c: f"cm-{_hex(c, 12)}.{c.isp}",
    lambda c: f"modemcable{c.o[3]:03}.{c.o[2]}-{c.o[1]}-{c.o[0]}.mc.{c.isp}",
    lambda c: f"fl-{c.n.randint(10000, 99999)}.res.{c.isp}",
    lambda c: f"pc{c.o[3]}-{c.o[2]}.{c.city}.{c.isp}",
    lambda c: f"line-{c.n.randint(1000, 99999)}.{c.isp}",
    lambda c: f"bzq-{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.red.{c.isp}",
    lambda c: f"ns3{c.n.randint(10000, 99999)}.ip-{c.o[0]}-{c.o[1]}-{c.o[2]}.eu",
    lambda c: f"li{c.n.randint(100, 2000)}-{c.o[3]}.members.{c.isp}",
    lambda c: f"static.{c.o[3]}.{c.o[2]}.{c.o[1]}.{c.o[0]}.clients.{c.isp}",
    lambda c: f"vps-{_hex(c, 8)}.vps.{c.isp}",
    lambda c: f"{c.n.randint(1000, 99999)}.kvm.{c.isp}",
    lambda c: f"d{c.o[2]}{c.o[3]:03}.{c.city}.{c.isp}",
    lambda c: f"m{c.o[0]:03}{c.o[1]:03}{c.o[2]:03}{c.o[3]:03}.{c.isp}",
    lambda c: f"wimax-c{c.o[3]}.{c.city}.{c.isp}",
    lambda c: f"node-{c.o[3]:02x}{c.o[2]:02x}.{c.city}.{c.isp}",
    lambda c: f"mob-{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.net.{c.isp}",
    lambda c: f"b{c.o[3]:03}.{c.o[2]:03}.{c.isp}",
    lambda c: f"q{c.o[2]:02x}-{c.o[3]:02x}.{c.isp}",
    lambda c: f"za{c.o[1]}{c.o[2]}{c.o[3]}.{c.isp}",
    lambda c: f"usr{c.n.randint(1, 9)}-{c.n.randint(1, 64)}.{c.city}.{c.isp}",
    lambda c: f"srv{c.n.randint(10000, 99999)}.vds.{c.isp}",
    lambda c: f"xdsl-{c.o[3]}-{c.o[2]}.{c.city}.{c.isp}",
    lambda c: f"e{c.o[3]:03}{c.o[2]:03}.upc-{c.city[0]}.{c.isp}",
    lambda c: f"ip-{c.o[0]}{c.o[1]}.{c.o[2]}{c.o[3]:03}.{c.isp}",
    lambda c: f"lan{c.o[2]}-{c.o[3]}.{c.isp}",
    lambda c: f"ros{c.n.randint(1, 9)}d{c.n.randint(1, 99):02}port{c.n.randint(1, 48)}.{c.isp}",
    lambda c: f"ad{c.n.randint(1, 40)}-m{c.n.randint(1, 250)}.tch.{c.isp}",
    lambda c: f"{c.city[:3]}-{c.n.randint(1, 9)}-{c.n.randint(100, 999)}-dial.{c.isp}",
    lambda c: f"a{c.n.randint(10, 99)}b{c.n.randint(10, 99)}c{c.n.randint(10, 99)}.{c.city}.{c.isp}",
    lambda c: f"vm-{c.n.randint(100000, 999999)}.cloud.{c.isp}",
    lambda c: f"v{c.n.randint(2018, 2026)}{c.n.randint(10000, 99999)}.vserver.{c.isp}",
    lambda c: f"h2{c.n.randint(100000, 999999)}.{c.isp}",
    lambda c: f"unn-{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.{c.isp}",
    lambda c: f"{c.o[3]:02x}{c.o[2]:02x}.{c.o[1]:02x}{c.o[0]:02x}.rev.{c.isp}",
    lambda c: f"t{c.o[3]}.z{c.o[2]}.{c.isp}",
    lambda c: f"sub-{c.o[1]}ip{c.o[2]}.rev.{c.isp}",
    lambda c: f"bras{c.n.randint(1, 9)}-{c.n.randint(1, 9)}-{c.n.randint(1, 4000)}.{c.city}.{c.isp}",
    lambda c: f"{_hex(c, 8)}.vm.{c.isp}",
    lambda c: f"{c.city}{c.o[2]:03}{c.o[3]:03}.{c.isp}",
    lambda c: f"oct{c.o[0]}.{c.o[1]}.{c.o[2]}.{c.o[3]}.{c.isp}",
    lambda c: f"cx{c.n.randint(10000, 99999)}-a.{c.city}.{c.isp}",
)

MAIL: tuple[Kind, ...] = (
    lambda c: f"mail.{c.firm}",
    lambda c: f"mx{c.n.randint(1, 40):02}.{c.firm}",
    lambda c: f"mail-{c.n.randint(1, 99)}.{c.city}.{c.firm}",
    lambda c: f"out-{c.n.randint(1, 9)}-{c.n.randint(1, 9)}.mta.{c.firm}",
    lambda c: f"m{c.o[3]}-{c.o[2]}.vip.mail{c.n.randint(1, 9)}.example",
    lambda c: f"a{c.n.randint(1, 99)}-{c.n.randint(1, 255)}.smtp-out.eu-west-1.{c.firm}",
    lambda c: f"mail-yw1-f{c.n.randint(10, 199)}.{c.firm}",
    lambda c: f"mail-eopbgr{c.n.randint(10_000, 99_999)}.outbound.{c.firm}",
    lambda c: f"mta-{c.o[1]}-{c.o[2]}-{c.o[3]}.bulk.{c.firm}",
    lambda c: f"o{c.n.randint(1, 16)}.email.{c.firm}",
    lambda c: f"o{c.n.randint(1000, 99_999)}.outbound-mail.{c.firm}",
    lambda c: f"srv{c.n.randint(1, 99):02}.{c.firm}",
    lambda c: f"server{c.n.randint(1, 20)}.{c.city}.{c.firm}",
    lambda c: f"gw.{c.city}.{c.firm}",
    lambda c: f"{c.city}.{c.firm}",
    lambda c: f"{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}-dedicated.{c.firm}",
    lambda c: f"web{c.n.randint(1, 9)}.{c.firm}",
    lambda c: f"relay{c.n.randint(1, 400)}.{c.city}.{c.firm}",
    lambda c: f"smtp{c.n.randint(1, 9)}-{c.city}.{c.firm}",
    lambda c: f"{c.firm}",
    lambda c: f"mx-out-{c.n.randint(1, 9)}{c.n.choice('abc')}.{c.firm}",
    lambda c: f"e{c.n.randint(1, 240)}-{c.n.randint(1, 9)}.newsletter.{c.firm}",
    lambda c: f"{c.n.choice(('zeus', 'hera', 'apollo', 'saturn'))}{c.n.randint(1, 12)}.{c.firm}",
    lambda c: f"host{c.n.randint(1, 30)}.{c.firm}",
    lambda c: f"s{c.n.randint(1, 30)}.{c.city}.{c.firm}",
    lambda c: f"exchange{c.n.randint(2010, 2019)}.{c.firm}",
    lambda c: f"ms-{c.n.randint(10, 99)}.{c.city}.{c.firm}",
    lambda c: f"vm{c.n.randint(1, 20)}.{c.firm}",
    lambda c: f"node{c.n.randint(1, 9)}.cluster.{c.firm}",
    lambda c: f"ns{c.n.randint(1, 4)}.{c.firm}",
    lambda c: f"mout{c.n.randint(1, 99)}.{c.city}{c.n.randint(1, 3)}.{c.firm}",
    lambda c: f"esa{c.n.randint(1, 4)}.hc{c.n.randint(100, 9999)}-{c.n.randint(10, 99)}.{c.firm}",
    lambda c: f"mailer-{c.o[0]}-{c.o[1]}-{c.o[2]}-{c.o[3]}.{c.firm}",
    lambda c: f"outbound.{c.n.randint(1, 5000)}.{c.firm}",
    lambda c: f"mxd{c.n.randint(1, 30)}.{c.city}.{c.firm}",
    lambda c: f"app{c.n.randint(1, 30)}.prod.{c.firm}",
    lambda c: f"fw{c.n.randint(1, 3)}.{c.city}.{c.firm}",
    lambda c: f"lists{c.n.randint(1, 3)}.{c.firm}",
    lambda c: f"p3plsmtpa{c.n.randint(1, 12):02}-{c.n.randint(1, 12):02}.prod.phx3.{c.firm}",
    lambda c: f"www{c.n.randint(1, 400)}.{c.firm}",
    lambda c: f"rly-mf{c.n.randint(1, 20):02}.mx.{c.firm}",
    lambda c: f"sv{c.n.randint(100, 999)}.{c.firm}",
    lambda c: f"s{c.n.randint(100, 999)}.{c.firm}",
    lambda c: f"web{c.n.randint(1000, 9999)}.{c.firm}",
    lambda c: f"linux{c.n.randint(1000, 9999)}.webhosting.{c.firm}",
    lambda c: f"cp{c.n.randint(1, 40)}.{c.city}.{c.firm}",
    lambda c: f"lon{c.n.randint(1, 4)}ex{c.n.randint(1, 4)}.{c.city}.{c.firm}",
    lambda c: f"mail{c.n.randint(1000, 9999)}.{c.firm}",
    lambda c: f"n{c.n.randint(1, 20)}-{c.n.randint(1, 200)}.bulk.{c.firm}",
    lambda c: f"dd{c.n.randint(10000, 49999)}.mailhost.{c.firm}",
    lambda c: f"wp{c.n.randint(100, 999)}.webpack.{c.firm}",
    lambda c: f"barracuda{c.n.randint(1, 4)}.{c.firm}",
    lambda c: f"ip-{c.n.randint(1, 9)}.mail.{c.firm}",
    lambda c: f"vmail{c.n.randint(1, 30)}.{c.firm}",
    lambda c: f"{c.city}{c.n.randint(1, 9)}.{c.firm}",
    lambda c: f"{c.n.choice('abcdef')}{c.n.randint(1, 99)}.{c.firm}",
    lambda c: f"mxa-00{c.n.randint(100000, 999999):06x}.gslb.{c.firm}",
    lambda c: f"mail-{c.o[3]}.{c.firm}",
    lambda c: f"smtp-{c.o[2]}-{c.o[3]}.{c.firm}",
    lambda c: f"out{c.o[3]}-{c.o[2]}.send.{c.firm}",
    lambda c: f"host-{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"exch{c.n.randint(1, 9)}.ad.{c.firm}",
    lambda c: f"db{c.n.randint(1, 9)}app{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"server-{c.n.randint(1, 99)}.{c.firm}",
    lambda c: f"relay-{c.n.randint(1, 9)}-{c.n.randint(1, 9)}.prod.{c.firm}",
    lambda c: f"mta{c.n.randint(1, 9)}a{c.n.randint(10, 99)}.{c.city}.{c.firm}",
    lambda c: f"sip{c.n.randint(1, 9)}.{c.firm}",
    lambda c: f"alfa{c.n.randint(3000, 3999)}.{c.firm}",
    lambda c: f"kund{c.n.randint(1, 20)}.{c.firm}",
    lambda c: f"pm{c.n.randint(1, 9)}-{c.n.randint(1, 9)}.newsletter.{c.firm}",
    lambda c: f"tc{c.n.randint(1, 9)}.{c.firm}",
    lambda c: f"max{c.n.randint(1, 9)}.{c.firm}",
    lambda c: f"as{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"c{c.n.randint(1, 9)}-{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"host{c.n.randint(100, 999)}.{c.firm}",
    lambda c: f"cloud{c.n.randint(1, 999)}.{c.firm}",
    lambda c: f"dc{c.n.randint(1, 3)}-mx{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"mail.{c.city}{c.n.randint(1, 99)}.{c.firm}",
    lambda c: f"r{c.n.randint(10, 250)}.{c.n.randint(10, 250)}.news.{c.firm}",
    lambda c: f"box{c.n.randint(1, 9999)}.{c.firm}",
    lambda c: f"gator{c.n.randint(1000, 9999)}.{c.firm}",
    lambda c: f"ded{c.n.randint(1, 99)}.{c.firm}",
    lambda c: f"ud{c.n.randint(1, 9)}nt{c.n.randint(1, 9)}.{c.city}.{c.firm}",
    lambda c: f"mailgate-{c.o[3]}.{c.city}.{c.firm}",
    lambda c: f"smtp{c.o[2]}{c.o[3]:03}.{c.firm}",
    lambda c: f"office-{c.city}.{c.firm}",
)


def names(kinds: tuple[Kind, ...], each: int, seed: int = 1) -> Iterator[tuple[int, str, IPv4Address]]:
    """Yield `each` names of every kind: the kind's number, the name, and its address."""
    n = random.Random(seed)
    for number, kind in enumerate(kinds):
        for _ in range(each):
            network = n.choice(_NETWORKS)
            address = network[n.randrange(1, network.num_addresses - 1)]
            yield number, kind(Case(address, n)), address
