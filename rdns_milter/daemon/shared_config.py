"""A configuration in memory that processes share: written by the one that has read and validated it, mapped by those that use it.

What is large, the lists, is not copied: all processes look into the same memory, which nobody can change any more, and which is
given back when the last of them lets go. Only for processes forked from one parent: pickles of anybody else must never be read,
and the hashes of texts are not the same elsewhere.

PEP 574 (pickles with buffers beside them); memfd_create(2), fcntl(2) (seals).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..config.load import Config
from ..net.endpoints import Endpoint

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_WORD = 8  # octets; each part begins at a multiple


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with all that was read for it. `servers`: the name servers, the system's if it names none; `number`: its
    place among those that this service has read, from 1; `waiting`: what has changed and takes a restart, as "milter.socket";
    `is_empty`: the file sets nothing."""

    config: Config
    servers: tuple[Endpoint, ...]
    number: int = 0
    waiting: tuple[str, ...] = ()
    is_empty: bool = False


def new_memory() -> int:
    """Descriptor of new memory that processes can share. Raises OSError."""
    return os.memfd_create("rdns-milter-config", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def write(memory: int, what: object) -> None:
    """Put it there, for good. Raises OSError."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(what, 5, buffer_callback=buffers.append)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    sizes = [part.nbytes for part in parts]
    _write(memory, b"".join(number.to_bytes(_WORD) for number in (len(sizes), *sizes)))
    for part in parts:
        _write(memory, part)
        _write(memory, bytes(-part.nbytes % _WORD))
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)


def read(memory: int) -> Any:
    """What was put there; it lives on when the descriptor is closed. Raises OSError, and ValueError if there is nothing whole."""
    if fcntl.fcntl(memory, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise ValueError("it is not complete")
    whole = memoryview(mmap.mmap(memory, 0, mmap.MAP_SHARED, mmap.PROT_READ))
    count = int.from_bytes(whole[:_WORD])
    sizes = [int.from_bytes(whole[_WORD * place : _WORD * (place + 1)]) for place in range(1, count + 1)]
    starts = accumulate((size + -size % _WORD for size in sizes), initial=_WORD * (count + 1))
    pickled, *buffers = (whole[start : start + size] for start, size in zip(starts, sizes, strict=False))
    return pickle.loads(pickled, buffers=buffers)


def _write(memory: int, octets: bytes | memoryview) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.write(memory, left) :]
