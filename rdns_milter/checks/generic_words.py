"""The words and domains by which `generic` knows an access network or a sender of mail.

Tables only, immutable: no function, no decision. Points are those of checks/generic.py, where THRESHOLD says how many make a
name generic. Words are matched whole (a name is cut at dots, dashes and digits), stems inside longer words. No word may
consist of a to f alone: hexadecimal addresses are full of them.
"""

# ruff: noqa: SIM905 - quoted one by one the words would fill three times the lines

from __future__ import annotations

from types import MappingProxyType

# stands where nobody has set a name
PLACEHOLDERS = frozenset(
    "generic localhost unassigned unallocated unused unconfigured undefined unknown noptr nordns reserved invalid".split()
)

_POINTS = {
    # says by itself how the line is made or that the address changes
    3: """
        dyn dynamic dynip dynamicip dynadsl dyndsl ddns dinamic dinamico dinamica dinamik dinamis dinamikus dinamicka
        dinamichna dinamichnyj
        dynamique dynamisch dynamisk dynamiska dynaaminen dynamiczny dynamiczne dynamicky dynamicka dynamicznie dhcp bootp ppp
        pppoe pppoa pptp dial dialup dialin dsl adsl vdsl xdsl sdsl hdsl shdsl idsl gdsl dslam isdn modem modems
        cablemodem modemcable catv docsis hfc broadband breitband bredband bredbaand laajakaista ftth fttb fttx fttc fttp
        gpon epon wimax gprs umts hsdpa hspa evdo cdma lte genericrev dclient slip megaline
    """,
    # says who sits at the end of the line
    2: """
        pool pools pula piscina puli bassein cable kabel cabel cabo kablo kabelnet kaapeli mobile mobil movil movel
        mobiel wireless wifi wlan wlans cust custs customer customers kunden
        kunde cliente clientes clienti client clients abo abonent abonne abonnes abonado subs subscriber subscribers
        subnet user usuario usuarios cpe bband surfer residential retail resnet dorm dorms access wline bbcs
        fiber fibre fibra fios hotspot revip inaddr ipoe bras lns bng telecable priv speedy fls lan pstn bldg apartment
        accesso acceso acces acesso zugang pristup pripojka pripojeni pripojenie spojenie prikljucak hogar hogares domowy
        domowa domacnost domashniy otthon lakossagi lakossag satelit satelite satellite residencial residenziale
        residentiel rezidential domicilio domestico bandaancha bandalarga inalambrico particulier particuliers sansfil
        haushalt glasfaser glasvezel wohnheim thuis tradlos tradlost langaton valokuitu kuitu hushall hjemme pretplatnik
        abonat rumah hogiadinh kaisen hikari mansion mushtarik moshtari kvartira lacze lacza swiatlowod optika
        tilslutning conexion conexao connexion
        linea linha ligne linja linje linka liniya lijn leitung flat
        static statica staticip
        pon gepon xgpon xpon olt onu ont vsat lmds mmds wisp hsia apn uewba cgn cgnat
        klient klienti klienty klijent klijenti klients klientas kund kunder kundar klant klanten asiakas musteri zakaznik
        zakaznici ugyfel ugyfelek pelanggan khachhang nguoidung thuebao abone abonenti abonenty abonents abonados
        abonnement abonnent abonnenten teilnehmer anschluss nutzer benutzer gebruiker gebruikers bruger bruker anvandare
        uzytkownik uzytkownicy uzivatel korisnik korisnici vartotojas lietotajs kasutaja utente utenti utilisateur
        utilisateurs utilizador utilizadores utilizator utilizatori assinante assinantes suscriptor suscriptores
        felhasznalo elofizeto predplatnik uporabnik pengguna kullanici polzovatel pelates syndromitis
    """,
    # goes with a number or an address, says nothing without
    1: """
        sta stat statik fixed fix fixip ip ips host hst node rev reverse home house res biz
        business isp nat net network pc pcs adr addr ipaddr members member vps vds vm vserver cloud compute instance
        node nodes h users cm dh cp lns nas bas ras line leased sabit statisch statisk statyczny statyczne staticky
        estatico estatica fisso fija fijo fixe festeip kotikone
        ll inet connect customerip wan upc hsi hsia
        telecom telekom hosted rdns ipv ap band link lightspeed red
    """,
}
WORDS = MappingProxyType(
    {word: points for points, words in _POINTS.items() for word in words.split()} | dict.fromkeys(PLACEHOLDERS, 3)
)

# would be found by chance in serial numbers: counts only between dots and dashes, digits after it or not
SHORT = MappingProxyType({"3g": 3, "4g": 3, "5g": 3, "bb": 2})

