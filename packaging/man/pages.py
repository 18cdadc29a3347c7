"""Writes the manual pages: python3 packaging/man/pages.py DIRECTORY

The pages are made from the program's own tables and are not stored: packages make them when they are built. The program is imported
for this, so that its dependencies must be installed. The date of the pages is SOURCE_DATE_EPOCH, if that is set, so that the same
sources give the same pages.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

try:
    import command_page
    import config_page
except ModuleNotFoundError as error:
    sys.exit(
        f"{sys.executable} does not find {error.name}, which the program needs. On Debian `sh packaging/build-deb.sh` installs it;"
        " elsewhere use the Python of the environment in which the program is installed"
    )


def main(arguments: list[str]) -> int:
    """Write the pages. Return the exit status."""
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
