"""The sample configuration: printed by `config --sample`, and in force if there is no configuration file.

Options and their descriptions come from the table in config/options.py. The default rules are here. They must refuse only what is
beyond doubt: never because of a HELO name that does not match (RFC 5321 4.1.4) or a softfail (RFC 7208 8.5) alone. Tests compare
the policy digest, which fixes the meaning of the rules.
"""

from __future__ import annotations

import textwrap
from typing import Any

from .option_types import Option
from .options import SECTIONS, options_of

_WIDTH = 118

_HEAD = """\
# Configuration of rdns-milter. This file has every option with its default value and the default rules. An option that
# you remove keeps its default. Rules have no default: without any [[rule]] in the file every message is accepted.
#
#   rdns-milter config --check     reports the errors in this file
#   rdns-milter config --lint      also warns of settings that violate an RFC
#   rdns-milter check IP           shows how one client would be judged
#
# To begin with, set mode = "observe" below, and read the log for some days before you change it back to "enforce".
"""

_LISTS = """\
[lists]
# Named lists in files: one entry a line, "#" begins a comment. Rules use a list as "@NAME"; a list that no rule uses
# has no effect. A relative path starts at the directory of this file. A reload reads the lists again.
# partners = "/etc/rdns-milter/partners.cidr"
"""

_DNS_LISTS = """\
[dnslists]
# DNS lists by the names that rules use: dnslist = "dnswl", or dnslist = "dnswl:127.0.*.2-3" for certain answers. A list
# is asked only if a rule names it. Most lists answer only a resolver of your own, and have conditions of use.
# dnswl = "list.dnswl.org"
"""

_RULES = """\
# --------------------------------------------------------------------------------------------------------------------
# Rules are tried in this order. The first one that matches decides. If none matches, the message is accepted.
#
# when: all conditions must hold. unless: none of the conditions may hold. A list of values means any of them.
# Names: "example.com" is that name only; ".example.com" is all names below it, but not example.com itself.
# action: "accept", "tag" (accept, and add the header field headers.tag), "tempfail" (refuse for now; the sender tries
#         again later), "reject", or "quarantine" (accept, but the MTA holds the message).
# shadow = true: only log what the rule would do, and try the next rule.
# A temporary DNS error (temperror) never causes a permanent refusal: where a rule would reject because of a fact that
# is temperror, the message gets "tempfail" instead.

# Everybody must be able to reach postmaster (RFC 5321 section 4.5.1) and abuse (RFC 2142), to report a problem.
[[rule]]
name   = "postmaster"
when   = { rcpt = ["postmaster@", "abuse@"] }
action = "accept"

# Another host uses your own name or address in HELO (see own_names). That is false, and common in spam. If this rule
# hits a host of yours, add its address to exempt.networks.
[[rule]]
name   = "forged-own-name"
when   = { helo_own = "yes" }
action = "reject"

# Nothing confirms this client. It has no reverse name, or none that resolves back to its address; its HELO name does
# not resolve to its address; and no SPF record allows it to send. If one of these is corrected, this rule does not
# match.
[[rule]]
name   = "nothing-confirmed"
when   = { iprev = ["fail", "permerror"] }
unless = { helo = "pass", spf_helo = "pass", spf_mailfrom = "pass" }
action = "reject"

# The sender's domain forbids this client to send for it (SPF -all), and the client has no confirmed reverse name.
[[rule]]
name   = "spf-fail-unconfirmed"
when   = { spf_mailfrom = "fail", iprev = ["fail", "permerror"] }
action = "reject"

# The rules from here on accept the message and tag it, so that your spam filter can evaluate the tag. A message gets
# only one tag: the rules about the most serious faults come first.

# The sender's domain forbids this client to send for it (SPF -all), but its reverse name is confirmed. Forwarded mail
# looks like this, therefore it is not refused.
[[rule]]
name   = "spf-fail"
when   = { spf_mailfrom = "fail" }
action = "tag"

# The domain of the HELO name forbids this client to use the name (SPF -all).
[[rule]]
name   = "spf-helo-fail"
when   = { spf_helo = "fail" }
action = "tag"

# The reverse name is that of an address pool, a dial-up or a broadband line, such as 192-0-2-7.dyn.example.net, and no
# SPF record allows the client to send.
[[rule]]
name   = "generic-name"
when   = { generic = "yes" }
unless = { spf_helo = "pass", spf_mailfrom = "pass" }
action = "tag"

# The client has no reverse name (no PTR record), but it passed the rules above: something else confirms it.
[[rule]]
name   = "no-reverse-name"
when   = { iprev = "permerror" }
action = "tag"

# The reverse name does not resolve back to the client's address. Such a name proves nothing: any name can be put there.
[[rule]]
name   = "unconfirmed-name"
when   = { iprev = "fail" }
action = "tag"

# The HELO name is not a full host name: it is missing, invalid, an address without brackets, or a single label (RFC
# 5321 section 2.3.5). Address literals such as [192.0.2.1] are allowed.
[[rule]]
name   = "malformed-helo"
when   = { helo_kind = ["missing", "invalid", "address", "unqualified"] }
action = "tag"

# The sender's domain says that this client is probably not allowed to send for it (SPF ~all). That is not enough to
# refuse the message.
[[rule]]
name   = "spf-softfail"
when   = { spf_mailfrom = "softfail" }
action = "tag"

# The SPF record of the sender's domain has an error. Honest senders make such errors, too.
[[rule]]
name   = "spf-permerror"
when   = { spf_mailfrom = "permerror" }
action = "tag"

# An example: a stricter rule that is only tried out at first. It belongs before the rules that tag. While it has
# shadow, the log has would=reject shadow_rule=no-reverse-name-strict for each message that it would refuse. Remove the
# line with
# shadow to put the rule in force. It needs a list named "partners": see [lists].
#
# [[rule]]
# name   = "no-reverse-name-strict"
# when   = { iprev = "permerror", spf_mailfrom = ["none", "neutral", "softfail", "permerror"] }
# unless = { client = "@partners", rcpt = ["sales@", "support@example.com"] }
# action = "reject"
# shadow = true
"""


def sample() -> str:
    """Return the whole file."""
    sections = [_section(name, section) for name, section in SECTIONS.items()]
    return "\n".join((_HEAD, *sections, _LISTS, _DNS_LISTS, _RULES))


def _section(name: str, section: type[Any]) -> str:
    options = options_of(section).values()
    return f"{_comment(section.doc)}[{name}]\n" + "".join(map(_option, options))


def _option(option: Option) -> str:
    unit = f" In {option.unit}." if option.unit else ""
    return f"{_comment(option.doc + unit)}{option.key} = {option.default_toml()}\n"


def _comment(sentences: str) -> str:
    return "".join(
        f"# {line}\n" for line in textwrap.wrap(sentences, _WIDTH, break_long_words=False, break_on_hyphens=False)
    )