# parts that may make up a word of two ("dynpool", "adslcust"); one-letter words would make anything up
PARTS = MappingProxyType({word: points for word, points in WORDS.items() if len(word) > 1})

# matched anywhere inside a word of five letters or more
STEMS = ("adsl", "vdsl", "xdsl", "sdsl", "dhcp", "pppoe", "dialup", "dialin", "broadband", "ftth", "gprs", "wimax")
# matched at the beginning or the end of such a word
EDGES = ("dsl", "cablemodem", "catv", "umts")

# of several parts, so looked for in the whole name
PHRASES = (
    "hosted-by", "in-addr", "no-rdns", "no-reverse", "no-ptr", "no-dns", "not-assigned", "not-set",
    "rdns-not", "reverse-not", "default-rdns", "reverse-dns", "not-configured",
)  # fmt: skip

# dial-in servers and terminal servers by the names of their makers or their work, and what their ports are called
DIAL_IN = (
    "max",
    "tnt",
    "pm",
    "nas",
    "das",
    "ras",
    "usr",
    "modem",
    "async",
    "hiper",
    "apx",
    "dial",
    "dialin",
    "term",
)
DIAL_IN_PORTS = ("port", "line", "slot", "modem", "chan", "tty", "dialup", "async")

# virtual machines of hosters: with a number of four digits or more, or of five or more
HOSTED = ("vps", "vds", "kvm", "xen", "ovz", "vz", "vmi", "vserver", "vs", "lxc")
HOSTED_MANY = ("vm", "cloud", "instance", "node", "srvr", "guest", "client", "customer", "cust")

# letters with which senders of bulk mail begin the names of their hosts
SHORT_SENDERS = frozenset("m mx mta mo ms mf mm e o a p s out em sn mail smtp".split())
# of these, the letters that stay a sender's however long the number behind them is
BULK_SENDERS = frozenset("m mx mta mo ms mf mm e o out em sn mail smtp".split())
# abbreviations in the names of servers ("lon1ex12", "dc2-srv14", "web10234")
SERVER_PARTS = frozenset(
    """
    ex exc xch srv sv svr ser serv dc db sql web www app api mx ns fw gw lb ha hv esx esxi ad ts rds fs rp px prx ftp dns
    iis lx lin linux win wp cp hst site kvm xen nag mon git k8s pod stor nfs san ldap dmz owa cas hub edge bkp bak rly
    fe be ms mr mm mg gx ep io pg my lo vs vh vp sh nd cl cs rd er cr sw pe ce rt is
    """.split()
)
# second labels that are no places: somebody's own order
NO_PLACES = frozenset(
    """
    prod corp core infra intern internal office hosting server servers cloud data cluster site test stage staging mail smtp
    mailout outbound relay mgmt admin colo rack node nodes hosts systems services apps public private
    """.split()
)

# in the registered domain: an access provider's name, worth one point
PROVIDER_STEMS = (
    "dsl", "cable", "kabel", "catv", "broadband", "dialup", "wireless", "telecom", "telekom", "telefon", "fibr", "fiber",
    "bband", "netvigator", "mobile", "ftth", "ovh",
)  # fmt: skip

MAIL_WORDS = frozenset(
    """
    mail mx mta smtp esmtp smtps out outbound outgoing mout outmx relay relais mailer bounce bounces newsletter newsletters
    listserv exim postfix exchange exch imap zimbra esa ironport barracuda spamfilter antispam spam mimecast fortimail
    postmaster posta poczta pochta correo correos correio courriel epost posti levelezes delivery dispatch sender notify
    notification notifications transactional campaign marketing news lists bulk egress smarthost mimesweeper mbox emv
    """.split()
)
# a network's point of presence is "pop", too: these count in the first label only
MAIL_WORDS_FIRST = frozenset("pop list post send info owa alerts noreply".split())
MAIL_STEMS = ("mail", "smtp")

# a machine somebody cares for; in the first label
INFRASTRUCTURE = frozenset(
    """
    gw gateway gate fw firewall router rtr ns dns vpn www web server srv svr serv serwer proxy sv ftp voip pbx monitor
    cpanel plesk whm hosting webhost hq remote edge autodiscover cluster app api portal intranet cloudserver box gator
    """.split()
)
DEDICATED = frozenset("dedicated dedi dediserver rootserver colo colocation".split())

