"""libmilter's callbacks <-> Session. Alone knows pymilter, and is imported only where a milter is run.

Callbacks are thin: they translate, hand over, and answer. None lets an exception out: whatever breaks here, the mail goes on,
and the log says so. Header, macro and path octets that are no UTF-8 come as surrogates and are escaped by whoever speaks.

libmilter's API (smfi_register, smfi_setreply, smfi_addheader); PLATFORM section 2.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import milter

from ..net.endpoints import SocketAddress
from ..net.mailboxes import MAX_PATH, path_used_by_mta
from ..net.names import Address, parse_address
from ..responses.incoming_fields import watched
from ..responses.replies import Reply
from ..session.session import Service, Session

NAME = "rdns-milter"
IDLE_SECONDS = 600  # after which libmilter gives up a connection that is silent in the middle of a packet
BACKLOG = 511  # connections that the kernel holds until a worker takes them
_MAX_FIELD = 65_000  # octets of a header field that are looked at; a packet of the protocol has no more
# What is asked of the MTA at each stage. libmilter keeps a macro until the end of its stage's scope.
_MACROS = (
    (milter.M_CONNECT, "j {if_addr} {daemon_addr} {client_addr}"),
    (milter.M_HELO, "{tls_version}"),
    (milter.M_ENVFROM, "i {auth_authen} {tls_version} {mail_addr}"),
    (milter.M_ENVRCPT, "{rcpt_addr}"),
    (milter.M_EOM, "i"),
)
_ACTIONS = milter.ADDHDRS | milter.CHGHDRS | milter.QUARANTINE | milter.SETSYMLIST
_NEVER_WANTED = milter.P_NOBODY | milter.P_NOUNKNOWN
# The end of the header comes along with the header: libmilter goes from DATA to the end of a message without any field only by
# way of it, and never answers otherwise.
_HEADER, _NO_HEADER = milter.P_NR_HDR | milter.P_NR_EOH, milter.P_NOHDRS | milter.P_NOEOH
_NO_REPLY = int(milter.NOREPLY)
_CODES = {4: milter.TEMPFAIL, 5: milter.REJECT}

Bug = Callable[[str, BaseException], None]
LibmilterError: type[Exception] = milter.error


class Connection:
    """A session, and what of its connection the session need not know. `connected`: whether the session knows the client;
    `tried`: whether CONNECT could not be read; `in_message`: between MAIL and the end of the message; `unreadable`: a greeting that
    pymilter could not hand over, "" if none."""

    __slots__ = ("connected", "in_message", "recipient", "sender", "session", "tried", "unreadable")

    def __init__(self, service: Service) -> None:
        self.session = Session(service)
        self.connected = self.tried = self.in_message = False
        self.unreadable = ""
        # Path and macro of the last MAIL, and of the last RCPT: libmilter keeps a macro that does not come again.
        self.sender = self.recipient = ("", "")


def _guarded(callback: Callable[..., int]) -> Callable[..., int]:
    """A callback that never raises: trouble of ours is no reason to refuse mail."""

    @functools.wraps(callback)
    def guarded(self: Callbacks, context: Any, *arguments: Any) -> int:
        try:
            return callback(self, context, *arguments)
        except Exception as error:  # noqa: BLE001 - nothing may reach libmilter
            self.bug(callback.__name__, error)
            return int(milter.CONTINUE)

    return guarded


class Callbacks:
    """The callbacks of a process, for all of its connections. Registered before the fork; `service` and `bug` are the
    worker's, set after it. `open`: connections that there are; `busy`: those that are amid a message; `steps`: how many
    steps all of them have made, about."""

    service: Service
    bug: Bug

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.busy: set[int] = set()
        self.steps = 0
        # pymilter has a Python thread state for each connection, so what is local to a thread is local to the connection.
        self._local = threading.local()

    def register(self) -> None:
        """Tell libmilter about them. Once in a process, before the socket is opened."""
        milter.set_connect_callback(self.connect)
        milter.set_helo_callback(self.helo)
        milter.set_envfrom_callback(self.mail)
        milter.set_envrcpt_callback(self.rcpt)
        milter.set_header_callback(self.header)
        milter.set_eom_callback(self.end)
        milter.set_abort_callback(self.abort)
        milter.set_close_callback(self.close)
        # Octets that are no UTF-8 make pymilter fail before it calls us: see unreadable.
        milter.set_exception_policy(milter.CONTINUE)
        milter.register(NAME, negotiate=self.negotiate)

    @_guarded
    def negotiate(self, context: Any, options: list[int]) -> int:
        """Ask the MTA for what is needed only: no body, headers only to find forged results, and those without replies.
        CONNECT and HELO keep their replies: without, Postfix holds them back until MAIL. So does DATA: Postfix sends its macros
        in any case, and by TCP each message waits 40 ms where nobody answers them (a delayed ACK)."""
        self.steps += 1
        connection = self._local.connection = Connection(self.service)
        context.setpriv(connection)
        offered, steps = options[0], options[1]
        headers = self.service.config.headers.remove_forged
        wanted = _NEVER_WANTED | (_HEADER if headers else _NO_HEADER)
        options[:] = [offered & _ACTIONS, steps & wanted, 0, 0]
        if offered & milter.SETSYMLIST:
            for stage, macros in _MACROS:
                context.setsymlist(stage, macros)
        return int(milter.CONTINUE)

    @_guarded
    def connect(self, context: Any, hostname: str, family: int, peer: Any) -> int:
        """A client has connected to the MTA; `peer` is (address, port, ...), a path, or None."""
        address = parse_address(peer[0]) if isinstance(peer, tuple) else None
        self._connect(context, self._connection(context), address)
        return int(milter.CONTINUE)

    @_guarded
    def helo(self, context: Any, greeting: str) -> int:
        """HELO or EHLO."""
        connection = self._connected(context)
        connection.unreadable = ""
        connection.session.helo(greeting)
        return int(milter.CONTINUE)

    @_guarded
    def mail(self, context: Any, path: bytes = b"", *parameters: bytes) -> int:
        """MAIL FROM."""
        connection = self._connected(context)
        connection.in_message = True
        self.busy.add(id(context))
        if connection.unreadable:
            connection.session.helo(connection.unreadable)
            connection.unreadable = ""
        authenticated = _has_macro(context, "{auth_authen}")
        tls = _has_macro(context, "{tls_version}")
        said = _path_and_macro(context, path, "{mail_addr}")
        sender, connection.sender = path_used_by_mta(*said, connection.sender), said
        connection.session.mail(sender, authenticated, tls, _macro(context, "i"))
        return int(milter.CONTINUE)

    @_guarded
    def rcpt(self, context: Any, path: bytes = b"", *parameters: bytes) -> int:
        """RCPT TO: where recipients are refused."""
        connection = self._connection(context)
        said = _path_and_macro(context, path, "{rcpt_addr}")
        recipient, connection.recipient = path_used_by_mta(*said, connection.recipient), said
        reply = connection.session.rcpt(recipient)
        return int(milter.CONTINUE) if reply is None else _say(context, reply)

    def header(self, context: Any, name: str, value: bytes) -> int:
        """A field of the header. Its reply is never sent (see negotiate). By far the most frequent call, so a field that nobody
        watches takes the shortest way."""
        if name.rstrip().lower() in watched(self.service.config.headers.tag):
            self._watched(context, name.rstrip(), value)
        return _NO_REPLY

    @_guarded
    def _watched(self, context: Any, name: str, value: bytes) -> int:
        self._connection(context).session.field(name, _text(value[:_MAX_FIELD]))
        return _NO_REPLY

    @_guarded
    def end(self, context: Any) -> int:
        """The end of the message: the only place where libmilter lets a message be changed."""
        connection = self._connection(context)
        connection.in_message = False
        try:
            ending = connection.session.end(_macro(context, "i"))
        finally:
            self.busy.discard(id(context))
        if ending.reply is not None:
            return _say(context, ending.reply)
        for name, number in ending.removals:
            _change(context.chgheader, name, number, None)
        for name, value in ending.fields:
            _change(context.addheader, name, value, 0)
        if ending.quarantine:
            _change(context.quarantine, ending.quarantine)
        return int(milter.CONTINUE)

    @_guarded
    def abort(self, context: Any) -> int:
        """The message was given up: RSET, another HELO, a lost connection."""
        self.busy.discard(id(context))
        connection = self._connection(context)
        connection.in_message = False
        connection.session.abort()
        return int(milter.CONTINUE)

    @_guarded
    def close(self, context: Any) -> int:
        """The connection has ended."""
        self.open.discard(id(context))
        self.busy.discard(id(context))
        connection = context.getpriv()
        if connection is not None:
            context.setpriv(None)
            self._local.connection = None
            connection.session.close()
        return int(milter.CONTINUE)

    def unreadable(self, octets: bytes) -> None:
        """Take note of octets that are no UTF-8, for which pymilter raised UnicodeDecodeError instead of calling us. They are the
        host name of CONNECT, the name in HELO, or the name of a header field. Called in the thread state of the connection."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.in_message:
            return
        if connection.connected or connection.tried:
            connection.unreadable = _text(octets)
        connection.tried = True

    def _connection(self, context: Any) -> Connection:
        self.steps += 1
        connection = context.getpriv()
        if connection is None:  # no negotiation, or a second connection over the same socket
            connection = self._local.connection = Connection(self.service)
            context.setpriv(connection)
        assert isinstance(connection, Connection)
        return connection

    def _connected(self, context: Any) -> Connection:
        """The connection. If CONNECT did not reach us (see register), the macro is all that there is of the client."""
        connection = self._connection(context)
        if not connection.connected:
            self._connect(context, connection, parse_address(_address_macro(context, "{client_addr}")))
        return connection

    def _connect(self, context: Any, connection: Connection, address: Address | None) -> None:
        self.open.add(id(context))
        connection.connected = True
        connection.session.connect(address, _macro(context, "j"), _own_address(context))


