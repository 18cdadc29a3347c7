"""Writes the manual pages: python3 packaging/man/pages.py DIRECTORY

They are made of the program's own tables and are not kept anywhere: whoever packages it makes them. Needs nothing but what the
program needs. Their date is SOURCE_DATE_EPOCH's, if that is set, so that the same sources make the same pages.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import command_page  # noqa: E402
import config_page  # noqa: E402


def main(arguments: list[str]) -> int:
    """Write them; the exit status."""
    if len(arguments) != 1:
        print((__doc__ or "").splitlines()[0], file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    for made in (command_page, config_page):
        path = directory / f"{made.NAME}.{made.SECTION}"
        path.write_text(made.page(day), "ascii")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
