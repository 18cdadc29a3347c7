"""A configuration put into shared memory is taken out as it was, and nobody can change it there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdns_milter.config.load import parse
from rdns_milter.config.sample import sample
from rdns_milter.daemon.configuration.shared_config import LoadedConfig, new_memory, read, write
from rdns_milter.net.endpoints import Endpoint

TEXT = """
[lists]
networks = "networks"
names = "names"
[generic]
patterns = ["^x[0-9]+"]
[[rule]]
name = "networks"
when = { client = "@networks", ptr = "@names", mailfrom = ["a@example.com", "<>"] }
unless = { rcpt = "b@", min_score = 3, tls = true }
action = "reject"
until = 2099-12-31
"""


@pytest.mark.parametrize("text", [sample(), TEXT, ""])
def test_what_is_written_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "networks").write_text(
        "".join(f"192.0.{n % 256}.{n // 256}\n2001:db8:{n:x}::/48\n" for n in range(3000))
    )
    (tmp_path / "names").write_text("".join(f"mx{n}.example\n.sub{n}.example\n" for n in range(3000)))
    loaded = LoadedConfig(parse(text, str(tmp_path / "c")), (Endpoint("127.0.0.1", 53),), 7, ("milter.user",))
    memory = new_memory()
    write(memory, loaded)
    found = read(memory)
    with pytest.raises(PermissionError):
        os.pwrite(memory, b"x", 0)
    os.close(memory)
    assert found == loaded


def test_what_is_not_whole_is_not_read() -> None:
    memory = new_memory()
    with pytest.raises(ValueError, match="not complete"):
        read(memory)
    os.write(memory, b"x" * 100)
    with pytest.raises(ValueError, match="not complete"):
        read(memory)
    os.close(memory)
