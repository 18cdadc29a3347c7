"""Templates of made-up reverse names: of address pools, and of hosts that send mail. Deterministic.

`{a}` to `{d}` are the bytes of the client's address, `{A}` to `{D}` the same with three digits, `{xa}` to `{xd}` in
hexadecimal, `{x}` and `{dec}` the whole address. `{n3}` is a number of three digits, `{N3}` one padded to three, `{h8}` eight
hexadecimal digits. `{cc}` is three letters of a city. `{isp}`, `{firm}`, `{bulk}` and `{hst}` are domains of syllables.

The kinds were written in five sets. Each set was measured before it was used to improve the check.
"""

# ruff: noqa: SIM905 - quoted one by one the kinds would fill ten times the lines

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from ipaddress import IPv4Address

POOLS = tuple(
    """
    0x{x}.{city}{n2}.adsl-dhcp.{isp} abonado{n4}.{city}.{isp} abonent-{c}-{d}.{isp} accesso{n4}.{isp}
    adsl-dyn{d}.{a}-{b}-{c}.{isp} adsl-{c}-{d}.{isp} apn{n1}-{c}-{d}.{isp} as5300-{n1}-{n2}.{city}.{isp}
    asiakas{n5}.{isp} async{n2}-{n1}.{isp} as{c}{D}.{isp} athedsl-{n5}.home.{isp} a{a}-{b}-{c}-{d}.net-{cc}.{isp}
    a{n3}-{n3}-{n3}.{city}.{isp} bl{n1}-{c}-{d}.dsl.{isp} bnet{C}{D}.{isp} bredband{n4}.{city}.{isp}
    bruker{n4}.{city}.{isp} bsn-{b}-{c}-{d}.dial-up.dsl.{isp} b{xc}{xd}.{city}.{isp} c-{x}.{n2}-{n2}-{h8}.cust.{isp}
    cc{n5}-a.{city}{n1}.{let}{let}.home.{isp} cgn-{a}-{b}-{c}-{d}.{isp} chello{A}{B}{C}{D}.{n1}.{n2}.{cc}.{isp}
    cisco{n1}-async{n2}.{isp} clientes-{d}.{city}.{isp} cloud-{n6}.{hst} cm-{n5}.{city}.{isp}
    cm{a}-{b}-{c}-{d}.{isp} cm{h12}.{city}.{isp} conexion-{c}-{d}.{isp}
    cpc{n1}-{city}{n1}-{n1}-0-cust{n3}.{n1}-{n1}.cable.{isp} cpe-{a}-{b}-{c}-{d}.lns1.{city}.{isp}
    cs{n1}-{n2}.{city}.dial.{isp} cs{n6}.pp.{isp} customer-{cc}-{c}-{d}.{isp} cust{n4}-{cc}.{isp}
    c{d}.{A}{B}{C}.{city}.{isp} das{n1}-port{n2}.{isp} dhcp-{d}-{c}.{city}.{isp} dinamichna-{c}.{d}.{isp}
    dinamik-{c}-{d}.{isp} dinamis{n3}.{isp} domashniy-{d}.{c}.{isp} domowy{n4}.{isp} dom{n2}-kv{n3}.{city}.{isp}
    dsl-{b}-{c}-{d}.{isp} dynamiczny{n3}.{isp} dynamisk-{d}.{isp} d{c}_{d}.{isp} fiberstream-{c}-{d}.{isp}
    fibhost-{b}-{c}-{d}.{isp} fl1-{a}-{b}-{c}-{d}.{cc}.mesh.{isp} flat{n3}.house{n2}.{isp}
    flh1a{let}{let}{n3}.{cc}.mesh.{isp} ftth-{c}-{d}.{isp} fttx{n3}.{city}.{isp} f{c}-{d}.{city}.{isp}
    gebruiker{n4}.{isp} gprs{D}.{isp} guest{n6}.{hst} gw-{a}-{b}-{c}-{d}.cust.{isp} g{a}{B}.{C}{D}.{isp}
    h-{a}-{b}-{c}-{d}.{city}{n2}.{isp} hiper{n1}-d{n3}.{city}.{isp} hogar{n4}.{city}.{isp} host-{dec}.{city}.{isp}
    host{a}-{b}-{c}-{d}.range{a}-{b}.{isp} host{d}.{a}-{b}-{c}.{isp} host{n7}.{hst} hse-{city}-ppp{n6}.{isp}
    hsi-kbw-{A}-{B}-{C}-{D}.hsi.{isp} h{d}.s{A}{B}{C}.{isp} h{d}n{n1}fls{n2}o{n4}.{isp} h{n7}.{hst}
    instance-{n5}.{hst} internet-{c}-{d}.{city}.{isp} ip-{a}-{b}-{c}-{d}.{city}.{isp}
    ip-{d}.net-{a}-{b}-{c}.{city}.rev.{isp} ip{D}.{c}-{b}-{a}.{isp} ip{a}-{b}-{c}-{d}.{let}{let}.{let}{let}.{isp}
    isdn{n1}-{n2}.{city}.{isp} i{dec}.{isp} khachhang-{c}-{d}.{isp} klientas{n4}.{isp} klient{C}{D}.{isp}
    korisnik-{c}-{d}.{isp} kunde-{d}-{c}.{isp} kunder{n4}.{city}.{isp} kvm-{n5}.{hst} k{C}{D}.{city}.{isp}
    k{c}{d}.{isp} lakossagi-{c}-{d}.{isp} lan{n2}-{n3}.{city}.{isp} line{n3}-{n2}.pstn.{isp} liniya-{n4}.{isp}
    lk{C}{D}.{isp} lte-{c}-{d}.{isp} lxc{n4}.{city}.{hst} l{a}-{b}-{c}-{d}.{isp} max{N3}-{n3}.{isp}
    max{n1}-{n2}.{city}.{isp} mobilni-{c}-{d}.{isp} mob{n5}.umts.{isp} modem-{n2}.{city}.{isp} musteri-{c}-{d}.{isp}
    m{xc}{xd}-{cc}.{isp} m{x}.{isp} nas{n1}-{n3}.{city}.{isp} nat{c}-{d}.{isp} netacc-gpn-{n1}-{c}-{d}.pool.{isp}
    net{a}-{b}-{c}-{d}.{isp} node-{let}{n1}{let}.pool-{a}-{b}.dynamic.{isp} node-{n6}.{cc}{n1}.{hst}
    nt{cc}{n6}.{cc}.nt.ngn2.ppp.{isp} n{d}-{c}.{cc}.{isp} n{d}p{c}.adsl.{isp} oi{b}{c}{d}.{isp} ont{n5}.gpon.{isp}
    onu-{n4}.{city}.{isp} otthon-{c}-{d}.{isp} pa1-{a}-{b}-{c}-{d}.{isp} pcd{n6}.{isp} pelanggan{n4}.{isp}
    pl{n5}.ag{n4}.{isp} pm3-{n1}-s{n2}.{city}.{isp} pm{n1}-s{n2}.{city}.{isp} pm{n1}port{n2}.{isp}
    pon{n3}-{n2}.{city}.{isp} port-{a}-{b}-{c}-{d}.dynamic.{isp} ppp-{d}-{c}.{b}-{a}.{isp} pppoe-{n4}.{isp}
    pripojka{n4}.{city}.{isp} pw{A}{B}{C}{D}.{n1}.panda.{isp} p{B}{C}{D}.{city}.{isp}
    p{n4}-ipbf{n2}{city}.{city}.{isp} q{d}.r{A}{B}{C}.{isp} radio-{c}-{d}.{city}.{isp} ras{n2}p{n3}.{isp}
    reka{n3}.kabelnet.{isp} rev-{d}-{c}-{b}-{a}.{isp} rrcs-{a}-{b}-{c}-{d}.central.biz.{isp}
    rural-{c}-{d}.{city}.{isp} r{d}.n{A}{B}{C}.{isp} s0106{h12}.{let}{let}.{isp} sabit-{d}.{c}.{isp}
    sat-{n5}.vsat.{isp} satelit{n4}.{isp} server-{n7}.{hst} sol-fttb.{d}.{c}.{b}.{a}.{isp} spojenie{n4}.{isp}
    srv{n6}.{cc}gr.{hst} static-{n4}.{isp} staticline{n5}.{isp} static{n4}.{city}.{isp} stb-{mac}.{isp}
    stud{n4}.dorm.{isp} sub{c}n{d}.{city}.{isp} s{n2}.{city}-as{n1}.dial.{isp} s{n7}.{hst} s{n8}.{city}.{hst}
    s{n8}.{hst} teilnehmer-{c}-{d}.{isp} tilslutning-{c}-{d}.{isp} ti{n4}a{n3}-{n4}.bb.{isp}
    tnt{n1}-slot{n1}-{n2}.{isp} tnt{n2}-{n3}.dialup.{isp} tower{n2}-{c}-{d}.{isp} ts{N3}d{n2}.{city}.{isp}
    ts{n1}-port{n2}.{city}.{isp} tty{n2}.max{n1}.{city}.{isp} tx{dec}.{city}.{isp} t{D}{C}.{city}.{isp}
    ugyfel{n4}.{isp} unit{n3}.bldg{n2}.{isp} user-{h7}.cable.{isp} usuario-{c}-{d}.{isp} usuarios-{d}.{c}.{isp}
    utente{c}-{d}.{isp} utilizador{n5}.{isp} uzytkownik{n4}.{isp} v22{n10}.{hst} vds-{n7}.{hst} vds{n5}.{cc}.{hst}
    vm-{h8}.{hst} vmi{n6}.{hst} vm{n5}.{cc}.{hst} vm{n7}.{hst} vps-{n4}.{hst} vps-{n7}-{n5}.{hst}
    vps{n5}.{cc}{n1}.{hst} vps{n5}.{city}.{hst} vps{n5}.{hst} vps{n6}.{hst}
    v{a}-{b}-{c}-{d}.{cc}{n1}.static.{cc}ha.{isp} v{n7}.{hst} v{xd}.{xc}.{xb}{xa}.{isp} wifi-{n3}.hotspot.{isp}
    wireless{c}x{d}.{isp} w{c}-{d}.{city}.{isp} x1-6-{mac}.k{n3}.{isp} xdsl-{n4}.{city}.dialog.{isp} xen{n5}.{hst}
    x{c}{d}.{a}-{b}.{isp} y{c}{D}.{isp} zakaznik{n4}.{city}.{isp} z{xd}{xc}{xb}{xa}.{isp} {A}{B}{C}{D}.{city}.{isp}
    {B}{C}{D}-{A}.{isp} {C}{D}.{A}{B}.{isp} {D}-{C}-{B}-{A}.{isp} {X}.cm-{n1}-{n1}{let}.dynamic.{isp}
    {a}-{b}-{c}-{d}-host.{hst} {a}-{b}-{c}-{d}-no{n2}.tbcn.{isp} {a}-{b}-{c}-{d}.cloud-xip.{hst}
    {a}-{b}-{c}-{d}.ip{n2}.{isp} {a}-{b}-{c}-{d}.{cc}-ip.{isp} {a}-{b}-{c}-{d}.{city}.dyn.{isp}
    {a}-{b}-{c}-{d}f1.{cc}2.{isp} {a}.{b}.{c}.{d}-static.reverse.{hst} {a}.{b}.{c}.{d}.{hst} {b}-{c}-{d}-{a}.{isp}
    {b}{C}{D}.{a}.{isp} {cc}-tnt{n1}-port{n2}.{isp} {cc}-{D}-{C}.{isp} {cc}-{x}.pool.{isp} {cc}1-{n3}-{n5}.vs.{hst}
    {cc}{n2}{let}{n2}.{city}.{isp} {cc}{n4}.{city}.kabel.{isp} {cc}{n6}.{city}.{isp} {city}-max{n1}-{n2}.{isp}
    {city}-ts{n1}-{n2}.{isp} {city}-{dec}.{isp} {city}-{n3}-{n3}.{isp} {city}{c}-{d}.{isp} {city}{n1}-a{n2}.{isp}
    {c}-{d}.{city}.{isp} {c}x{d}.{city}.{isp} {dec}.dsl.{city}.{isp} {dec}.{isp} {d}-{A}{B}{C}.{isp}
    {d}-{c}-{b}-{a}.rev.{isp} {d}-{c}.{b}-{a}.{city}.{isp} {d}.{c}-{b}-{a}.adsl-dyn.isp.{isp} {d}.{c}.{city}.{isp}
    {h12}.{city}.{isp} {h8}.vps.{hst} {let}{A}{B}.{C}{D}.{isp} {let}{let}{n1}-{n3}-{n4}.vps.{hst}
    {let}{let}{n1}-{n3}-{n5}.vps.{hst} {let}{let}{n2}{let}{let}{n2}.{city}.{isp}
    {let}{let}{n2}{let}{n1}.{city}.{isp} {let}{let}{n3}-{let}{n2}.{city}.{isp} {let}{let}{n3}{let}{n1}.{city}.{isp}
    {let}{let}{n4}-{n2}.{city}.{isp} {let}{let}{n6}.{city}.{isp} {let}{n2}{let}{n3}.{city}.{isp}
    {let}{n3}{let}{n2}.{city}.{isp} {let}{n3}{let}{n3}.{city}.{isp} {let}{n5}.upc-{let}.{isp} {let}{n5}.{city}.{isp}
    {let}{n6}.{city}.{isp} {n1}cust{n3}.tnt{n1}.{city}.{let}{let}.da.{isp} {n2}{let}{n3}.{city}.catv.{isp}
    {n6}.ip-ptr.{hst} {n6}{let}.{city}.{isp} {xa}-{xb}-{xc}-{xd}.{city}.{isp} {xa}.{xb}.{xc}.{xd}.ip.{isp}
    {xa}{xb}.{xc}{xd}.{isp} {xd}.{xc}.{xb}{xa}.ip4.{isp} {xd}.{xc}.{xb}{xa}.v4.{isp} {xd}.{xc}{xb}.{xa}.{isp}
    {xd}{xc}.{xb}{xa}.v4.{city}.{isp}
    """.split()
)
MAIL = tuple(
    """
    a2plcpnl{n4}.prod.iad2.{hst} adsl-gw.{firm} alert{n3}.{city}.{firm} ams{n1}.{hst} app-{n2}.{city}.{firm}
    as{n2}.{firm} athena{n1}.{city}.{firm} a{n1}-{n2}.{city}.{bulk} a{n2}-{d}.smtp-out.eu-west-1.{bulk}
    backup{n2}.{firm} biz{n3}.{hst} bk{n4}.{city}.{hst} bounce.em{n1}.{firm} bounce{n5}.{bulk} box{n4}.{hst}
    b{n3}.{bulk} c3po.{city}.{firm} campaign{c}-{d}.{bulk} cctv{n1}.{firm} cip{n2}.cs.{firm} cl-t{n3}-{n3}cl.{hst}
    client.{firm} clients{n1}.{firm} cloud{n2}.{hst} cloud{n3}-{n1}.{hst} cluster{n2}.{hst} cpanel{n3}.{city}.{hst}
    cp{n2}.{hst} cp{n3}.{cc}{n1}.{hst} crm{n2}.{firm} customer.{firm} c{n1}b{n2}.{city}.{firm} c{n2}-{n2}.{hst}
    c{n4}.{city}.{hst} da{n3}.{city}.{hst} db{n2}.{city}.{firm} dc{n1}ex{N2}.{city}.{firm} dd{n5}.{hst}
    delivery{n3}-{n2}.{bulk} dialer{n2}.{firm} dns{n2}.{hst} ds{n3}.{hst} d{n3}.{city}.{bulk} e2i{n3}.{bulk}
    eastrmfepo{n3}.{firm} edge{n2}.{cc}{n1}.{bulk} em-{n5}.{bulk} erp.{city}.{firm} erp{n1}.{city}.{firm}
    esp{n2}-{n2}.{bulk} esx{n2}.{city}.{firm} es{n2}.{hst} eu{n1}-{n2}.{bulk} exch{n4}.ad.{firm} ex{N2}.corp.{firm}
    ex{n1}.{firm} e{c}-{d}.em.{bulk} e{n2}.{n3}.mail.{bulk} e{n3}.{city}.{bulk} fax{n1}.{firm} fed1rmmtao{n3}.{firm}
    flat{n1}.{firm} forum.{firm} fs{n1}dc{n1}.{city}.{firm} fw-{city}{n1}.{firm} gandalf.{firm} gator{n4}.{hst}
    git{n1}.{firm} gw-{cc}firma.{isp} gw.lan.{firm} hedwig{n1}.{firm} hermes.{city}.{firm} hosting{n5}.{hst}
    host{n2}.{hst} host{n3}.{city}.{hst} host{n4}.{hst} hpc{n1}.rz.{firm} hq.{firm} h{n2}.{hst} h{n3}.{hst}
    ib{n1}-{n2}.{bulk} imr-{let}{let}{N2}.mx.{bulk} ip-{n1}.smtp.{bulk} ip{n1}.{firm} ip{n2}.{bulk}
    ironport{n1}.{firm} i{c}-{d}.pmta.{bulk} jira{n2}.{firm} k8s-node-{n1}.{firm} kirk.{firm} kunden.{firm}
    kvm{n2}.{city}.{hst} lab{n2}.phys.{firm} lan.{firm} line{n2}.{firm} linux{n3}.{city}.{hst} lin{n2}.{hst}
    lin{n3}.{hst} lin{n4}.{city}.{hst} lists.{city}.{firm} ln{n2}.{city}.{bulk} lx-{n1}.cs.{firm} lx{n3}.hrz.{firm}
    mail-{c}-{d}.{bulk} mail-{let}{let}-{n5}.{bulk} mail-{let}{let}{n1}-f{d}.{bulk} mail-{n2}.{firm} mail.lan.{firm}
    mail.static.{isp} mail.{cc}firma.{isp} mail.{city}.{firm} mail.{city}bakery.{isp} mail.{firm}
    mailer{c}-{d}.{city}.{bulk} mailer{n3}.{city}.{bulk} mailhub{n1}.{city}.{firm} mailout{c}-{d}.{bulk}
    mail{d}.{city}{n3}.{bulk} mail{n1}.{city}.{firm} mail{n3}.suw{n2}.{bulk} max.{firm} max{n2}.{firm}
    mbox{n3}.{city}.{bulk} merkur{n1}.{firm} mmta{n1}-{c}-{d}.{bulk} modem.{firm} monitor{n1}.{firm}
    mo{n2}-{n3}.{bulk} mo{n3}.{city}.{bulk} ms{n2}-{n1}.{bulk} mta-{b}-{c}-{d}.{bulk} mta-{c}-{d}.{bulk}
    mta{d}.{bulk} mta{n3}.email.{firm} mta{n3}{let}.{bulk} mwinf5{let}{n2}.{firm} mx-{a}-{b}-{c}-{d}.{bulk}
    mx-{city}-{n1}.{firm} mxout-{c}-{d}.{bulk} mx{N2}.{firm} mx{n1}-{n1}.{bulk} mx{n3}.{bulk} m{c}-{d}.vip.{bulk}
    m{d}-{c}.{bulk} m{n2}-{d}.{bulk} m{n3}-{n2}.{bulk} m{n3}.{cc}{n1}.{bulk} nas.{firm} nas{n1}-{city}.{firm}
    nas{n2}.{firm} newsletter-{a}-{b}-{c}-{d}.{bulk} nmsh{n2}.e.{firm} nm{n2}-vm{n1}.bullet.mail.{bulk}
    node{n2}.{city}.{firm} node{n3}.{hst} notify{n2}-{n3}.{bulk} ns{n1}.{city}.{hst} ns{n5}.{hst}
    n{n1}-{n1}.{city}.{hst} odin.{city}.{firm} office.{city}.{firm} ok{n2}.{city}.{bulk} ord{n1}-{n3}.{bulk}
    out.{n5}.{bulk} outbound-mail-{d}.{bulk} outgoing{n4}.{bulk} out{a}-{b}-{c}-{d}.mail.{bulk} out{n1}-{n2}.{bulk}
    out{n3}.{bulk} o{c}-{d}.{bulk} o{n2}.em{n4}.{firm} o{n5}.outbound.{bulk} p3nlsmtp{N2}.prod.phx3.{hst}
    pc{n1}.{city}.{firm} phone{n1}.{firm} plesk{n2}.{hst} pluto{n2}.{firm} pmta{n3}.{city}.{bulk}
    pm{n1}.{city}.{firm} pm{n2}.{firm} pod{n2}-{n1}.{hst} portal{n1}.{firm} postbox{n2}.{firm}
    premium{n2}-{n1}.{hst} print{n2}.{firm} prod-{n2}.{city}.{firm} proxy{n1}.{city}.{firm} p{n2}.{city}.{hst}
    qmta{N2}.{city}.ca.mail.{bulk} r2d2.{firm} rack{n1}u{n2}.{city}.{hst} rack{n2}-{n2}.{hst} ras{n1}.{firm}
    relay-{a}-{b}-{c}-{d}.{bulk} relay{n1}.rz.{firm} root{n2}.{hst} router.{city}.{firm} rs{n4}.{hst}
    r{n1}s{n2}.{hst} r{n1}u{n2}.{city}.{hst} r{n2}.{cc}{n1}.{bulk} sender{n3}-{d}.{bulk} sendnode{n2}.{bulk}
    server{n2}-{city}.{firm} server{n3}.{hst} server{n4}.{city}.{hst} server{n5}.{hst} shared{n3}.{hst}
    shop{n2}.{firm} sh{n5}.{hst} sms{n2}.{firm} smtp-{b}-{c}-{d}.{bulk} smtp-{n1}.{city}.{firm} smtp{C}{D}.{bulk}
    smtp{n2}{let}.{bulk} sn{n3}.{bulk} srv-w2k12r2.{firm} srv-{n2}.{city}.{firm} srv{n3}.{hst} srv{n4}.{city}.{hst}
    srv{n5}.{hst} static.{firm} store{n3}.{firm} sun{n1}.{city}.{firm} sv{n4}.{hst} s{c}-{d}.send.{bulk}
    s{n1}-{n2}.{city}.{hst} s{n2}.{cc}{n1}.{bulk} s{n2}v{n2}.{bulk} s{n3}.{city}.{hst} s{n3}.{hst} s{n4}.{hst}
    term{n2}.{firm} thor{n1}.{city}.{firm} ticket{n2}.{firm} track{n3}.{bulk} ts{n1}.{firm} ts{n2}.{city}.{firm}
    txn-{n3}.{bulk} tx{n2}.{cc}{n1}.{bulk} t{n3}.trans.{bulk} uk-{n3}.{bulk} uk{n3}.{hst} users.{firm}
    users{n3}.phy.{hst} user{n2}.{firm} us{n1}-{n3}.{bulk} vh{n3}.{hst} viefep{n2}-int.{firm} vm-{n2}.{firm}
    vmail{n1}.{city}.{firm} vm{n3}.rz.{firm} vm{n3}.{city}.{hst} voip{n1}.{city}.{firm} vpn{n1}.{firm}
    vps{n1}.{firm} vps{n2}.{hst} vps{n3}.{hst} v{n2}.{city}.{hst} v{n4}.{hst} web{n3}-{n1}.{hst} web{n4}.{hst}
    web{n5}.mail.kks.{bulk} web{n5}.{city}.{hst} wp{n8}.{hst} www{n4}.{hst} www{n5}.{hst} w{n2}.{city}.{hst}
    xen{n2}.{city}.{hst} zeus.lan.{firm} zeus{n2}.{firm} z{n1}.{city}.{firm} {a}-{b}-{c}-{d}-dedicated.{hst}
    {a}-{b}-{c}-{d}.dedicated.{hst} {a}-{b}-{c}-{d}.mail.{bulk} {cc}-ex{N2}.{city}.{firm} {cc}-mail{n2}.{firm}
    {cc}-out-{n2}.{bulk} {cc}-prod-{n2}.{firm} {cc}0{n1}srv0{n1}.{city}.{firm} {cc}1ex{n2}.{city}.{firm}
    {cc}dc{n1}-srv{n2}.{firm} {cc}exch{N2}.{firm} {cc}ms{n1}.{city}.{firm} {cc}mx{n1}{let}.{firm}
    {cc}{n1}app{N2}.{city}.{firm} {cc}{n1}fe{N2}.{city}.{firm} {cc}{n1}lb{N2}.{city}.{firm}
    {cc}{n1}mgw{N2}.{city}.{firm} {cc}{n1}oa{n2}.{city}.{firm} {cc}{n1}pmx{n2}.{city}.{firm}
    {cc}{n1}q{n2}.{city}.{firm} {cc}{n1}rp{n2}.{city}.{firm} {cc}{n1}vm{N2}.{city}.{firm}
    {cc}{n1}web{n2}.{city}.{firm} {cc}{n2}.{city}.{firm} {cc}{n2}mbx{N2}.{city}.{firm} {cc}{n2}nod{n2}.{city}.{firm}
    {cc}{n2}srv{n2}.{city}.{firm} {cc}{n2}{let}.{firm} {city}-gw.{firm} {city}-srv{n1}.{firm}
    {city}-{n2}-{n2}.{firm} {city}{n1}.{firm} {city}{n3}.{city}.{hst} {let}{let}{N3}.{city}.{firm}
    {let}{let}{c}-{d}.mail.{bulk} {let}{let}{let}{n3}.{city}.{firm} {let}{let}{let}{n4}.{city}.{firm}
    {let}{let}{n1}-{n2}.mailer.{bulk} {let}{let}{n1}ad{N2}.{city}.{firm} {let}{let}{n1}blade{n2}.{city}.{firm}
    {let}{let}{n1}edg{n2}.{city}.{firm} {let}{let}{n1}zim{n2}.{city}.{firm} {let}{let}{n2}.{city}.{firm}
    {let}{let}{n2}hv{n2}.{city}.{firm} {let}{let}{n2}ms{n2}.{city}.{firm} {let}{let}{n3}.{city}.{hst}
    {let}{n1}.{firm} {let}{n1}host{n2}.{city}.{hst} {let}{n1}mx{n2}.{city}.{firm} {let}{n1}{let}{n1}.{city}.{firm}
    {let}{n2}pos{n2}.{city}.{firm} {let}{n2}{let}{n1}.{firm} {let}{n2}{let}{n2}.mail.{bulk} {let}{n3}.mailing.{bulk}
    {word}-mx{n2}.{bulk} {word}-{n2}.{bulk} {word}.{firm} {word}{c}.{d}.mail.{bulk} {word}{n2}.{city}.{firm}
    {word}{n3}.{hst}
    """.split()
)

