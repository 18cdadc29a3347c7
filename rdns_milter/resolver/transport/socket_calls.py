"""Send and receive UDP datagrams without releasing Python's lock.

The methods of a socket release the lock during the system call. A thread that waits for it takes it then, and the event loop's
thread has to get it back: twice for each question, although a call on a non-blocking socket takes a few microseconds. Calls through
ctypes.PyDLL keep the lock. Must never be used on a socket that can block.

send(2), recv(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket

_LIBC = ctypes.PyDLL(None, use_errno=True)
_SEND, _RECV = _LIBC.send, _LIBC.recv
_SEND.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_RECV.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_SEND.restype = _RECV.restype = ctypes.c_ssize_t
_NOTHING = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR))


class Datagrams:
    """Sends and receives, with one buffer for `size` bytes of a datagram; the rest of a longer one is lost. For one thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = ctypes.create_string_buffer(size)
        self._address = ctypes.addressof(self._buffer)
        self._view = memoryview(self._buffer).cast("B")

    def send(self, sock: socket.socket, data: bytes) -> None:
        """Send a datagram on a connected socket. Raises OSError."""
        if _SEND(sock.fileno(), data, len(data), socket.MSG_DONTWAIT) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def receive(self, sock: socket.socket) -> bytes | None:
        """Return the next datagram, None if there is none. Raises OSError."""
        length = _RECV(sock.fileno(), self._address, self._size, socket.MSG_DONTWAIT)
        if length >= 0:
            return bytes(self._view[:length])
        number = ctypes.get_errno()
        if number in _NOTHING:
            return None
        raise OSError(number, os.strerror(number))
