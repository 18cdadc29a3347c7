"""Look at Postfix: whether it asks the milter, in which order, for how long, and what it does when the milter is down.

Pure: judges the settings that postfix_settings.py has read. Must never propose a change that drops another milter.

postconf(5), master(5), MILTER_README.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from ...net.endpoints import SocketAddress
from ..finding import Finding, bad, ok, warn
from ..postfix_settings import MilterEntry, PostfixSettings, Service, leads_to, parse_milters, real_path, seconds

SUBJECT = "Postfix"
_RELOAD = "postfix reload"
_TIMEOUTS = ("milter_connect_timeout", "milter_command_timeout", "milter_content_timeout")
_RESTRICTIONS = (
    "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
    "smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
)  # fmt: skip
# What Postfix itself refuses by, before or beside the milter's rules.
_DOUBLE = (
    (re.compile(r"\breject_unknown_client_hostname\b"), "refuses clients by their reverse name, without exceptions"),
    (
        re.compile(r"\breject_unknown_reverse_client_hostname\b"),
        "refuses clients without a reverse name, without exceptions",
    ),
    (re.compile(r"\breject_unknown_helo_hostname\b"), "refuses clients whose HELO name has no address record"),
    (
        re.compile(r"\bcheck_policy_service\s+\{?\s*\S*(?:policyd?-?spf|spf-?policy|pyspf)\S*"),
        "evaluates SPF a second time",
    ),
)
# Whose results and signatures are affected by a milter that comes after them.
_KNOWN = (
    (re.compile(r"dkim|:8891\b|:12301\b"), "OpenDKIM", "its results are removed as forged if they name our authserv-id"),
    (re.compile(r"dmarc|:8893\b"), "OpenDMARC", "it does not see our SPF result, and evaluates DMARC without it"),
    (re.compile(r"rspamd|:11332\b"), "rspamd", "it does not see our results"),
)  # fmt: skip


def check_postfix(settings: PostfixSettings, socket: SocketAddress, deadline: float) -> Iterator[Finding]:
    """Yield the findings. `socket`: where the milter listens; `deadline`: seconds that a message may wait for the milter."""
    services = settings.from_strangers()
    if not services and any(each.program == "postscreen" for each in settings.services):
        yield bad(
            SUBJECT,
            "postscreen hands clients to the service smtpd/pass, which master.cf does not have",
            "postconf -M smtpd/pass='smtpd pass - - y - - smtpd'",
            _RELOAD,
        )
    elif not services:
        yield bad(
            SUBJECT,
            "master.cf has no smtpd for port 25, so no mail from outside comes to the milter",
            "postconf -M smtp/inet='smtp inet n - y - - smtpd'",
            _RELOAD,
        )
    for service in services:
        yield from _of_service(settings, service, socket, deadline)
    yield from _double_work(settings)
    yield from _other_lists(settings, socket)


def _of_service(
    settings: PostfixSettings, service: Service, socket: SocketAddress, deadline: float
) -> Iterator[Finding]:
    milters = parse_milters(settings.of(service, "smtpd_milters"))
    queue = settings.main.get("queue_directory", "/var/spool/postfix")
    ours = [at for at, each in enumerate(milters) if leads_to(each.place, socket, queue, service.chroot)]
    if not ours:
        yield _not_named(settings, service, milters, socket, queue)
        return
    before, entry = milters[: ours[0]], milters[ours[0]]
    yield ok(SUBJECT, f"{service} asks the milter at {entry.place}")
    yield from _before_us(settings, service, before, milters, ours[0])
    yield from _of_entry(settings, service, entry, deadline)


def _not_named(
    settings: PostfixSettings, service: Service, milters: tuple[MilterEntry, ...], socket: SocketAddress, queue: str
) -> Finding:
    main = parse_milters(settings.main.get("smtpd_milters", ""))
    overridden = "smtpd_milters" in service.overrides
    if overridden and any(leads_to(each.place, socket, queue, service.chroot) for each in main):
        return bad(
            SUBJECT,
            f"{service} in master.cf overrides smtpd_milters of main.cf, and so does not ask the milter",
            f"postconf -PX {service}/smtpd_milters",
            _RELOAD,
        )
    place = place_for(socket, queue, service.chroot)
    if place is None:
        return bad(
            SUBJECT,
            f"{service} runs in a chroot ({queue}) and cannot reach the unix socket {socket.path} outside it",
            'in the config file, section [milter]: socket = "inet:8895@127.0.0.1"',
            "systemctl restart rdns-milter",
            *_set(settings, service, _with_ours(milters, "inet:127.0.0.1:8895", queue)),
        )
    wrong = [each for each in milters if _looks_like_ours(each.place, queue)]
    listed = ", ".join(each.place for each in milters)
    text = (
        f"{service} asks {wrong[0].place}, and the milter listens at {socket}"
        if wrong
        else f"{service} does not ask the milter: smtpd_milters {f'names {listed} only' if listed else 'is empty'}"
    )
    return bad(SUBJECT, text, *_set(settings, service, _with_ours(milters, place, queue)))


def place_for(socket: SocketAddress, queue: str, chroot: bool) -> str | None:
    """Return the socket as an entry of smtpd_milters; None if a chrooted smtpd cannot reach the socket."""
    if socket.family != "unix":
        host = f"[{socket.host}]" if ":" in socket.host else socket.host
        return f"inet:{'127.0.0.1' if socket.host == '0.0.0.0' else host}:{socket.port}"
    if socket.path.startswith(f"{queue}/"):
        return f"unix:{socket.path.removeprefix(f'{queue}/')}"
    return None if chroot else f"unix:{socket.path}"


def _looks_like_ours(place: str, queue: str) -> bool:
    """Return whether an entry for another socket was probably meant for our socket, because no other milter is known at that
    place."""
    if any(pattern.search(place) for pattern, _, _ in _KNOWN):
        return False
    return "rdns-milter" in real_path(place, queue, False) or bool(
        re.search(r"[:@](?:127\.0\.0\.1|localhost|\[::1\])\b", place)
    )


def _with_ours(milters: tuple[MilterEntry, ...], place: str, queue: str) -> str:
    """Return the list with our place first. Entries that were probably meant for our socket are left out."""
    others = [_written(each) for each in milters if not _looks_like_ours(each.place, queue)]
    return ", ".join((place, *others))


def _written(entry: MilterEntry) -> str:
    if not entry.settings:
        return entry.place
    return f"{{ {', '.join((entry.place, *(f'{name}={value}' for name, value in entry.settings.items())))} }}"


def _set(settings: PostfixSettings, service: Service, value: str) -> tuple[str, ...]:
    """Return the commands that set smtpd_milters in the file from which the service gets it."""
    if "smtpd_milters" in service.overrides:
        together = re.sub(r"\s+", "", value)  # master.cf divides its arguments at blanks
        return (f"postconf -P {quote(f'{service}/smtpd_milters={together}')}", _RELOAD)
    return _main("smtpd_milters", value)


def _main(name: str, value: str) -> tuple[str, ...]:
    """Return the commands that set a parameter in main.cf."""
    return (f"postconf -e {quote(f'{name} = {value}')}", _RELOAD)


def _before_us(
    settings: PostfixSettings,
    service: Service,
    before: tuple[MilterEntry, ...],
    milters: tuple[MilterEntry, ...],
    at: int,
) -> Iterator[Finding]:
    if not before:
        return
    first = ", ".join((_written(milters[at]), *(_written(each) for each in (*before, *milters[at + 1 :]))))
    for each in before:
        known = next(((name, why) for pattern, name, why in _KNOWN if pattern.search(each.place)), None)
        name, why = known or (
            "another milter",
            "it sees neither our results nor our tag, and works for mail that we refuse",
        )
        yield warn(SUBJECT, f"{name} ({each.place}) comes before the milter: {why}", *_set(settings, service, first))


def _of_entry(settings: PostfixSettings, service: Service, entry: MilterEntry, deadline: float) -> Iterator[Finding]:
    action = entry.settings.get("default_action") or settings.of(service, "milter_default_action") or "tempfail"
    meanings = {
        "accept": "mail is accepted without a verdict",
        "tempfail": "mail is deferred",
        "quarantine": "mail is held",
    }
    if action in meanings:
        yield ok(SUBJECT, f"while the milter is down, {meanings[action]} (default action {action})")
    else:
        yield bad(
            SUBJECT,
            f"while the milter is down, mail is refused for good (default action {action})",
            *_setting(entry, settings, service, "milter_default_action", "default_action", "tempfail"),
        )
    for name in _TIMEOUTS:
        key = name.removeprefix("milter_")
        value = entry.settings.get(key) or settings.of(service, name)
        found = seconds(value) if value else None
        if found is not None and name != "milter_connect_timeout" and found <= deadline:
            yield bad(
                SUBJECT,
                f"{name} is {value}, and a message may wait {deadline:g} s for the milter: Postfix gives up first",
                *_setting(entry, settings, service, name, key, f"{int(deadline) + 9}s"),
            )
    protocol = entry.settings.get("protocol") or settings.of(service, "milter_protocol")
    if protocol.isdigit() and int(protocol) < 6:
        yield bad(
            SUBJECT,
            f"milter_protocol is {protocol}: the milter needs 6",
            *_setting(entry, settings, service, "milter_protocol", "protocol", "6"),
        )


def _setting(
    entry: MilterEntry, settings: PostfixSettings, service: Service, name: str, key: str, value: str
) -> tuple[str, ...]:
    """Return the commands that set a milter's setting where it is set now: in the braces of its entry, in master.cf, or in
    main.cf."""
    if key in entry.settings:
        changed = MilterEntry(entry.place, {**entry.settings, key: value})
        milters = parse_milters(settings.of(service, "smtpd_milters"))
        return _set(settings, service, ", ".join(_written(changed if each == entry else each) for each in milters))
    if name in service.overrides:
        return (f"postconf -P {quote(f'{service}/{name}={value}')}", _RELOAD)
    return _main(name, value)


def _double_work(settings: PostfixSettings) -> Iterator[Finding]:
    for name in _RESTRICTIONS:
        value = settings.main.get(name, "")
        for pattern, what in _DOUBLE:
            match = pattern.search(value)
            # Behind warn_if_reject it refuses nothing, and without it warn_if_reject would hold for what comes next.
            if match and not value[: match.start()].rstrip(" ,").endswith("warn_if_reject"):
                left = re.sub(r"\s*,?\s*" + re.escape(match[0]) + r"(?:[^,]*\})?", "", value, count=1).strip(", ")
                yield warn(SUBJECT, f"{name} has {match[0]}, which {what}", *_main(name, left))


def _other_lists(settings: PostfixSettings, socket: SocketAddress) -> Iterator[Finding]:
    queue = settings.main.get("queue_directory", "")
    others = parse_milters(settings.main.get("non_smtpd_milters", ""))
    if any(leads_to(each.place, socket, queue, False) for each in others):
        left = ", ".join(_written(each) for each in others if not leads_to(each.place, socket, queue, False))
        yield warn(
            SUBJECT,
            "non_smtpd_milters names the milter: mail from local programs has no client and is not judged",
            *_main("non_smtpd_milters", left),
        )
    maps = settings.main.get("smtpd_milter_maps", "")
    if maps:
        yield warn(
            SUBJECT,
            f"smtpd_milter_maps = {maps}: for the clients in it Postfix asks the milters named there, not those of smtpd_milters",
            f"postmap -q CLIENT_ADDRESS {maps.split(',')[0].split()[0]}",
        )
    if any(each.program == "postscreen" for each in settings.services):
        yield ok(SUBJECT, "postscreen stands in front: the milter is asked only for clients that it lets through")
