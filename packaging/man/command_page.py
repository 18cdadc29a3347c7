"""rdns-milter(8): the command. Subcommands and options are argparse's own, with the sentences that `--help` has.

Only what argparse cannot know is written here: signals, exit statuses, what the MTA does meanwhile.
"""

from __future__ import annotations

import argparse

from roff import Page, bold, italic, plain

from rdns_milter import __version__
from rdns_milter.cli.main import parser
from rdns_milter.config.load import DEFAULT_PATH
from rdns_milter.logs.decision import KEYS

NAME, SECTION, MANUAL = "rdns-milter", 8, "System Administration"

SIGNALS = {
    "HUP": "Read the config and its lists again. One with an error, an empty one, or one without rules where there were"
    " some, is refused, the log says why, and the old one stays in force."
    " Of `[milter]` only `mode` and `deadline` may change so. Messages under way keep the rules that they began with.",
    "TERM": "Take no new connections, let messages under way come to their end, and leave. That takes as long as libmilter does to"
    " let go of its socket, up to five seconds, and at most `milter.deadline` and five seconds more.",
    "INT": "The same.",
}
STATUSES = {
    0: "Fine. `check`: the client would be accepted or tagged.",
    1: "`check`: it would be refused or quarantined.",
    75: "`check`: it would be deferred.",
    2: "Wrong usage.",
    69: "Cannot serve: the socket is taken, no libmilter, no name server.",
    74: "What was to be written could not be: the disk is full, or standard output is closed.",
    78: "The configuration has errors: each on a line, with file, line and key. systemd does not start it again.",
}
# What Postfix does while the milter is down, by milter_default_action.
DOWN = {
    "accept": "Mail is taken, is not judged, and keeps forged `Authentication-Results`. We advise this one: the milter is one check"
    " of several, and a missing verdict does less harm than a queue at every sender.",
    "tempfail": "`451 4.7.1`: mail stays with the sender, who tries again. This is Postfix's default. Take it if a program behind"
    " trusts `Authentication-Results`.",
    "quarantine": "Mail is taken into the hold queue, with forged results: look with `mailq`, let go with `postsuper -H`.",
    "shutdown": "`451 4.3.5`: mail stays with the sender, and the connection is closed.",
}
ENVIRONMENT = {
    "NOTIFY_SOCKET": "Where the service manager hears READY, RELOADING, STOPPING and STATUS (`sd_notify`(3)). systemd sets it.",
    "LISTEN_FDS": "If it is 1 and `LISTEN_PID` our own, the milter takes the socket that the service manager has opened"
    " (`sd_listen_fds`(3)), and neither changes nor removes it. It must listen where `milter.socket` says. See"
    " `rdns-milter.socket`.",
    "WATCHDOG_USEC": "If it is set, and `WATCHDOG_PID` is unset or our own, the manager gets a sign of life each second.",
}


def page(day: str) -> str:
    """The whole page."""
    top = parser()
    page = Page(
        NAME, SECTION, day, f"rdns-milter {__version__}", MANUAL, "judge SMTP clients by reverse DNS, HELO and SPF"
    )
    commands = subcommands(top)
    page.section("Synopsis")
    for name, (command, _) in commands.items():
        page.line(synopsis(name, command))
    page.line(f"{bold('rdns-milter')} [{bold('--help')} | {bold('--version')}]")
    _description(page)
    page.section("Commands")
    page.paragraph("Each has `-h`, `--help`. All but `run` work without libmilter.")
    for name, (command, sentence) in commands.items():
        page.subsection(name)
        page.paragraph(f"{sentence[:1].upper()}{sentence[1:]}.")
        for action in arguments(command):
            page.item(_head(action), _sentence(action))
    _service(page)
    _the_rest(page)
    return str(page)


