"""Pigeonhole's sieve-test: where a Sieve script would put a message. Nothing is delivered."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

PROGRAM = "sieve-test"
# It must not run as root, and reads no configuration of the machine.
_SETTINGS = """
protocols =
ssl = no
mail_location = maildir:{directory}/mail
base_dir = {directory}/run
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
log_path = /dev/stderr
"""
_STORED = re.compile(r"^ \* store message in folder: (.+)$", re.MULTILINE)


def folder(script: str, message: str) -> str:
    """Return the folder into which the script puts the message. Raises ValueError if there is not exactly one."""
    with tempfile.TemporaryDirectory(prefix="rdns-sieve-") as name:
        directory = Path(name)
        directory.chmod(0o777)
        files = {"dovecot.conf": _SETTINGS.format(directory=name), "script.sieve": script, "message": message}
        for file, text in files.items():
            (directory / file).write_text(text, "utf-8", "surrogateescape")
            (directory / file).chmod(0o644)
        command = [PROGRAM, "-c", f"{name}/dovecot.conf", f"{name}/script.sieve", f"{name}/message"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    folders = _STORED.findall(done.stdout)
    if done.returncode or len(folders) != 1:
        raise ValueError(f"{PROGRAM} (status {done.returncode}): {done.stdout}{done.stderr}")
    return str(folders[0])
