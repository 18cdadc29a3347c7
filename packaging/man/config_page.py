"""rdns-milter.toml(5): the config. Options, their defaults and sentences are those of the table in rdns_milter/config/options.py.

The keys of a rule, its conditions and the facts have sentences here, one for each that there is: a missing one ends the program.
"""

from __future__ import annotations

from roff import Page, bold, italic, plain

from rdns_milter import __version__
from rdns_milter.checks.evidence import FACTS
from rdns_milter.config.condition_types import SINGLE, TEXTUAL
from rdns_milter.config.list_files import MAX_LINES
from rdns_milter.config.load import DEFAULT_PATH
from rdns_milter.config.options import SECTIONS, Option, options_of
from rdns_milter.config.rule_reader import RULE_KEYS
from rdns_milter.policy.decide import CONDITIONS
from rdns_milter.policy.rules import ACTIONS
from rdns_milter.responses.replies import PLACEHOLDERS
from rdns_milter.text.toml import text

NAME, SECTION, MANUAL = "rdns-milter.toml", 5, "File Formats"

KEYS = {
    "name": "What log and report call the rule: 1 to 64 letters, digits, dots, hyphens, underscores. Needed, and no two alike.",
    "when": "A table of conditions: all of them must hold. Without it the rule matches everybody.",
    "unless": "A table of conditions: none of them may hold.",
    "action": "What to do: {actions}. `tag` accepts, and adds the field of `headers.tag`. A rule with an action decides.",
    "score": "A number that a rule without an action adds when it matches; the next rule is tried. See `min_score`.",
    "shadow": "`true`: only log what the rule would do (`would=`, `shadow_rule=`), and try the next.",
    "code": "The reply's code, 550 or 451, say, in place of the one that fits the facts. For reject and tempfail.",
    "enhanced": 'The reply\'s enhanced code (RFC 3463), "5.7.25", say.',
    "text": "The reply's text: one line of printable ASCII, 400 characters at most. In it {placeholders} are replaced.",
    "until": "The rule's last day, 2030-12-31, say. In its last week the log warns.",
}
CONDITION_SENTENCES = {
    "client": "The client's address.",
    "ptr": "The confirmed reverse name; an unconfirmed one never matches.",
    "helo_name": "The name in HELO or EHLO.",
    "mailfrom": "The sender.",
    "rcpt": "The recipient.",
    "authenticated": "Whether the client has logged in.",
    "tls": "Whether the connection is encrypted.",
    "min_score": "The sum of the scores of the rules before this one is at least so much.",
}
FACT_SENTENCES = {
    "iprev": "Whether the reverse name leads back to the address: it does, it does not, there is none, could not be found out, not"
    " checked.",
    "iprev_reason": "Why.",
    "generic": "Whether the reverse name looks like one of a pool, dial-up or broadband line; `none`: there is no name.",
    "helo_kind": "What the greeting is: a full host name, a single word, an address in brackets, a bare address, no name at all,"
    " not there.",
    "helo": "Whether the greeting resolves to the client: it does, to something else, to nothing, could not be found out, cannot be"
    " checked.",
    "helo_match": "The greeting beside the confirmed reverse name: equal, of the same organization's domain, neither; there is no"
    " confirmed name.",
    "helo_own": "Whether a stranger greets with your own name or address.",
    "spf_helo": "What SPF says of the greeting.",
    "spf_mailfrom": "What SPF says of the sender's domain; for bounces that of `postmaster@HELO`.",
    "mailfrom_match": "The sender's domain beside the confirmed reverse name.",
}
assert KEYS.keys() == set(RULE_KEYS)
assert CONDITION_SENTENCES.keys() == CONDITIONS.keys()
assert FACT_SENTENCES.keys() == FACTS.keys()


def page(day: str) -> str:
    """The whole page."""
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
    _rules(page)
    _the_rest(page)
    return str(page)


def _description(page: Page) -> None:
    page.section("Description")
    page.paragraph(
        "A TOML file (version 1.0.0): sections, in them keys with values. What is left out keeps its default, which stands here"
        " behind each key. `rdns-milter config --sample` prints a whole file with every option and the default rules,"
        " `rdns-milter config --show` what is in force. Without a file the defaults hold, with the default rules; a file without"
        " rules accepts everything."
    )
    page.paragraph(
        "`rdns-milter config --check` reports every error at once, with its line. With an error in it a file is not used at all:"
        " the service does not start, or, at a reload, goes on with the old one. The user that the service runs as must be able"
        " to read the file and the lists that it names."
    )


def _default(option: Option) -> str:
    """As the sample has it. A long list goes into the text."""
    value = option.kind.write(option.default) if isinstance(option.default, int) else text(option.default)
    return value if len(value) <= 50 else "[...]"


def _about(option: Option) -> str:
    sentences = [option.doc]
    if option.unit:
        sentences.append(f"In {option.unit}.")
    sentences.append(f"Wants {option.kind.wants}.")
    if _default(option) == "[...]":
        sentences.append(f"Default: {', '.join(map(str, option.default))}.")
    return " ".join(sentences)


def _lists(page: Page) -> None:
    page.subsection("[lists]")
    page.paragraph(
        "Named lists in files: each key is a name, its value the path; one that begins without a slash is below this file. One"
        ' entry a line; "#" begins a comment. Rules use a list as "@NAME" where the values of a condition are addresses, names,'
        " senders or recipients. They are read again at a reload. All lists"
        f" together may have {MAX_LINES} lines; all processes share them."
    )


def _rules(page: Page) -> None:
    page.section("Rules")
    page.paragraph(
        "Each `[[rule]]` is one. They are tried in order; the first that matches and has an action decides; without one the message"
        " is accepted. They are tried for each recipient on its own. A refusal or quarantine that hangs on a `temperror` becomes"
        " a 451, and a rule that asks for `temperror` together with reject is an error."
    )
    actions = ", ".join(f"`{action}`" for action in ACTIONS)
    placeholders = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    for key in RULE_KEYS:
        page.item(bold(key), KEYS[key].replace("{actions}", actions).replace("{placeholders}", placeholders))
    page.subsection("Conditions")
    page.paragraph("A value or a list of values: any of them. Beside these, each fact below is a condition.")
    for name, sentence in CONDITION_SENTENCES.items():
        wants = TEXTUAL[name].wants if name in TEXTUAL else {"min_score": "a number"}.get(name, "true or false")
        page.item(bold(name), f"{sentence} Wants {wants}.")
    assert CONDITIONS.keys() <= TEXTUAL.keys() | SINGLE.keys()
    page.subsection("Facts")
    page.paragraph("What is found out about a client, and logged.")
    for name, fact in FACTS.items():
        page.item(f"{bold(name)}: {', '.join(map(plain, fact.words))}", FACT_SENTENCES[name])


def _the_rest(page: Page) -> None:
    page.section("Examples")
    page.paragraph("Refuse clients without a reverse name for which SPF does not speak either, but try it out first:")
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
