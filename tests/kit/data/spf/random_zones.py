"""Randomly generated zones with SPF records: includes, redirects, macros, hosts and temporary errors, with few names, so that
records refer to each other.

Records may have errors, loop, or exceed the limits. For tests that compare two evaluations of the same record.
"""

from __future__ import annotations

from random import Random

from tests.kit.dns.zone_resolver import Message

CLIENTS = ("192.0.2.1", "192.0.2.2", "2001:db8::1")
SENDERS = ("alice", "bob", "al.ice+x", "")
DOMAINS = tuple(f"d{number}.example" for number in range(5))
HOSTS = tuple(f"h{number}.example" for number in range(4))
GREETINGS = ("h0.example", "H1.example", "d1.example", "alice.example", "[192.0.2.1]", "nowhere.example", "")
_MACROS = ("%{l}", "%{l1r-}", "%{L}", "%{s}", "%{h}", "%{i}", "%{ir}", "%{d}", "%{o}", "%{v}", "%{p}", "%{d1}")
_PRESENT = ("alice", "bob", "h0", "d1", "192", "1", "mail", "in-addr")


def zone(seed: int) -> str:
    """Return the text of a zone. Most of DOMAINS have a record, some fail; about half of the names that `exists` asks for exist."""
    rng = Random(seed)
    lines = []
    for domain in DOMAINS:
        lines += _domain(rng, domain)
    for host in HOSTS:
        lines += _host(rng, host)
    for client in CLIENTS:
        lines += _pointers(rng, client)
    for part in _PRESENT:
        if rng.random() < 0.5:
            lines.append(f"*.{part}.x.example A 127.0.0.2\n{part}.x.example A 127.0.0.2")
    lines.append(
        "t.example TXT See %{l} at %{h} of %{d}\nu.example TXT You are %{c}\nv.example TXT %{p} is not one of us"
    )
    return "\n".join(lines)


def message(rng: Random) -> Message:
    """Return a random message; some have the null sender."""
    mailfrom = f"{rng.choice(SENDERS)}@{rng.choice(DOMAINS)}" if rng.random() < 0.9 else ""
    return Message(rng.choice(CLIENTS), rng.choice(GREETINGS), mailfrom)


def _domain(rng: Random, domain: str) -> list[str]:
    fate = rng.random()
    if fate < 0.06:
        return [f"{domain} SERVFAIL"]
    if fate < 0.1:
        return []
    lines = [f"{domain} {rng.choice((5, 60, 300))} TXT {_record(rng)}"]
    if fate < 0.13:
        lines.append(f"{domain} TXT v=spf1 -all")
    lines += [f"{domain} MX {number} {host}" for number, host in enumerate(rng.sample(HOSTS, rng.randint(0, 3)))]
    lines += _addresses(rng, domain)
    return lines


def _host(rng: Random, host: str) -> list[str]:
    fate = rng.random()
    if fate < 0.1:
        return [f"{host} SERVFAIL"]
    lines = _addresses(rng, host)
    if fate < 0.4:
        lines.append(f"{host} TXT {_record(rng)}")
    return lines


def _addresses(rng: Random, name: str) -> list[str]:
    chosen = rng.sample((*CLIENTS, "198.51.100.9", "2001:db8::99"), rng.randint(0, 3))
    return [f"{name} {'AAAA' if ':' in address else 'A'} {address}" for address in chosen]


def _pointers(rng: Random, client: str) -> list[str]:
    if rng.random() < 0.1:
        return [f"{client} SERVFAIL"]
    return [f"{client} PTR {name}" for name in rng.sample((*HOSTS, *DOMAINS), rng.randint(0, 3))]


def _record(rng: Random) -> str:
    terms = [_term(rng) for _ in range(rng.randint(0, 5))]
    end = rng.random()
    if end < 0.7:
        terms.append(rng.choice(("-all", "-all", "~all", "?all", "+all")))
    elif end < 0.9:
        terms.append(f"redirect={rng.choice(DOMAINS)}")
    if rng.random() < 0.3:
        terms.append(f"exp={rng.choice('tuvw')}.example")
    return " ".join(("v=spf1", *terms))


def _term(rng: Random) -> str:
    if rng.random() < 0.02:
        return rng.choice(("all", "a:", "nonsense", "ip4:1", "redirect=d1.example", "exists:%{x}.example"))
    qualifier = rng.choice(("", "", "", "-", "~", "?"))
    macro, name, prefix = rng.choice(_MACROS), rng.choice((*DOMAINS, *HOSTS)), rng.choice(("", "", "/24", "//64"))
    return qualifier + rng.choice(
        (
            f"include:{rng.choice(DOMAINS)}",
            f"include:{rng.choice(DOMAINS)}",
            f"exists:{macro}.x.example",
            f"exists:{macro}.x.example",
            f"exists:{macro}.{rng.choice(_MACROS)}.x.example",
            f"include:%{{l}}.{name}",
            f"a{prefix}",
            f"a:{name}{prefix}",
            f"mx:{name}",
            "mx",
            "ptr",
            f"ptr:{name}",
            "ip4:192.0.2.1",
            "ip4:192.0.2.0/24",
            "ip4:10.0.0.0/8",
            "ip6:2001:db8::/32",
            "ip4:192.0.2.2",
        )
    )
