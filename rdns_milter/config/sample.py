"""The default configuration, annotated: what `config --sample` prints, and what holds where there is no file.

Options and their sentences come from the table in options; the rules stand here. They refuse only what is beyond doubt:
a HELO name that does not match (RFC 5321 4.1.4) or a softfail (RFC 7208 8.5) alone never is.
"""

from __future__ import annotations

import textwrap
from typing import Any

from ..text.toml import text
from .options import SECTIONS, Option, options_of

_WIDTH = 118

_HEAD = """\
# rdns-milter: the default configuration. Every option is here with its default; what you leave out keeps it.
# Rules have no defaults: a file without [[rule]] accepts everything.
#
#   rdns-milter config --check     says what is wrong with this file
#   rdns-milter check IP           tries one client
#
# New here? Set mode = "observe" below, read the log for some days, then set it back.
"""

_LISTS = """\
[lists]
# Named lists in files, one entry a line, "#" begins a comment; read again at a reload. Rules use them as "@NAME".
# A path without a leading slash starts where this file is.
# partners = "/etc/rdns-milter/partners.cidr"
"""

_RULES = """\
# --------------------------------------------------------------------------------------------------------------------
# Rules. Tried in this order; the first that matches decides. If none does, the message is accepted.
#
# when: all of it must hold. unless: none of it may hold. A list means: any of these.
# action: "accept", "tag" (accept, and add the header above), "tempfail" (try again later), "reject", "quarantine".
# shadow = true: log what the rule would do, and go on with the next one.
# DNS trouble (temperror) is never answered with a refusal: a rejection that hangs on it becomes "try again later".

# Whoever cannot reach you must be able to tell you so: postmaster (RFC 5321 section 4.5.1) and abuse (RFC 2142).
[[rule]]
name   = "postmaster"
when   = { rcpt = ["postmaster@", "abuse@"] }
action = "accept"

# A stranger greets with your own name or address (see own_names): a lie, and an old trick of spam senders. Should a
# host of yours be hit, list its address under [exempt].
[[rule]]
name   = "forged-own-name"
when   = { helo_own = "yes" }
action = "reject"

# Nothing speaks for this client: it has no reverse name, or none that leads back to it; the name with which it greets
# is not its own; and no domain says by SPF that it may send. One of these put right is enough to pass this rule.
[[rule]]
name   = "nothing-confirmed"
when   = { iprev = ["fail", "permerror"] }
unless = { helo = "pass", spf_helo = "pass", spf_mailfrom = "pass" }
action = "reject"

# The sender's domain says that this client may not send for it (SPF -all), and no reverse name speaks for the client.
[[rule]]
name   = "spf-fail-unconfirmed"
when   = { spf_mailfrom = "fail", iprev = ["fail", "permerror"] }
action = "reject"

# From here on messages are accepted and tagged, for your spam filter to weigh. A message has one tag: the weightiest
# findings come first.

# SPF -all says no, but the client is a proper mail host: forwarded mail looks like this, so it is not refused.
[[rule]]
name   = "spf-fail"
when   = { spf_mailfrom = "fail" }
action = "tag"

# The owner of the name with which the client greets says by SPF (-all) that the client may not use it.
[[rule]]
name   = "spf-helo-fail"
when   = { spf_helo = "fail" }
action = "tag"

# The reverse name is that of a pool, a dial-up or broadband line (192-0-2-7.dyn.example.net), and no SPF record says
# that it may send mail all the same.
[[rule]]
name   = "generic-name"
when   = { generic = "yes" }
unless = { spf_helo = "pass", spf_mailfrom = "pass" }
action = "tag"

# No reverse name at all (no PTR record); something else spoke for the client, or it would have been refused above.
[[rule]]
name   = "no-reverse-name"
when   = { iprev = "permerror" }
action = "tag"

# A reverse name that does not lead back to the client: anyone can claim any name.
[[rule]]
name   = "unconfirmed-name"
when   = { iprev = "fail" }
action = "tag"

# A greeting that is no full host name: nothing, nonsense, a bare address, or a single word (RFC 5321 section 2.3.5).
# Address literals such as [192.0.2.1] are allowed.
[[rule]]
name   = "malformed-helo"
when   = { helo_kind = ["missing", "invalid", "address", "unqualified"] }
action = "tag"

# The sender's domain thinks that this client probably may not send for it (SPF ~all): too weak to refuse.
[[rule]]
name   = "spf-softfail"
when   = { spf_mailfrom = "softfail" }
action = "tag"

# The sender's SPF record is broken: a mistake of its owner, who may well be honest.
[[rule]]
name   = "spf-permerror"
when   = { spf_mailfrom = "permerror" }
action = "tag"

# An example of your own: a stricter rule, tried out first. Put it in front of the tags. The log will say
# would=reject shadow_rule=no-reverse-name-strict; once you like what you see, take out the line with shadow.
#
# [[rule]]
# name   = "no-reverse-name-strict"
# when   = { iprev = "permerror", spf_mailfrom = ["none", "neutral", "softfail", "permerror"] }
# unless = { client = "@partners", rcpt = ["sales@", "support@example.com"] }
# action = "reject"
# shadow = true
"""


def sample() -> str:
    """The whole file."""
    sections = [_section(name, section) for name, section in SECTIONS.items()]
    return "\n".join((_HEAD, *sections, _LISTS, _RULES))


def _section(name: str, section: type[Any]) -> str:
    options = options_of(section).values()
    return f"{_comment(section.doc)}[{name}]\n" + "".join(map(_option, options))


def _option(option: Option) -> str:
    unit = f" In {option.unit}." if option.unit else ""
    default = option.kind.write(option.default) if isinstance(option.default, int) else text(option.default)
    return f"{_comment(option.doc + unit)}{option.key} = {default}\n"


def _comment(sentences: str) -> str:
    return "".join(
        f"# {line}\n" for line in textwrap.wrap(sentences, _WIDTH, break_long_words=False, break_on_hyphens=False)
    )
