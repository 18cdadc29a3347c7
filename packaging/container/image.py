"""A Containerfile, read and done without an engine: in a root that is there already, as FROM would have made it.

    image.py CONTAINERFILE ROOT     do COPY and RUN there; the context is the clone

Knows the words that ours use, and refuses others, so that nothing of them goes untried unseen. Mounts only within namespaces of its
own: whatever happens, nothing of the machine's stays mounted in the root.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE = "docker.io/library/debian:bookworm-slim"
FOR_PEOPLE = ("EXPOSE", "LABEL")
# In a mount namespace: $1 is the root, $2 "ro" or "rw", the rest the command that becomes process 1.
ENTER = """
root=$1; mode=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""
# As `--cap-drop=all --security-opt=no-new-privileges` and USER do.
UNPRIVILEGED = ("--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")


class NotCovered(Exception):
    """A Containerfile says something that nobody here can do."""


@dataclass
class Image:
    """What a Containerfile makes. `steps`: what changes the root, in order, and as whom."""

    steps: list[tuple[str, str, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    stop: signal.Signals = signal.SIGTERM

    def build(self, root: Path) -> None:
        """Do the steps there. Raises subprocess.CalledProcessError."""
        for word, rest, user in self.steps:
            print(f"--> {word} {rest}", flush=True)
            {"COPY": self._copy, "RUN": self._run}[word](root, rest, user)

    def _copy(self, root: Path, rest: str, _: str) -> None:
        *sources, target = shlex.split(rest)
        to = root / target.lstrip("/")
        (to if target.endswith("/") else to.parent).mkdir(parents=True, exist_ok=True)
        for source in sources:
            path = CLONE / source
            if path.is_dir():
                shutil.copytree(path, to, dirs_exist_ok=True)
            else:
                shutil.copy(path, to)

    def _run(self, root: Path, rest: str, user: str) -> None:
        command = inside(root, ["/bin/sh", "-c", rest], user)
        subprocess.run(command, env=self._variables(os.environ), check=True)

    def start(self, root: Path, output: Path, *, read_only: bool = False) -> subprocess.Popen[bytes]:
        """ENTRYPOINT with CMD; what it says goes to that file."""
        with output.open("ab") as to:
            return subprocess.Popen(
                inside(root, [*self.entrypoint, *self.command], self.user, read_only),
                env=self._variables({}),
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=to,
            )

    def is_healthy(self, root: Path) -> bool:
        """What HEALTHCHECK says: 0 is healthy, 1 is not; anything else would be a mistake of ours."""
        command = inside(root, self.health, self.user, True)
        done = subprocess.run(command, env=self._variables({}), capture_output=True, check=False)
        if done.returncode not in (0, 1):
            raise NotCovered(f"HEALTHCHECK ended with {done.returncode}")
        return done.returncode == 0

    def _variables(self, outer: Mapping[str, str]) -> dict[str, str]:
        proxies = {name: value for name, value in outer.items() if name.lower().endswith("_proxy")}
        return {"PATH": PATH, "HOME": "/root", **proxies, **self.environment}


def inside(root: Path, command: Sequence[str], user: str, read_only: bool = False) -> list[str]:
    """The command line that runs a command in the root, as process 1 of a namespace, as that user; whoever is not root has no
    capabilities either, nor a way to get any."""
    drop: list[str] = []
    if user != "0:0":
        number, group = user.split(":")
        drop = ["setpriv", f"--reuid={number}", f"--regid={group}", *UNPRIVILEGED]
    enter = ["sh", "-euc", ENTER, "sh", str(root), "ro" if read_only else "rw"]
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *enter, *drop, *command]


def instructions(text: str) -> list[tuple[str, str]]:
    """Words and what follows them, lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.split("\n")) if word]


def read(path: Path) -> Image:
    """The image of a Containerfile. Raises NotCovered."""
    image = Image()
    for word, rest in instructions(path.read_text("utf-8")):
        if word in ("COPY", "RUN"):
            image.steps.append((word, rest, image.user))
        elif word == "ENV":
            name, _, value = rest.partition("=")
            image.environment[name] = value
        elif word == "USER" and re.fullmatch(r"\d+:\d+", rest):
            image.user = rest
        elif word == "STOPSIGNAL":
            image.stop = signal.Signals[rest]
        elif word in ("ENTRYPOINT", "CMD"):
            setattr(image, word.lower().replace("cmd", "command"), json.loads(rest))
        elif word == "HEALTHCHECK":
            image.health = json.loads(rest.partition("CMD ")[2])
        elif not (word in FOR_PEOPLE or (word, rest) == ("FROM", BASE)):
            raise NotCovered(f"{path}: {word} {rest}")
    return image


if __name__ == "__main__":
    read(Path(sys.argv[1])).build(Path(sys.argv[2]))
