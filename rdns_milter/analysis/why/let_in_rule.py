"""Write the lines of configuration that would let mail such as that of one decision in, for `why`.

Pure. Such a rule never rests on the client's own word (an unconfirmed name or the greeting), and it ends by itself.

RFC 8601 section 2.7.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

from ...logs.decision_keys import NULL_PATH
from ...net.mailboxes import parse_mailbox
from ...net.names import is_domain
from ...policy.rules import ACCEPT
from ...text.toml import text as toml

LET_IN_DAYS = 30


def let_in_rule(fields: Mapping[str, str], today: date) -> tuple[str, ...]:
    """Return a rule for mail such as this. It tests the confirmed reverse name or the address, and the sender's domain. Return ()
    if no such rule is possible."""
    client, mailfrom = fields.get("client", ""), fields.get("mailfrom", "")
    if not client or fields["rule"].startswith("limit:"):
        return ()
    host = fields.get("ptr", "") if fields.get("iprev") == "pass" else ""
    conditions = {"ptr": host} if host and is_domain(host) else {"client": client}
    domain = parse_mailbox(mailfrom).domain if mailfrom not in ("", NULL_PATH) else ""
    if domain and is_domain(domain):
        conditions["mailfrom"] = domain
    subject = re.sub(r"[^a-z0-9]+", "-", (domain or host or client).lower()).strip("-")[:60]
    return (
        "[[rule]]",
        f"name = {toml(f'let-in-{subject}')}",
        f"when = {toml(conditions)}",
        f"action = {toml(ACCEPT)}",
        f"until = {toml(today + timedelta(days=LET_IN_DAYS))}",
    )
