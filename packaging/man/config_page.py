"""rdns-milter.toml(5), the configuration. Options, their defaults and sentences come from rdns_milter/config/options.py.

Keys of a rule, conditions, facts and reasons have their sentences here. An assertion fails if one is missing.
"""

from __future__ import annotations

from roff import Page, bold, italic, plain

from rdns_milter import __version__
from rdns_milter.checks.evidence import FACTS, IPREV_REASONS
from rdns_milter.config.condition_types import SINGLE_CONDITIONS, STRING_CONDITIONS
from rdns_milter.config.list_files import MAX_LINES
from rdns_milter.config.load import DEFAULT_PATH
from rdns_milter.config.option_types import Option
from rdns_milter.config.options import SECTIONS, options_of
from rdns_milter.config.rule_reader import RULE_KEYS
from rdns_milter.config.sections.dns_lists import DNS_LISTS, dns_list_type
from rdns_milter.policy.decide import CONDITIONS
from rdns_milter.policy.rules import ACTIONS
from rdns_milter.responses.replies import PLACEHOLDERS

NAME, SECTION, MANUAL = "rdns-milter.toml", 5, "File Formats"

KEYS = {
    "name": "The name of the rule in the log and in reports: 1 to 64 letters, digits, dots, hyphens, underscores. Required; no two"
    " rules may have the same name.",
    "when": "A table of conditions, all of which must hold. Without it the rule matches every message.",
    "unless": "A table of conditions, none of which may hold.",
    "action": "What is done: {actions}. `tag` accepts the message and adds the field of `headers.tag`. The first rule that matches"
    " and has an action decides.",
    "score": "For a rule without an action: a number that is added when the rule matches. The next rule is then tried. See"
    " `min_score`.",
    "shadow": "`true`: the rule is only logged (`would=`, `shadow_rule=`), and the next rule is tried.",
    "code": "The code of the reply, for example 550 or 451. It replaces the code that fits the facts. For reject and tempfail.",
    "enhanced": 'The enhanced status code of the reply (RFC 3463), for example "5.7.25".',
    "text": "The text of the reply: one line of printable ASCII, at most 400 characters. These placeholders in it are replaced:"
    " {placeholders}.",
    "until": "The last day on which the rule is in force, for example 2030-12-31. In the week before it the log has a warning at"
    " each start, at each reload, and once a day.",
}
CONDITION_SENTENCES = {
    "client": "The client's address.",
    "ptr": "The confirmed reverse name. An unconfirmed name never matches.",
    "helo_name": "The name in HELO or EHLO.",
    "mailfrom": "The sender.",
    "rcpt": "The recipient.",
    "client_spf": "SPF of this domain, that of a provider, passes for the client's address. The sender has no influence.",
    "dnslist": "The client is on this DNS list, which [dnslists] names. A list that cannot be asked is temporary trouble.",
    "authenticated": "Whether the client has logged in (SMTP AUTH).",
    "tls": "Whether the connection is encrypted.",
    "min_score": "The smallest sum of the scores of earlier rules for which the condition holds.",
}
FACT_SENTENCES = {
    "iprev": "The reverse name of the client's address. `pass`: it resolves back to the address. `fail`: it does not. `permerror`:"
    " there is no PTR record. `temperror`: DNS did not answer. `none`: not checked.",
    "iprev_reason": "The reason for the result of `iprev`.",
    "generic": "Whether the reverse name looks like a name from an address pool, a dial-up line or a broadband line. `none`: there"
    " is no reverse name.",
    "helo_kind": "The form of the HELO name. `fqdn`: a full host name. `unqualified`: a single label. `literal`: an address in"
    " brackets. `address`: an address without brackets. `invalid`: not a host name. `missing`: no HELO.",
    "helo": "Whether the HELO name resolves to the client's address. `fail`: it resolves to other addresses. `permerror`: it does"
    " not resolve. `temperror`: DNS did not answer. `none`: there is no name to resolve, or not checked.",
    "helo_match": "The HELO name compared with the confirmed reverse name. `aligned`: both belong to the same organizational"
    " domain. `none`: there is no confirmed reverse name.",
    "helo_own": "Whether a foreign client gives one of our own names or addresses in HELO.",
    "spf_helo": "The SPF result for the HELO name.",
    "spf_mailfrom": "The SPF result for the sender's domain; for bounces that for `postmaster@` the HELO name.",
    "mailfrom_match": "The sender's domain compared with the confirmed reverse name, with the same values as `helo_match`.",
}
REASON_SENTENCES = {
    "confirmed": "A PTR name resolves back to the address (pass).",
    "no-ptr": "There is no PTR record (permerror).",
    "not-confirmed": "The PTR names resolve to other addresses only (fail).",
    "no-forward": "The PTR names do not resolve to an address of the client's family (fail).",
    "bad-name": "The PTR record holds nothing that could be a host name (fail).",
    "timeout": "The name servers did not answer in time (temperror).",
    "servfail": "The name servers could not resolve the name (temperror).",
    "refused": "The name servers refused to answer (temperror).",
    "bogus": "A validating name server found the DNSSEC signatures wrong (temperror).",
    "resolver-down": "None of the configured name servers answers at present (temperror).",
    "deadline": "The answer did not arrive within `milter.deadline` (temperror).",
    "error": "The answer could not be used, or the milter had an error (temperror).",
    "exempt": "The client is not judged (none).",
}
assert KEYS.keys() == set(RULE_KEYS)
assert CONDITION_SENTENCES.keys() == CONDITIONS.keys()
assert FACT_SENTENCES.keys() == FACTS.keys()
assert REASON_SENTENCES.keys() == set(IPREV_REASONS)


