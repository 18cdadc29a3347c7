"""Words and domains by which checks/generic.py recognizes access networks and mail senders.

Immutable tables only: no function, no decision. Points add up to THRESHOLD in checks/generic.py. Words are compared whole (a name
is split at dots, hyphens and digits), stems also inside longer words. No word may consist of the letters a to f only, because
hexadecimal addresses contain such groups.
"""

# ruff: noqa: SIM905 - quoted one by one the words would take three times as many lines

from __future__ import annotations

from types import MappingProxyType

# Placeholders for a name that has not been set.
PLACEHOLDERS = frozenset(
    "generic localhost unassigned unallocated unused unconfigured undefined unknown noptr nordns reserved invalid".split()
)

_POINTS = {
    # The type of an access line, or an address that changes: sufficient alone.
    3: """
        dyn dynamic dynip dynamicip dynadsl dyndsl ddns dinamic dinamico dinamica dinamik dinamis dinamikus dinamicka
        dinamichna dinamichnyj
        dynamique dynamisch dynamisk dynamiska dynaaminen dynamiczny dynamiczne dynamicky dynamicka dynamicznie dhcp bootp ppp
        pppoe pppoa pptp dial dialup dialin dsl adsl vdsl xdsl sdsl hdsl shdsl idsl gdsl dslam isdn modem modems
        cablemodem modemcable catv docsis hfc broadband breitband bredband bredbaand laajakaista ftth fttb fttx fttc fttp
        gpon epon wimax gprs umts hsdpa hspa evdo cdma lte genericrev dclient slip megaline
    """,
    # The customer of an access provider, or the kind of assignment.
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
    # Significant only together with a number or an address.
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

# Occurs in serial numbers by chance: counts only if separated by dots or hyphens; digits may follow.
SHORT = MappingProxyType({"3g": 3, "4g": 3, "5g": 3, "bb": 2})

# Parts of compound words ("dynpool", "adslcust"). Without the one-letter words, with which almost any word is a compound.
PARTS = MappingProxyType({word: points for word, points in WORDS.items() if len(word) > 1})

# Matched anywhere in a word of five letters or more.
STEMS = ("adsl", "vdsl", "xdsl", "sdsl", "dhcp", "pppoe", "dialup", "dialin", "broadband", "ftth", "gprs", "wimax")
# Matched at the start or the end of such a word.
EDGES = ("dsl", "cablemodem", "catv", "umts")

# Of several words: searched for in the whole name.
PHRASES = (
    "hosted-by", "in-addr", "no-rdns", "no-reverse", "no-ptr", "no-dns", "not-assigned", "not-set",
    "rdns-not", "reverse-not", "default-rdns", "reverse-dns", "not-configured",
)  # fmt: skip

# Dial-in and terminal servers, by vendor or function, and the names of their ports.
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

# Virtual machines of hosting providers: with a number of at least four digits (HOSTED) or five digits (HOSTED_MANY).
HOSTED = ("vps", "vds", "kvm", "xen", "ovz", "vz", "vmi", "vserver", "vs", "lxc")
HOSTED_MANY = ("vm", "cloud", "instance", "node", "srvr", "guest", "client", "customer", "cust")

# Prefixes that senders of bulk mail use in host names.
SHORT_SENDERS = frozenset("m mx mta mo ms mf mm e o a p s out em sn mail smtp".split())
# Those of them that denote a sender however long the number after them is.
BULK_SENDERS = frozenset("m mx mta mo ms mf mm e o out em sn mail smtp".split())
# Abbreviations in names of servers ("lon1ex12", "dc2-srv14", "web10234").
SERVER_PARTS = frozenset(
    """
    ex exc xch srv sv svr ser serv dc db sql web www app api mx ns fw gw lb ha hv esx esxi ad ts rds fs rp px prx ftp dns
    iis lx lin linux win wp cp hst site kvm xen nag mon git k8s pod stor nfs san ldap dmz owa cas hub edge bkp bak rly
    fe be ms mr mm mg gx ep io pg my lo vs vh vp sh nd cl cs rd er cr sw pe ce rt is
    """.split()
)
# Second labels that are not places, but part of an organization's own naming scheme.
NO_PLACES = frozenset(
    """
    prod corp core infra intern internal office hosting server servers cloud data cluster site test stage staging mail smtp
    mailout outbound relay mgmt admin colo rack node nodes hosts systems services apps public private
    """.split()
)

# In a registered domain: the name of an access provider.
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
# Counted in the first label only: "pop", for example, is also a network's point of presence.
MAIL_WORDS_FIRST = frozenset("pop list post send info owa alerts noreply".split())
MAIL_STEMS = ("mail", "smtp")

# Servers and network devices, which have an administrator; in the first label.
INFRASTRUCTURE = frozenset(
    """
    gw gateway gate fw firewall router rtr ns dns vpn www web server srv svr serv serwer proxy sv ftp voip pbx monitor
    cpanel plesk whm hosting webhost hq remote edge autodiscover cluster app api portal intranet cloudserver box gator
    """.split()
)
DEDICATED = frozenset("dedicated dedi dediserver rootserver colo colocation".split())

# Domains of networks that contain only customers. Most access networks need no entry, because their names contain the address or a
# word; these are networks whose names often contain neither.
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

# Mail providers and mailing services: their numbered hosts are not generic, whatever else the name contains.
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

# Second-level labels under which country domains register (a small substitute for the Public Suffix List: an error has little
# effect here).
SECOND_LEVEL = frozenset(
    """
    ac ad asn co com edu ed go gob gov gouv gub gv id in info ind k12 lg ltd me mil mod my name ne net nhs nic nom org or
    plc psi sch tm web
    """.split()
)