_FIELD = re.compile(r"\{(\w+)\}")
_SYLLABLES = tuple(
    """
    ba be bi bo bri da do dra fa fe fi ga go ka ke ko kri la le lo ma me mi mo na ne no pa pe po ra re ri ro sa
    se si so sta ta te ti to tra va ve vi vo za zo
    """.split()
)
_CITIES = tuple(
    """
    bremen lyon gdansk turku porto graz leeds brno malmo pisa osaka boise tampere szeged varna cordoba quito
    manila nagoya tula perm omaha
    """.split()
)
_TLDS = tuple(
    """
    net net net com com de fr pl ru it se nl cz net.br ne.jp co.uk com.au com.tr net.id org.pl at info ua hu ro
    """.split()
)
_DOMAINS = {
    "isp": ("- - - net tel com kabel link online", (2, 3), _TLDS),
    "firm": ("- - -group -law tech", (2, 3, 4), _TLDS),
    "bulk": ("- mail send post news", (3,), ("com", "net", "io")),
    "hst": ("- - host hosting server web data", (2,), ("com", "net", "de", "ru", "eu", "jp")),
}


def names(kinds: tuple[str, ...], each: int, seed: int = 1) -> Iterator[tuple[str, str, IPv4Address]]:
    """Yield `each` names of every kind: the kind, the name, and the client's address."""
    for kind in kinds:
        n = random.Random(f"{seed} {kind}")
        for _ in range(each):
            address = IPv4Address(n.randrange(1 << 24, 224 << 24))
            yield kind, _name(kind, address, n), address