def page(day: str) -> str:
    """Return the whole page."""
    page = Page(NAME, SECTION, day, f"rdns-milter {__version__}", MANUAL, "configuration of rdns-milter")
    page.section("Synopsis")
    page.line(italic(DEFAULT_PATH))
    _description(page)
    page.section("Options")
    for name, section in SECTIONS.items():
        page.subsection(f"[{name}]")
        page.paragraph(section.doc)
        for option in options_of(section).values():
            page.item(f"{bold(option.key)} = {plain(_default(option))}", _about(option))
    _lists(page)
    _dns_lists(page)
    _rules(page)
    _the_rest(page)
    return str(page)


def _description(page: Page) -> None:
    page.section("Description")
    page.paragraph(
        "A TOML file (version 1.0.0) with sections, and keys with values in them. A key that is left out keeps its default, which"
        " this page shows after each key. `rdns-milter config --sample` prints a complete file with every option and the default"
        " rules. `rdns-milter config --show` prints the values in force. Without a file the defaults and the default rules hold."
        " A file without rules accepts everything. An empty file is an error."
    )
    page.paragraph(
        "`rdns-milter config --check` reports all errors at once, with their lines. A file with an error is not used: the service"
        " does not start, or at a reload goes on with the old configuration. The user that the service runs as must be able to"
        " read the file and the lists that it names."
    )


def _default(option: Option) -> str:
    """Return the default as the sample has it. A long list goes into the text."""
    value = option.default_toml()
    return value if len(value) <= 50 else "[...]"


def _about(option: Option) -> str:
    sentences = [option.doc]
    if option.unit:
        sentences.append(f"In {option.unit}.")
    sentences.append(f"Value: {option.type.expected}.")
    if _default(option) == "[...]":
        sentences.append(f"Default: {', '.join(map(str, option.default))}.")
    return " ".join(sentences)


def _lists(page: Page) -> None:
    page.subsection("[lists]")
    page.paragraph(
        "Named lists in files. Each key is the name of a list, and its value the path of the file; a path without a leading slash"
        ' is relative to the directory of this file. A file has one entry on each line; "#" begins a comment. A rule uses a list as'
        ' "@NAME", in conditions whose values are addresses, names, senders or recipients. A list that no rule uses has no effect.'
        f" Lists are read again at a reload. All lists together may have {MAX_LINES} lines; all processes share them."
    )


def _dns_lists(page: Page) -> None:
    page.subsection(f"[{DNS_LISTS}]")
    page.paragraph(
        "DNS lists by the names that rules use. Each key is the name of a list, and its value the domain under which it answers,"
        ' such as "list.dnswl.org". A list is asked for each client if a rule has the condition `dnslist` with its name, and never'
        " without such a rule. Most lists answer only a resolver of your own."
    )


def _rules(page: Page) -> None:
    page.section("Rules")
    page.paragraph(
        "Each `[[rule]]` table is a rule. Rules are tried in their order, for each recipient separately. The first rule that"
        " matches and has an action decides; if none does, the message is accepted. If a refusal or a quarantine depends on a"
        " `temperror`, the client gets a 451 instead. A rule that tests for `temperror` and rejects is an error."
    )
    actions = ", ".join(f"`{action}`" for action in ACTIONS)
    placeholders = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for key in RULE_KEYS:
        page.item(bold(key), KEYS[key].replace("{actions}", actions).replace("{placeholders}", placeholders))
    page.subsection("Conditions")
    page.paragraph(
        "The value of a condition may be a list; the condition then holds if any of the values matches. Each fact below is a"
        " condition too."
    )
    page.paragraph(
        "Where names are wanted, `good.example` is this name only. `.good.example` is every name below it, but not `good.example`"
        " itself: write both to match both. Where mailboxes are wanted, `good.example` and `.good.example` are all mailboxes in"
        " these domains, `anna@good.example` is one mailbox, `anna@` this local part in any domain, and `<>` the null sender."
    )
    for name, sentence in CONDITION_SENTENCES.items():
        page.item(bold(name), f"{sentence} Value: {_expected(name)}.")
    assert CONDITIONS.keys() <= STRING_CONDITIONS.keys() | SINGLE_CONDITIONS.keys() | {"dnslist"}
    page.subsection("Facts")
    page.paragraph("Facts are found for each client, and logged.")
    for name, fact in FACTS.items():
        page.item(f"{bold(name)}: {', '.join(map(plain, fact.words))}", FACT_SENTENCES[name])
    page.subsection("Values of iprev_reason")
    for word in IPREV_REASONS:
        page.item(bold(word), REASON_SENTENCES[word])


def _expected(condition: str) -> str:
    types = {**STRING_CONDITIONS, "dnslist": dns_list_type({})}
    if condition in types:
        return types[condition].expected
    return "a number" if condition == "min_score" else "true or false"


def _the_rest(page: Page) -> None:
    page.section("Examples")
    page.paragraph(
        "Refuse clients without a reverse name and without an SPF record that allows them, but only observe at first:"
    )
    page.example(
        "[milter]\n"
        'mode = "observe"\n'
        "\n"
        "[lists]\n"
        'partners = "partners.cidr"\n'
        "\n"
        "[[rule]]\n"
        'name   = "nothing-known"\n'
        'when   = { iprev = "permerror", spf_mailfrom = ["none", "neutral"] }\n'
        'unless = { client = "@partners" }\n'
        'action = "reject"'
    )
    page.section("See also")
    page.paragraph("`rdns-milter`(8)")
