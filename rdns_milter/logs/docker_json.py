"""Read the files of docker's json-file driver as the lines that `docker logs -t` writes.

A stream: holds one entry, of which at most MAX_ENTRY bytes. Must never raise on its contents: a line that is no entry is kept.

Docker's "JSON File logging driver": one JSON object for each line of output, with the keys log, stream and time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

MAX_ENTRY = 65_536  # bytes; docker splits a line of output after 16 KiB
MAGIC = b'{"log":"'  # the first bytes of a file


def lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of output, each with its date in front."""
    while data := stream.readline(MAX_ENTRY):
        line = data.decode("utf-8", "surrogateescape").rstrip("\r\n")
        try:
            entry = json.loads(line)
            yield f"{entry['time']} {entry['log']}".rstrip("\r\n")
        except (ValueError, TypeError, KeyError, RecursionError):
            yield line
