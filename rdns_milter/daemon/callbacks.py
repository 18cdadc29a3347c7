"""The callbacks of libmilter, which drive a Session. The only module that knows pymilter; it is imported only by `run`.

Callbacks only translate between libmilter and the session. Must never raise: whatever breaks here, the mail passes, and the log
says so. Bytes of headers, macros and paths that are not UTF-8 become surrogates, which are escaped where they are written.

libmilter's API (smfi_register, smfi_setreply, smfi_addheader); packaging/doc/platform.md 1.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import milter

from ..config.load import Config
from ..net.endpoints import SocketAddress
from ..net.mailboxes import MAX_PATH, path_used_by_mta
from ..net.names import Address, parse_address
from ..responses.incoming_fields import watched
from ..responses.replies import Reply
from ..session.service import Service
from ..session.session import RECEIVED, Session
from .quick_acks import QuickAcks

NAME = "rdns-milter"
IDLE_SECONDS = 600  # after which libmilter closes a connection that is silent in the middle of a packet
BACKLOG = 511  # connections that the kernel queues until a worker accepts them
_MAX_FIELD = 65_000  # bytes of a header field that are examined; a packet of the protocol has no more
# The macros that the MTA is asked for at each stage. libmilter keeps a macro until its stage is over.
_MACROS = (
    (milter.M_CONNECT, "j {if_addr} {daemon_addr} {client_addr} v"),
    (milter.M_HELO, "{tls_version}"),
    (milter.M_ENVFROM, "i {auth_authen} {tls_version} {mail_addr}"),
    (milter.M_ENVRCPT, "{rcpt_addr}"),
    (milter.M_EOM, "i"),
)
_IPV6 = "IPv6:"  # MTAs put it before an IPv6 address in a macro
_VERSION = "v"  # of the MTA; Postfix names itself in it, Sendmail sends the number alone
_ACTIONS = milter.ADDHDRS | milter.CHGHDRS | milter.QUARANTINE | milter.SETSYMLIST
_NEVER_WANTED = milter.P_NOBODY | milter.P_NOUNKNOWN
# With DATA and fields the end of the header is needed: without it libmilter would not answer the end of a message without fields.
_HEADER, _NO_HEADER = milter.P_NR_HDR | milter.P_NR_EOH, milter.P_NOHDRS | milter.P_NOEOH
_NOT_ON_UNIX_SOCKETS = milter.P_NODATA | milter.P_NOEOH
_NO_REPLY = int(milter.NOREPLY)
_CODES = {4: milter.TEMPFAIL, 5: milter.REJECT}

ReportError = Callable[[str, BaseException], None]
LibmilterError: type[Exception] = milter.error


class Connection:
    """A session with the state of its connection. `connected`: the session knows the client; `connect_failed`: pymilter could not
    decode CONNECT; `in_message`: between MAIL and the end of the message; `undecoded_greeting`: a greeting that pymilter could not
    decode, "" if none; `sender`, `recipient`: path and macro of the last MAIL and of the last RCPT, because libmilter keeps a macro
    that is not sent again."""

    __slots__ = ("connect_failed", "connected", "in_message", "recipient", "sender", "session", "undecoded_greeting")

    def __init__(self, service: Service) -> None:
        self.session = Session(service)
        self.connected = self.connect_failed = self.in_message = False
        self.undecoded_greeting = ""
        self.sender = self.recipient = ("", "")


def _guarded(callback: Callable[..., int]) -> Callable[..., int]:
    """Make a callback that never raises: a bug is no reason to refuse mail."""

    @functools.wraps(callback)
    def guarded(self: Callbacks, context: Any, *arguments: Any) -> int:
        try:
            return callback(self, context, *arguments)
        except Exception as error:  # noqa: BLE001 - no exception may reach libmilter
            self._report_error(callback.__name__, error)
            return int(milter.CONTINUE)
        finally:
            self._quick_acks.replied()

    return guarded


class Callbacks:
    """The callbacks of a process, for all its connections. Registered before the fork and attached to the worker's service after
    it. `open`: the open connections; `busy`: those in the middle of a message; `steps`: callbacks called, about."""

    _service: Service
    _report_error: ReportError
    _quick_acks: QuickAcks
    _on_unix_socket = False

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.busy: set[int] = set()
        self.steps = 0
        # The configuration, and the names of the fields that it lets us look at: one tuple, because threads share it.
        self._watched: tuple[Config | None, frozenset[str]] = None, frozenset()
        # pymilter has a Python thread state for each connection, so thread-local data belong to the connection.
        self._local = threading.local()

    def register(self) -> None:
        """Register the callbacks with libmilter. Once in a process, before the socket is opened."""
        milter.set_connect_callback(self.connect)
        milter.set_helo_callback(self.helo)
        milter.set_envfrom_callback(self.mail)
        milter.set_envrcpt_callback(self.rcpt)
        milter.set_header_callback(self.header)
        milter.set_eoh_callback(lambda context: _NO_REPLY)  # without it pymilter replies, and libmilter logs an error
        milter.set_eom_callback(self.end)
        milter.set_abort_callback(self.abort)
        milter.set_close_callback(self.close)
        # Bytes that are not UTF-8 make pymilter fail before it calls us: see undecodable.
        milter.set_exception_policy(milter.CONTINUE)
        milter.register(NAME, negotiate=self.negotiate)

    def attach(self, service: Service, place: SocketAddress, report_error: ReportError, quick_acks: QuickAcks) -> None:
        """Serve this service from now on, at `place`. `report_error` gets the place and the exception of a bug."""
        self._on_unix_socket = bool(place.path)
        self._service = service
        self._report_error = report_error
        self._quick_acks = quick_acks

    @_guarded
    def negotiate(self, context: Any, options: list[int]) -> int:
        """Ask for no body, and for header fields only because of forged results and relays. CONNECT and HELO keep their replies,
        without which Postfix sends both only with MAIL. So does DATA over TCP: Postfix sends its macros in any case, and each
        message would wait 40 ms for a delayed ACK."""
        self.steps += 1
        self._quick_acks.connected()
        connection = self._local.connection = Connection(self._service)
        context.setpriv(connection)
        offered, steps = options[0], options[1]
        config = self._service.config
        unwanted = _NEVER_WANTED | (_HEADER if config.headers.remove_forged or config.relays.networks else _NO_HEADER)
        unwanted |= _NOT_ON_UNIX_SOCKETS * self._on_unix_socket
        options[:] = [offered & _ACTIONS, steps & unwanted, 0, 0]
        if offered & milter.SETSYMLIST:
            for stage, macros in _MACROS:
                context.setsymlist(stage, macros)
        return int(milter.CONTINUE)

    @_guarded
    def connect(self, context: Any, hostname: str, family: int, peer: Any) -> int:
        """CONNECT: a client has connected to the MTA. `peer`: (address, port, ...), a path, or None."""
        if not self._on_unix_socket and (version := _macro(context, _VERSION)) and "Postfix" not in version:
            self._quick_acks.want()
        address = parse_address(peer[0]) if isinstance(peer, tuple) else None
        self._connect(context, self._connection(context), address)
        return int(milter.CONTINUE)

    @_guarded
    def helo(self, context: Any, greeting: str) -> int:
        """HELO or EHLO."""
        connection = self._connected(context)
        connection.undecoded_greeting = ""
        connection.session.helo(greeting)
        return int(milter.CONTINUE)

    @_guarded
    def mail(self, context: Any, path: bytes = b"", *parameters: bytes) -> int:
        """MAIL FROM."""
        connection = self._connected(context)
        connection.in_message = True
        self.busy.add(id(context))
        if connection.undecoded_greeting:
            connection.session.helo(connection.undecoded_greeting)
            connection.undecoded_greeting = ""
        authenticated = _has_macro(context, "{auth_authen}")
        tls = _has_macro(context, "{tls_version}")
        received = _path_and_macro(context, path, "{mail_addr}")
        sender, connection.sender = path_used_by_mta(*received, connection.sender), received
        connection.session.mail(sender, authenticated, tls, _macro(context, "i"))
        return int(milter.CONTINUE)

    @_guarded
    def rcpt(self, context: Any, path: bytes = b"", *parameters: bytes) -> int:
        """RCPT TO: the stage at which recipients are refused."""
        connection = self._connection(context)
        received = _path_and_macro(context, path, "{rcpt_addr}")
        recipient, connection.recipient = path_used_by_mta(*received, connection.recipient), received
        reply = connection.session.rcpt(recipient)
        return int(milter.CONTINUE) if reply is None else _refuse(context, reply)

    def header(self, context: Any, name: str, value: bytes) -> int:
        """A header field. The reply is never sent (see negotiate). Most fields are dismissed at once: no call is as frequent."""
        config, (known, fields) = self._service.config, self._watched
        if known is not config:
            known, fields = self._watched = config, watched(config.headers.tag, RECEIVED * bool(config.relays.networks))
        if name.rstrip().lower() in fields:
            self._add_field(context, name.rstrip(), value)
        return _NO_REPLY

    @_guarded
    def _add_field(self, context: Any, name: str, value: bytes) -> int:
        self._connection(context).session.field(name, _text(value[:_MAX_FIELD]))
        return _NO_REPLY

    @_guarded
    def end(self, context: Any) -> int:
        """The end of the message, the only stage at which libmilter lets a message be changed."""
        connection = self._connection(context)
        connection.in_message = False
        try:
            modifications = connection.session.end(_macro(context, "i"))
        finally:
            self.busy.discard(id(context))
        if modifications.reply is not None:
            return _refuse(context, modifications.reply)
        for name, number in modifications.removals:
            _change(context.chgheader, name, number, None)
        for name, value in modifications.fields:
            _change(context.addheader, name, value, 0)
        if modifications.quarantine:
            _change(context.quarantine, modifications.quarantine)
        return int(milter.CONTINUE)

    @_guarded
    def abort(self, context: Any) -> int:
        """The message was aborted: RSET, another HELO, a lost connection."""
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

    def undecodable(self, data: bytes) -> None:
        """Note bytes that are not UTF-8 (host name of CONNECT, HELO name, or name of a header field), for which pymilter
        raised UnicodeDecodeError instead of calling a callback. Called in the connection's thread state."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.in_message:
            return
        if connection.connected or connection.connect_failed:
            connection.undecoded_greeting = _text(data)
        connection.connect_failed = True

    def _connection(self, context: Any) -> Connection:
        self.steps += 1
        connection = context.getpriv()
        if connection is None:  # no negotiation, or a second SMTP connection over the same socket
            connection = self._local.connection = Connection(self._service)
            context.setpriv(connection)
        assert isinstance(connection, Connection)
        return connection

    def _connected(self, context: Any) -> Connection:
        """Return the connection. If there was no CONNECT (see undecodable), take the client's address from the macro."""
        connection = self._connection(context)
        if not connection.connected:
            self._connect(context, connection, parse_address(_macro(context, "{client_addr}").removeprefix(_IPV6)))
        return connection

    def _connect(self, context: Any, connection: Connection, address: Address | None) -> None:
        self.open.add(id(context))
        connection.connected = True
        connection.session.connect(address, _macro(context, "j"), _own_address(context))