# Networks, or parts of them, that hold customers only: two points for whatever is in them. Most access networks need no
# entry, for their names hold the address or a word; here are those whose names often hold neither.
ACCESS = frozenset(
    """
    t-ipconnect.de t-dialin.net arcor-ip.net vodafone-ip.de kabel-deutschland.de versanet.de versatel-1u1.de alicedsl.de
    d1-online.com dyn.telefonica.de pool.telefonica.de surfer.at proxad.net
    abo.wanadoo.fr abo.orange.fr abo.bbox.fr rev.sfr.net rev.gaoland.net rev.numericable.fr cybercable.fr
    access.telenet.be static.telenet.be dynamic.ziggo.nl home.nl btcentralplus.com btopenworld.com virginm.net
    bb.sky.com skybroadband.com rima-tde.net netcabo.pt tvcabo.pt retail.telecomitalia.it priv.bahnhof.se
    cust.bahnhof.se bbcust.telenor.se cust.telenor.se bb.online.no dhcp.inet.fi elisa-laajakaista.fi rdsnet.ro
    red.bezeqint.net alshamil.net.ae airtelbroadband.in in2cable.com actcorp.in ocn.ne.jp bbtec.net nttpc.ne.jp zaq.ne.jp
    rev.home.ne.jp ap.nuro.jp hkcable.com.hk dynamic.hinet.net 163data.com.cn cncnet.net viettel.vn vdc.vn vnpt.vn fpt.vn
    telepar.net.br brasiltelecom.net.br veloxzone.com.br virtua.com.br prod-infinitum.com.mx cm.vtr.net yota.ru
    hsd1.comcast.net myvzw.com optonline.net res.rr.com biz.rr.com res.spectrum.com biz.spectrum.com mycingular.net
    tmodns.net shawcable.net cpe.net.cable.rogers.com dsl.bell.ca mc.videotron.ca
    members.linode.com clients.your-server.de contaboserver.net stratoserver.net onlinehome-server.info
    onlinehome-server.com ip.secureserver.net rev.poneytelecom.eu bc.googleusercontent.com vps.ovh.net
    """.split()
)

# Who sends mail for a living: their numbered hosts are not a pool, whatever else the name holds.
SENDERS = frozenset(
    """
    google.com gmail.com outlook.com hotmail.com live.com msn.com microsoft.com office365.com amazonses.com amazon.com
    sendgrid.net sendgrid.com mandrillapp.com rsgsv.net mcsv.net mcdlv.net mailchimp.com mailgun.net mailgun.org mailgun.us
    mailgun.info mtasv.net sparkpostmail.com sparkpost.com salesforce.com exacttarget.com yahoo.com yahoodns.net aol.com
    apple.com me.com icloud.com qq.com 163.com 126.com yeah.net netease.com aliyun.com sina.com.cn sohu.com
    kundenserver.de rzone.de gmx.net gmx.de web.de mailbox.org perfora.net zoho.com zoho.eu zoho.in zohomail.com
    messagingengine.com protonmail.ch proton.ch mimecast.com pphosted.com gpphosted.com ppe-hosted.com barracuda.com
    barracudanetworks.com facebook.com facebookmail.com linkedin.com twitter.com x.com constantcontact.com ccsend.com
    hubspotemail.net hubspot.com pardot.com marketo.org mktomail.com mktdns.com sendinblue.com brevosend.com brevo.com
    mailin.fr mailjet.com mailersend.net customeriomail.com intercom-mail.com zendesk.com zdsys.com github.com migadu.com
    gandi.net hostedemail.com emailsrvr.com unifiedlayer.com websitewelcome.com dreamhost.com mailchannels.net
    privateemail.com titan.email runbox.com tutanota.de tutao.de posteo.de kasserver.com ispgateway.de messagelabs.com
    antispameurope.com hornetsecurity.com mailhop.org yandex.net yandex.ru mail.ru rambler.ru ukr.net fwdcdn.com
    seznam.cz onet.pl wp.pl cloudfilter.net responsys.net silverpop.com cheetahmail.com chtah.net epsl1.com bmsend.com
    createsend.com aweber.com getresponse.com klaviyomail.com iterable.com activehosted.com acems1.com acemsrvc.com
    infusionmail.com elasticemail.net smtp2go.com smtp.com socketlabs.com email-od.com mxroute.com mxrouting.net
    registrar-servers.com spamexperts.com antispamcloud.com mailspamprotection.com iphmx.com trendmicro.com
    trendmicro.eu reflexion.net appriver.com sophos.com retarus.com debian.org kernel.org gnu.org apache.org python.org
    freebsd.org sourceforge.net ebay.com paypal.com groupon.com netflix.com booking.com cisco.com oracle.com ibm.com
    """.split()
)

# Second labels under which countries register (a short cut of the Public Suffix List: here a wrong cut costs little).
SECOND_LEVEL = frozenset(
    """
    ac ad asn co com edu ed go gob gov gouv gub gv id in info ind k12 lg ltd me mil mod my name ne net nhs nic nom org or
    plc psi sch tm web
    """.split()
)
