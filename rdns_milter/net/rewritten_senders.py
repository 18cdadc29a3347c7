"""Find the original sender of a message whose sender a forwarder has rewritten with SRS. Behind that forwarder SPF is checked for
the domain of the original sender.

Pure. Reads the two forms of SRS addresses, and does not verify their hash: only senders that a relay of ours hands on are read.

Sender Rewriting Scheme (SRS0 and SRS1), which no RFC describes; RFC 5321 4.1.2 (mailboxes).
"""

from __future__ import annotations

import re

from .mailboxes import Mailbox
from .names import canonical, is_domain

# "SRS0=hash=time=domain=local", "SRS1=hash=forwarder==hash=time=domain=local". The first separator can be "+" or "-", too.
_SRS0 = re.compile(r"SRS0[=+-][^=]+=[^=]+=([^=]+)=(.+)\Z", re.IGNORECASE | re.DOTALL)
_SRS1 = re.compile(r"SRS1[=+-][^=]+=([^=]+)=([=+-].+)\Z", re.IGNORECASE | re.DOTALL)


def original_sender(sender: Mailbox) -> Mailbox:
    """Return the sender as it was before the last forwarder rewrote it; the sender itself if it is no SRS address."""
    if match := _SRS0.match(sender.local):
        local, domain = match[2], canonical(match[1])
    elif match := _SRS1.match(sender.local):
        local, domain = f"SRS0{match[2]}", canonical(match[1])
    else:
        return sender
    return Mailbox(local, domain) if is_domain(domain) else sender