def open_socket(place: SocketAddress) -> None:
    """Open the socket, for the processes that are forked later. Raises milter.error."""
    host = f"[{place.host}]" if place.family == "inet6" else place.host
    _open(str(place) if place.path else f"{place.family}:{place.port}@{host}")


def take_socket(fd: int) -> None:
    """Take over a listening socket. Raises milter.error if libmilter does not support it."""
    _open(f"fd:{fd}")


def _open(name: str) -> None:
    milter.setconn(name)
    milter.settimeout(IDLE_SECONDS)
    milter.setbacklog(BACKLOG)
    milter.opensocket(False)


def serve(ended: Callable[[], None]) -> threading.Thread:
    """Run libmilter's main loop in a thread of its own, so that signals reach Python's main thread. `ended` is called when it
    returns."""

    def run() -> None:
        try:
            milter.main()
        finally:
            ended()

    thread = threading.Thread(target=run, name="libmilter", daemon=True)
    thread.start()
    return thread


def _refuse(context: Any, reply: Reply) -> int:
    context.setreply(str(reply.code), reply.enhanced, reply.text.replace("%", "%%"))
    return int(_CODES[reply.code // 100])


def _change(request: Callable[..., None], *arguments: object) -> None:
    """Request a change of the message. Nothing is changed if the MTA has gone, or does not support such changes."""
    with suppress(milter.error):
        request(*arguments)


def _macro(context: Any, name: str) -> str:
    """Return the value of a macro; "" if the MTA did not send it, or if it is not UTF-8."""
    try:
        return context.getsymval(name) or ""
    except UnicodeDecodeError:
        return ""


def _has_macro(context: Any, name: str) -> bool:
    """Return True if the MTA sent the macro with any value."""
    try:
        return bool(context.getsymval(name))
    except UnicodeDecodeError:
        return True


def _path_and_macro(context: Any, path: bytes, name: str) -> tuple[str, str]:
    """Return the path, and the mailbox that the MTA reads it as, both truncated."""
    return _text(path)[:MAX_PATH], _macro(context, name)[:MAX_PATH]


def _own_address(context: Any) -> str:
    """Return the address that the client connected to: {daemon_addr}, or {if_addr} where Sendmail listens on all addresses."""
    return _specified(_macro(context, "{daemon_addr}")) or _specified(_macro(context, "{if_addr}"))


@functools.lru_cache(maxsize=64)
def _specified(text: str) -> str:
    address = parse_address(text.removeprefix(_IPV6))
    return "" if address is None or address.is_unspecified else str(address)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