def subcommands(top: argparse.ArgumentParser) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """The subcommands with what `--help` says of them."""
    (group,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    sentences = {choice.dest: choice.help or "" for choice in group._choices_actions}
    return {name: (command, sentences[name]) for name, command in group.choices.items()}


def arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """What a subcommand takes, without --help."""
    return [action for action in command._actions if not isinstance(action, argparse._HelpAction)]


def synopsis(name: str, command: argparse.ArgumentParser) -> str:
    """The line of one subcommand: options that exclude each other stand together."""
    groups = {id(action): group for group in command._mutually_exclusive_groups for action in group._group_actions}
    positional: list[str] = []
    options: list[str] = []
    seen: set[int] = set()
    for action in arguments(command):
        group = groups.get(id(action))
        if group is None:
            (options if action.option_strings else positional).append(_usage(action))
        elif id(group) not in seen:
            seen.add(id(group))
            choice = " | ".join(_bare(each) for each in group._group_actions)
            options.append(f"({choice})" if group.required else f"[{choice}]")
    return " ".join((bold(f"rdns-milter {name}"), *options, *positional))


def _usage(action: argparse.Action) -> str:
    if action.option_strings:
        return f"[{_bare(action)}]"
    name = italic(str(action.metavar or action.dest))
    return f"{name} ..." if action.nargs == "+" else name


def _bare(action: argparse.Action) -> str:
    value = f" {italic(str(action.metavar or action.dest))}" if _takes_value(action) else ""
    return f"{bold(action.option_strings[0])}{value}"


def _head(action: argparse.Action) -> str:
    value = italic(str(action.metavar or action.dest))
    if not action.option_strings:
        return value
    names = plain(", ").join(map(bold, action.option_strings))
    return f"{names} {value}" if _takes_value(action) else names


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _sentence(action: argparse.Action) -> str:
    sentence = (action.help or "").replace("%%", "%")
    return f"{sentence[:1].upper()}{sentence[1:]}{'' if sentence.endswith('?') else '.'}"


def _description(page: Page) -> None:
    page.section("Description")
    page.paragraph(
        "A milter for Postfix and Sendmail. For every SMTP client it finds out whether its address has a reverse name that leads"
        " back to it (RFC 8601 iprev), whether the name in HELO or EHLO belongs to it, what SPF (RFC 7208) says of HELO and of"
        " MAIL FROM, and whether the reverse name looks like one of a pool of addresses. An ordered list of rules in the config"
        " then accepts, tags, defers, quarantines or refuses, for each recipient on its own. One line in the mail log holds"
        " every fact that the verdict rests on."
    )
    page.paragraph(
        "That something could not be found out is a result of its own, `temperror`, and is never answered with a 5xx."
    )


def _service(page: Page) -> None:
    page.section("The log")
    page.paragraph(
        "Facility mail, name `rdns-milter`; one line for each verdict on a message. Its keys, in this order:"
        f" {', '.join(f'`{key}`' for key in KEYS)}. README.md says what each means, `rdns-milter.toml`(5) what the facts among"
        " them may be."
    )
    page.section("Signals")
    for name, sentence in SIGNALS.items():
        page.item(bold(f"SIG{name}"), sentence)
    page.section("Exit status")
    for status, sentence in STATUSES.items():
        page.item(bold(str(status)), sentence)
    page.section("When the milter is down")
    page.paragraph(
        "It crashes, hangs, or is being restarted: what becomes of mail meanwhile is for `milter_default_action` in Postfix's"
        " `main.cf`(5) to say. None of these bounces anything."
    )
    for action, sentence in DOWN.items():
        page.item(bold(action), sentence)
    page.paragraph(
        "While it hangs, each client waits for Postfix's `milter_command_timeout` first (30 s). Sendmail takes mail unjudged,"
        " or defers it where the filter's definition has `F=T`. A worker process that dies is replaced at once."
    )


def _the_rest(page: Page) -> None:
    page.section("Environment")
    for name, sentence in ENVIRONMENT.items():
        page.item(bold(name), sentence)
    page.section("Files")
    page.item(italic(DEFAULT_PATH), "The config, if it is there and no other is named by `-c`: `rdns-milter.toml`(5).")
    page.item(italic("/run/rdns-milter/"), "The service may have its unix socket here.")
    page.section("Examples")
    page.paragraph("Is the config valid, and what would become of one client?")
    page.example("rdns-milter config --check\nrdns-milter check 192.0.2.7 --helo mx.example.com --from a@example.com")
    page.paragraph("Postfix, in `/etc/postfix/main.cf`, then `postfix reload`:")
    page.example("smtpd_milters = inet:127.0.0.1:8895\nmilter_default_action = accept")
    page.paragraph("What would a new policy have changed last week?")
    page.example("rdns-milter replay -c new.toml /var/log/mail.log.1")
    page.section("See also")
    page.paragraph(
        "`rdns-milter.toml`(5), `postconf`(5), `sendmail`(8), `systemd.service`(5); RFC 7208, RFC 7372, RFC 8601"
    )