def _name(kind: str, address: IPv4Address, n: random.Random) -> str:
    octets = dict(zip("abcd", address.packed, strict=True))
    known = {"x": address.packed.hex(), "dec": str(int(address))}
    for letter, octet in octets.items():
        known |= {letter: str(octet), letter.upper(): f"{octet:03}", f"x{letter}": f"{octet:02x}"}
    return _FIELD.sub(lambda field: known.get(field[1]) or _random(field[1], n), kind.replace("{X}", "{x}"))


def _random(field: str, n: random.Random) -> str:
    if field in _DOMAINS:
        ends, lengths, tlds = _DOMAINS[field]
        end = n.choice(ends.split())
        return f"{_word(n, n.choice(lengths))}{'' if end == '-' else end}.{n.choice(tlds)}"
    if field in {"city", "cc"}:
        return n.choice(_CITIES)[: 3 if field == "cc" else None]
    if field == "let":
        return n.choice("abcdefghijklmnoprstuvwxyz")
    if field == "mac":
        return n.randbytes(6).hex("-")
    if field == "word":
        return _word(n, 3)
    size = int(field[1:])
    if field[0] == "h":
        return "".join(n.choices("0123456789abcdef", k=size))
    return str(n.randrange(10 ** (size - 1), 10**size)) if field[0] == "n" else f"{n.randrange(1, 100):0{size}}"


def _word(n: random.Random, syllables: int) -> str:
    return "".join(n.choices(_SYLLABLES, k=syllables))
