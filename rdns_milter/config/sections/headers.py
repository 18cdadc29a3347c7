"""The section [headers]: the header fields that are added and removed, and the hosts whose results are kept.

Declares options only; no I/O. Names, order and defaults of the options are part of the public interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...net.networks import Networks
from ..option_types import boolean, list_of, one_or_list_of, option, string
from ..value_parsers import read_authserv_id, read_field_name, read_network, write_network

# ruff: noqa: RUF009 - defaults are made by calls, but they are immutable


@dataclass(frozen=True, slots=True)
class Headers:
    """[headers]. `authserv_ids`: all that are ours; empty for the MTA's own name."""

    doc: ClassVar[str] = (
        "Header fields that are added to accepted messages, and forged ones that are removed from them."
    )

    @property
    def authserv_id(self) -> str:
        """The authserv-id that is written, "" for the MTA's own name."""
        return self.authserv_ids[0] if self.authserv_ids else ""

    authserv_ids: tuple[str, ...] = option(
        "authserv_id",
        one_or_list_of("an authserv-id (letters, digits, dots, hyphens and underscores)", read_authserv_id),
        "",
        "The authserv-id: the name at the start of an Authentication-Results field that says which system has made the checks (RFC"
        " 8601 section 2.5). Use the same on all your MTAs. Of a list the first is written, and incoming results with any of them"
        " are removed as forged. Empty: the name of the MTA.",
    )
    authentication_results: bool = option(
        "authentication_results",
        boolean(),
        True,
        "Whether to add Authentication-Results (RFC 8601) with the results of iprev and SPF.",
    )
    received_spf: bool = option(
        "received_spf", boolean(), False, "Whether to add Received-SPF (RFC 7208 section 9.1) as well."
    )
    tag: str = option(
        "tag",
        string("the name of a header field", read_field_name),
        "X-Rdns-Milter",
        'The header field that the action "tag" adds, for your spam filter to evaluate. Empty: none.',
    )
    remove_forged: bool = option(
        "remove_forged",
        boolean(),
        True,
        "Whether to remove incoming fields that claim to be from this system: Authentication-Results (RFC 8601 section 5),"
        " Received-SPF and the tag. Fields of other systems stay. A message with more than 100 such fields is refused.",
    )
    trusted_networks: Networks = option(
        "trusted_networks",
        list_of("addresses and networks", read_network, write_network, Networks),
        ["127.0.0.0/8", "::1"],
        "Your own hosts, in CIDR notation, whose fields are not removed. It is not enough that a client is exempt. Your list"
        " replaces the default.",
    )
