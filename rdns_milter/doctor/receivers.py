"""Two receivers to whom this host sends: one with the default rules, and one as strict as the big mailbox providers.

Rules only; makes no query. Neither receiver knows this host: none of its exemptions and own names count there.

RFC 8601 2.7.3 (iprev), RFC 5321 4.1.1.1 (HELO), RFC 7208.
"""

from __future__ import annotations

from dataclasses import replace

from ..config.load import BUILT_IN, Config, parse
from ..config.sample import sample
from ..config.sections.dns import Dns
from ..config.sections.exempt import Exempt
from ..net.networks import Networks
from ..policy.rules import Policy

# The name by which the receiver would be greeted: never one of ours.
RECEIVER = "receiver.invalid"
# The providers publish what they require: a confirmed reverse name, a valid HELO name, and SPF or DKIM. DKIM is not seen here.
_STRICT = """
[[rule]]
name   = "no-confirmed-reverse-name"
when   = { iprev = ["fail", "permerror"] }
action = "reject"

[[rule]]
name   = "generic-reverse-name"
when   = { generic = "yes" }
action = "reject"

[[rule]]
name   = "helo-is-no-host-name"
when   = { helo_kind = ["missing", "invalid", "address", "unqualified", "literal"] }
action = "reject"

[[rule]]
name   = "helo-does-not-resolve"
when   = { helo = ["fail", "permerror"] }
action = "reject"

[[rule]]
name   = "spf-helo-not-allowed"
when   = { spf_helo = ["fail", "permerror"] }
action = "reject"

[[rule]]
name   = "spf-does-not-pass"
when   = { spf_mailfrom = ["fail", "softfail", "neutral", "none", "permerror"] }
action = "reject"

[[rule]]
name   = "trouble"
when   = { iprev = "temperror" }
action = "tempfail"

[[rule]]
name   = "spf-trouble"
when   = { spf_mailfrom = "temperror" }
action = "tempfail"
"""


def neutral_config(dns: Dns) -> Config:
    """Return a configuration that collects every fact and refuses nothing. `dns`: its section [dns]."""
    return replace(parse(sample(), BUILT_IN), dns=dns, exempt=Exempt(networks=Networks()), policy=Policy())


def default_rules() -> Policy:
    """Return the rules that the milter ships with."""
    return parse(sample(), BUILT_IN).policy


def strict_rules() -> Policy:
    """Return the rules of a strict receiver."""
    return parse(_STRICT, BUILT_IN).policy
