"""The systemd units are valid, restrictive, and agree with the program. systemd itself checks them, offline."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rdns_milter.cli.main import parser
from rdns_milter.config.sections.milter import MAX_DEADLINE, Milter
from rdns_milter.daemon import master
from rdns_milter.daemon.callbacks import BACKLOG
from rdns_milter.daemon.pool_waker import MAX_WAITING, RESERVE
from rdns_milter.daemon.privileges import WANTED_FILES
from rdns_milter.daemon.worker import HEARTBEAT
from rdns_milter.text.exit_status import EX_CONFIG
from tests.kit.milter.endpoint import parse_endpoint

UNITS = Path(__file__).parents[3] / "packaging" / "systemd"
SERVICE = "rdns-milter.service"
MOST = (
    20  # tenths of the exposure that `systemd-analyze security` may report: 0: the unit may do nothing, 100: everything
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (package systemd)"
)


def unit(name: str = SERVICE) -> configparser.ConfigParser:
    """Return the unit; of a key that is set twice, the last value."""
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((UNITS / name).read_text("utf-8"))
    return found


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a root in which the program is installed, as verify looks for it."""
    for path in UNITS.glob("rdns-milter.*"):
        if path.suffix in (".service", ".socket"):
            text = path.read_text("utf-8").replace("/usr/local/bin/rdns-milter", "/bin/true")
            (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


@needs_systemd
def test_verify(installed: Path) -> None:
    done = analyze("verify", "--man=no", *map(str, sorted(installed.iterdir())))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_verify_would_find_a_mistake(installed: Path) -> None:
    path = installed / SERVICE
    path.write_text(path.read_text("utf-8").replace("RestartSec=2", "RestartSecs=2"), "utf-8")
    assert "RestartSecs" in analyze("verify", "--man=no", str(path)).stderr


@needs_systemd
def test_security(installed: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={MOST}", "--no-pager", str(installed / SERVICE))
    assert done.returncode == 0, done.stdout + done.stderr
    (level,) = re.findall(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert 0 < float(level) <= MOST / 10


@needs_systemd
def test_security_would_find_an_open_unit(installed: Path) -> None:
    path = installed / SERVICE
    kept = [
        line for line in path.read_text("utf-8").splitlines() if not line.startswith(("Protect", "System", "Capab"))
    ]
    path.write_text("\n".join(kept), "utf-8")
    assert analyze("security", "--offline=true", f"--threshold={MOST}", "--no-pager", str(path)).returncode != 0


def test_the_unit_and_the_program_agree() -> None:
    service = unit()["Service"]
    command = service["ExecStart"].split()
    assert parser().parse_args(command[1:]).dry_run is False
    assert service["Type"] == "notify"
    assert service["RestartPreventExitStatus"] == str(EX_CONFIG)
    assert service["User"] == service["Group"] == "rdns-milter"
    check, reload = re.findall(r"^ExecReload=(.*)$", (UNITS / SERVICE).read_text("utf-8"), re.MULTILINE)
    assert check.split()[1:] == ["config", "--check"]
    assert check.split()[0] == command[0]
    assert parser().parse_args(check.split()[1:]).config == parser().parse_args(command[1:]).config
    assert reload.endswith("-HUP $MAINPID")
    # Signs of life come each second, and a stop takes no longer than the longest deadline and what is allowed beyond it.
    assert float(service["WatchdogSec"]) > 5 * HEARTBEAT
    assert float(service["TimeoutStopSec"]) > MAX_DEADLINE + master._STOP_MARGIN + 5
    assert Milter().deadline <= MAX_DEADLINE
    assert int(service["LimitNOFILE"]) == WANTED_FILES
    assert int(service["TasksMax"]) >= 16 * (MAX_WAITING + RESERVE + 8)


def test_the_socket_unit_opens_what_the_config_names() -> None:
    text = (UNITS / "rdns-milter.socket").read_text("utf-8")
    default, chrooted = re.findall(r"^#?ListenStream=(\S+)$", text, re.MULTILINE)
    assert parse_endpoint(default if default.startswith("/") else f"inet:{default}") == parse_endpoint(
        str(Milter().socket)
    )
    assert f"ReadWritePaths=-{Path(chrooted).parent}\n" in (UNITS / SERVICE).read_text("utf-8")
    socket = unit("rdns-milter.socket")["Socket"]
    assert socket["SocketUser"] == unit()["Service"]["User"]
    assert int(socket["SocketMode"], 8) == Milter().socket_mode
    assert int(socket["Backlog"]) == BACKLOG


def test_the_sentences_on_what_stays_open_are_about_what_is_there() -> None:
    text = (UNITS / SERVICE).read_text("utf-8")
    settings = set(re.findall(r"^#?(\w+)=", text, re.MULTILINE))
    assert {"IPAddressDeny", "RestrictAddressFamilies", "SupplementaryGroups"} <= settings
    assert not {"PrivateNetwork", "PrivateUsers", "RootDirectory"} & settings