def open_socket(place: SocketAddress) -> None:
    """Open the socket for the processes that are to come. Raises milter.error."""
    host = f"[{place.host}]" if place.family == "inet6" else place.host
    _open(str(place) if place.path else f"{place.family}:{place.port}@{host}")


def take_socket(fd: int) -> None:
    """Take over a socket that listens. Raises milter.error, where libmilter knows no such thing."""
    _open(f"fd:{fd}")


def _open(name: str) -> None:
    milter.setconn(name)
    milter.settimeout(IDLE_SECONDS)
    milter.setbacklog(BACKLOG)
    milter.opensocket(False)


def serve(ended: Callable[[], None]) -> threading.Thread:
    """libmilter's main loop, in a thread of its own, so that signals reach Python's main thread. `ended` is called if it
    gives up."""

    def run() -> None:
        try:
            milter.main()
        finally:
            ended()

    thread = threading.Thread(target=run, name="libmilter", daemon=True)
    thread.start()
    return thread


def _say(context: Any, reply: Reply) -> int:
    context.setreply(str(reply.code), reply.enhanced, reply.text.replace("%", "%%"))
    return int(_CODES[reply.code // 100])


def _change(ask: Callable[..., None], *what: object) -> None:
    """Ask the MTA for a change. It may be gone by now, or have said that it makes none of this kind: then nothing is changed."""
    with suppress(milter.error):
        ask(*what)


def _macro(context: Any, name: str) -> str:
    """A macro's value; "" if the MTA did not send it, or if it is no UTF-8."""
    try:
        return context.getsymval(name) or ""
    except UnicodeDecodeError:
        return ""


def _has_macro(context: Any, name: str) -> bool:
    """Whether the MTA sent such a macro with a value, whatever it is."""
    try:
        return bool(context.getsymval(name))
    except UnicodeDecodeError:
        return True


def _address_macro(context: Any, name: str) -> str:
    """A macro's value without the tag that MTAs put before an IPv6 address."""
    return _macro(context, name).removeprefix("IPv6:")


def _path_and_macro(context: Any, path: bytes, name: str) -> tuple[str, str]:
    """A path, and what the MTA takes it for, both cut."""
    return _text(path)[:MAX_PATH], _macro(context, name)[:MAX_PATH]


def _own_address(context: Any) -> str:
    """Where the client connected to. Postfix says it as {daemon_addr}. With Sendmail that is what the daemon listens on, mostly
    any address, and the connection's is {if_addr}, which is absent on loopback."""
    for name in ("{if_addr}", "{daemon_addr}"):
        address = parse_address(_address_macro(context, name))
        if address is not None and not address.is_unspecified:
            return str(address)
    return ""


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
