"""rdns-milter(8), the command. Subcommands and options come from argparse, with the sentences of `--help`.

Only what argparse does not know is written here: signals, exit statuses, what the MTA does while the milter is down.
"""

from __future__ import annotations

import argparse

from roff import Page, bold, italic, plain

from rdns_milter import __version__
from rdns_milter.cli.main import parser
from rdns_milter.config.load import DEFAULT_PATH
from rdns_milter.logs.decision_keys import KEYS

NAME, SECTION, MANUAL = "rdns-milter", 8, "System Administration"

SIGNALS = {
    "HUP": "Read the configuration and its lists again. A file with an error, an empty file, and a file without rules if there were"
    " rules before, are refused: the log says why, and the old configuration stays in force. Of the section `[milter]` only `mode`"
    " and `deadline` can change. Messages in progress keep the rules that they began with.",
    "TERM": "Take no new connections, finish the messages in progress, and exit. This takes up to five seconds, the time that"
    " libmilter needs to close its socket, and up to `milter.deadline` plus five seconds for the messages.",
    "INT": "The same as TERM.",
}
STATUSES = {
    0: "Success. `check`: the client would be accepted or tagged.",
    1: "`check`: the client would be refused or quarantined. `why`: nothing was found. `doctor`: something is wrong.",
    75: "`check`: the client would be deferred.",
    2: "Wrong usage.",
    69: "The milter cannot serve: the socket is in use, there is no libmilter, or there is no name server.",
    74: "The output could not be written: the disk is full, or standard output is closed.",
    78: "The configuration has errors. Each is printed on a line of its own, with file, line and key. systemd does not start the"
    " service again.",
}
# By the value of milter_default_action.
DOWN = {
    "accept": "Mail is accepted and not judged, and forged `Authentication-Results` stay in it. This value is recommended: the"
    " milter is one check among several, and a missing verdict does less harm than a queue at every sender.",
    "tempfail": "`451 4.7.1`: mail stays with the sender, who tries again. This is the default of Postfix. Use it if a program"
    " behind the milter trusts `Authentication-Results`.",
    "quarantine": "Mail goes to the hold queue, with forged results. `mailq` lists it, `postsuper -H` releases it.",
    "shutdown": "`451 4.3.5`: mail stays with the sender, and the connection is closed.",
}
ENVIRONMENT = {
    "NOTIFY_SOCKET": "The socket for READY, RELOADING, STOPPING and STATUS (`sd_notify`(3)). systemd sets it.",
    "LISTEN_FDS": "If it is 1 and `LISTEN_PID` is the milter's process id, the milter uses the socket that systemd has opened"
    " (`sd_listen_fds`(3)), and neither changes nor removes it. This socket must listen where `milter.socket` says. See"
    " `rdns-milter.socket`.",
    "WATCHDOG_USEC": "If it is set, and `WATCHDOG_PID` is not set or is the milter's process id, the milter notifies the watchdog"
    " once a second.",
}


def page(day: str) -> str:
    """Return the whole page."""
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
    page.paragraph("Each command has `-h`, `--help`. All commands except `run` work without libmilter.")
    for name, (command, sentence) in commands.items():
        page.subsection(name)
        page.paragraph(f"{sentence[:1].upper()}{sentence[1:]}.")
        for action in arguments(command):
            page.item(_head(action), _sentence(action))
    _service(page)
    _the_rest(page)
    return str(page)


def subcommands(top: argparse.ArgumentParser) -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Return the subcommands with their sentences in `--help`."""
    (group,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    sentences = {choice.dest: choice.help or "" for choice in group._choices_actions}
    return {name: (command, sentences[name]) for name, command in group.choices.items()}


def arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a subcommand, without --help."""
    return [action for action in command._actions if not isinstance(action, argparse._HelpAction)]


def synopsis(name: str, command: argparse.ArgumentParser) -> str:
    """Return the synopsis of one subcommand. Options that exclude each other stand together."""
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
        "A milter for Postfix and Sendmail. For every SMTP client it checks whether its address has a reverse name that resolves"
        " back to the address (RFC 8601 iprev), whether the name in HELO or EHLO is valid and resolves to the client, the results"
        " of SPF (RFC 7208) for HELO and MAIL FROM, and whether the reverse name looks like a name from an address pool. An"
        " ordered list of rules in the configuration then accepts, tags, defers, quarantines or refuses the message, for each"
        " recipient separately. One line in the mail log holds the verdict and every fact that it rests on."
    )
    page.paragraph("A lookup that fails has a result of its own, `temperror`. It is never answered with a 5xx.")


def _service(page: Page) -> None:
    page.section("The log")
    page.paragraph(
        "The milter logs to facility mail with the program name `rdns-milter`, one line for each verdict on a message. The keys of"
        f" a line, in this order: {', '.join(f'`{key}`' for key in KEYS)}. log.md in the documentation explains them."
        " `rdns-milter.toml`(5) lists the values of the facts among them."
    )
    page.section("Signals")
    for name, sentence in SIGNALS.items():
        page.item(bold(f"SIG{name}"), sentence)
    page.section("Exit status")
    for status, sentence in STATUSES.items():
        page.item(bold(str(status)), sentence)
    page.section("When the milter is down")
    page.paragraph(
        "If the milter crashes, hangs or is restarted, Postfix does with mail what `milter_default_action` in its `main.cf`(5)"
        " says. None of the values bounces mail."
    )
    for action, sentence in DOWN.items():
        page.item(bold(action), sentence)
    page.paragraph(
        "If the milter hangs, each client first waits for Postfix's `milter_command_timeout` (30 s). Sendmail accepts mail"
        " unjudged, or defers it if the definition of the filter has `F=T`. A worker process that dies is replaced at once."
    )


def _the_rest(page: Page) -> None:
    page.section("Environment")
    for name, sentence in ENVIRONMENT.items():
        page.item(bold(name), sentence)
    page.section("Files")
    page.item(
        italic(DEFAULT_PATH), "The configuration, if the file exists and `-c` names no other: `rdns-milter.toml`(5)."
    )
    page.item(italic("/run/rdns-milter/"), "The directory in which the service can have its unix socket.")
    page.item(italic("/usr/share/doc/rdns-milter/"), "The documentation, if the milter was installed from a package.")
    page.section("Examples")
    page.paragraph("Check the configuration, and judge one client:")
    page.example("rdns-milter config --check\nrdns-milter check 192.0.2.7 --helo mx.example.com --from a@example.com")
    page.paragraph("Attach the milter to Postfix, in `/etc/postfix/main.cf`, then `postfix reload`:")
    page.example("smtpd_milters = inet:127.0.0.1:8895\nmilter_default_action = accept")
    page.paragraph("Show what a new policy would have changed:")
    page.example("rdns-milter replay -c new.toml /var/log/mail.log.1")
    page.section("See also")
    page.paragraph(
        "`rdns-milter.toml`(5), `postconf`(5), `sendmail`(8), `systemd.service`(5); RFC 7208, RFC 7372, RFC 8601"
    )
