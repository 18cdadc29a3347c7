"""Mail a report: the summary as text, and the page with the charts as an attachment. The MTA's sendmail command sends it.

That command adds Date and Message-ID. Must never pass it an address that it would take for an option.

RFC 5322 (message), RFC 3834 section 5 (Auto-Submitted); sendmail(8) and sendmail(1) of Postfix.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from email.headerregistry import Address
from email.message import EmailMessage

from ..net.mailboxes import parse_mailbox
from ..text.exit_status import EX_IOERR, EX_UNAVAILABLE
from .common import Failure

PAGE_NAME = "rdns-milter-report.html"


def message(text: str, page: str, recipient: str, host: str, period: str) -> EmailMessage:
    """Return the message, with unix line ends. `text`: the summary; `page`: HTML; `host`: where the milter runs; `period`: the
    period of the report, or ""."""
    mail = EmailMessage()
    mail["Subject"] = f"rdns-milter on {host}: {period or 'no decisions'}"
    mail["From"] = Address("rdns-milter", "rdns-milter", host) if "." in host else "rdns-milter"
    mail["To"] = recipient
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte="quoted-printable")
    mail.add_attachment(page, subtype="html", filename=PAGE_NAME)
    return mail


def check_recipient(recipient: str) -> None:
    """Raise Failure if mail cannot be sent to that address."""
    mailbox = parse_mailbox(recipient)
    is_plain = recipient.isascii() and recipient.isprintable() and not set(recipient) & set(" ,;:<>()\"'\\")
    if not mailbox.readable or not mailbox.local or not is_plain or recipient.startswith("-"):
        raise Failure(f"{recipient!r} is not an address to which mail can be sent")


def send(mail: EmailMessage) -> None:
    """Give the message to the MTA. Raises Failure."""
    program = shutil.which("sendmail", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib")
    if program is None:
        raise Failure("--mail needs the sendmail command of an MTA, and there is none", EX_UNAVAILABLE)
    done = subprocess.run([program, "-oi", "--", str(mail["To"])], input=mail.as_bytes(), check=False)
    if done.returncode:
        raise Failure(f"{program} ended with status {done.returncode}", EX_IOERR)
