"""Sign a message with DKIM, so that a verifier has something to verify: rsa-sha256, relaxed/simple. Needs the program openssl.

    key = DkimKey(tmp_path / "key.pem")
    zone = Zone(f"s1._domainkey.good.example TXT {key.record}")
    headers = [("DKIM-Signature", key.signature("good.example", "s1", headers, body)), *headers]

Never for real mail: it signs what it is given, and checks nothing. RFC 6376 3.4.2, 3.4.3, 3.5, 3.7.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

_BLANKS = re.compile(r"[ \t\r\n]+")


class DkimKey:
    """An RSA key, made anew in that file. `.record`: the strings of the TXT record that publishes it."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        _openssl("genrsa", "-out", self._path, "2048")
        public = base64.b64encode(_openssl("rsa", "-in", self._path, "-pubout", "-outform", "DER")).decode()
        strings = ("v=DKIM1; k=rsa; p=", *(public[at : at + 200] for at in range(0, len(public), 200)))
        self.record = " ".join(f'"{each}"' for each in strings)

    def signature(self, domain: str, selector: str, headers: Sequence[tuple[str, str]], body: bytes) -> str:
        """Return the value of a DKIM-Signature field over all of these header fields. Lines of the body end with CRLF."""
        digest = base64.b64encode(hashlib.sha256(body.rstrip(b"\r\n") + b"\r\n").digest()).decode()
        names = ":".join(name for name, _ in headers)
        value = f"v=1; a=rsa-sha256; c=relaxed/simple; d={domain}; s={selector}; h={names}; bh={digest}; b="
        fields = [*(f"{_relaxed(*field)}\r\n" for field in headers), _relaxed("DKIM-Signature", value)]
        signed = _openssl("dgst", "-sha256", "-sign", self._path, data="".join(fields).encode())
        return value + base64.b64encode(signed).decode()


def _relaxed(name: str, value: str) -> str:
    return f"{name.lower()}:{_BLANKS.sub(' ', value).strip()}"


def _openssl(*arguments: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True, timeout=60)
    return done.stdout
