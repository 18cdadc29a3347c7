"""A configuration in shared memory: written by the process that read and validated it, mapped by the processes that use it.

The large parts, the lists, are not copied: all processes use the same memory, which cannot be changed any more and is freed when
the last of them unmaps it. Only for processes forked from the same parent: a pickle from anywhere else must never be loaded, and
hashes of strings differ between other processes.

PEP 574 (pickle protocol 5 with out-of-band buffers); memfd_create(2), fcntl(2) (seals).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pickle
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ...config.load import Config
from ...net.endpoints import Endpoint

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_WORD = 8  # bytes; each part begins at a multiple


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with everything that was read for it.

    `servers`: the name servers; those of the system if the configuration sets none.
    `number`: 1 for the first configuration that this service read, 2 for the next.
    `need_restart`: the options, as "milter.socket", that have changed and keep their old value until a restart."""

    config: Config
    servers: tuple[Endpoint, ...]
    number: int = 0
    need_restart: tuple[str, ...] = ()


def new_memory() -> int:
    """Return the descriptor of new memory that processes can share. Raises OSError."""
    return os.memfd_create("rdns-milter-config", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def write(memory: int, value: object) -> None:
    """Write the value and make the memory read-only for good. Raises OSError."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, 5, buffer_callback=buffers.append)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    sizes = [part.nbytes for part in parts]
    _write(memory, b"".join(number.to_bytes(_WORD) for number in (len(sizes), *sizes)))
    for part in parts:
        _write(memory, part)
        _write(memory, bytes(-part.nbytes % _WORD))
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)


def read(memory: int) -> Any:
    """Return the value. It stays valid after the descriptor is closed. Raises OSError, and ValueError if `write` has not
    finished."""
    if fcntl.fcntl(memory, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise ValueError("the shared configuration is not complete")
    whole = memoryview(mmap.mmap(memory, 0, mmap.MAP_SHARED, mmap.PROT_READ))
    count = int.from_bytes(whole[:_WORD])
    sizes = [int.from_bytes(whole[_WORD * place : _WORD * (place + 1)]) for place in range(1, count + 1)]
    starts = accumulate((size + -size % _WORD for size in sizes), initial=_WORD * (count + 1))
    pickled, *buffers = (whole[start : start + size] for start, size in zip(starts, sizes, strict=False))
    return pickle.loads(pickled, buffers=buffers)


def _write(memory: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(memory, rest) :]
