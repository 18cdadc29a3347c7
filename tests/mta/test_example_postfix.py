"""packaging/examples/main.cf and master.cf as Postfix reads them: by postconf, and at work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.kit.dns.nameserver import NameServer
from tests.kit.milter.daemon import Daemon
from tests.kit.milter.endpoint import free_port, postfix_style
from tests.kit.mta import examples
from tests.kit.mta.postfix import SBIN, Postfix, installed
from tests.kit.smtp.smtp_client import send
from tests.mta.attached import BAD, BAD_FROM, BAD_HELO, DEFAULT_RULES, HOST, USER

pytestmark = pytest.mark.skipif(not installed(), reason="Postfix is not installed (no /usr/sbin/postconf)")
MAIN_CFS = ("main.cf", "fleet/main.cf")


def postconf(*arguments: str) -> str:
    """Return postconf's output; it must not warn."""
    done = subprocess.run([f"{SBIN}/postconf", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def parameters() -> set[str]:
    """Return all parameters that this Postfix knows."""
    return set(re.findall(r"^(\w+) =", postconf("-d"), re.MULTILINE))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A configuration directory with the examples alone."""
    (tmp_path / "main.cf").write_text("compatibility_level = 3.6\n" + examples.text("main.cf"))
    (tmp_path / "master.cf").write_text(examples.text("master.cf"))
    return tmp_path


@pytest.mark.parametrize("name", MAIN_CFS)
def test_postfix_takes_main_cf(name: str, directory: Path) -> None:
    (directory / "main.cf").write_text("compatibility_level = 3.6\n" + examples.text(name))
    set_there = dict(re.findall(r"^(\w+) = (.*)$", postconf("-c", str(directory), "-n"), re.MULTILINE))
    given = examples.settings(name)
    assert len(given) >= 4
    assert given.items() <= set_there.items()
    assert set(set_there) - set(given) <= {"compatibility_level", "config_directory"}


def test_what_comments_name_is_there() -> None:
    said = " ".join(map(examples.comments, (*MAIN_CFS, "master.cf", "fleet/override.conf", "fleet/haproxy.cfg")))
    named = set(re.findall(r"\b((?:milter|smtpd|non_smtpd)_[a-z_]+)\b", said))
    assert {"non_smtpd_milters", "smtpd_milters"} <= named <= parameters()


def test_the_variant_in_a_comment(directory: Path) -> None:
    (line,) = re.findall(r"^# +(smtpd_milters = \{.*)$", examples.text("main.cf"), re.MULTILINE)
    (directory / "main.cf").write_text(f"compatibility_level = 3.6\n{line}\n")
    assert postconf("-c", str(directory), "-n", "smtpd_milters").strip() == line


def test_postfix_takes_master_cf(directory: Path) -> None:
    assert len(postconf("-c", str(directory), "-M").splitlines()) == 3
    milters = dict(re.findall(r"^(\S+)/smtpd_milters = ?(.*)$", postconf("-c", str(directory), "-P"), re.MULTILINE))
    services = [line.split()[0] for line in postconf("-c", str(directory), "-M").splitlines() if line[0] not in " #"]
    assert services == ["submission", "submissions", "127.0.0.1:10025"]
    assert milters == {f"{service}/inet": "" for service in services}
    options = {line.partition(" =")[0].rpartition("/")[2] for line in postconf("-c", str(directory), "-P").splitlines()}
    assert options <= parameters()


DEBIAN = Path("/usr/share/postfix/master.cf.dist")


@pytest.mark.skipif(not DEBIAN.exists(), reason="no master.cf of a Debian package")
def test_both_can_be_appended_to_those_of_debian(directory: Path) -> None:
    """Postfix warns of duplicate entries; the warning would be in the output."""
    (directory / "master.cf").write_text(DEBIAN.read_text() + examples.text("master.cf"))
    (directory / "main.cf").write_text(DEBIAN.with_name("main.cf.dist").read_text() + examples.text("main.cf"))
    entries = [line.split()[:2] for line in postconf("-c", str(directory), "-M").splitlines() if line[0] not in " #"]
    assert [entry for entry in entries if entries.count(entry) > 1] == []
    assert {"smtp", "submission", "submissions"} <= {service for service, kind in entries if kind == "inet"}


def test_the_commands_for_services_that_are_there(directory: Path) -> None:
    commands = re.findall(r"^#   (postconf -P .*)$", examples.text("master.cf"), re.MULTILINE)
    assert len(commands) == 2
    lines = "submission inet n - y - - smtpd\nsubmissions inet n - y - - smtpd\n"
    (directory / "master.cf").write_text(lines)
    for command in commands:
        postconf("-c", str(directory), *command.split()[1:])
    assert postconf("-c", str(directory), "-P").count("/smtpd_milters =") == 2


class PostfixWithSubmission(Postfix):
    """A Postfix with the example's submission service beside port 25."""

    submission = 0

    def _configure(self) -> None:
        super()._configure()
        self.submission = self.submission or free_port()
        (service,) = re.findall(r"^submission .*\n(?: +-o .*\n)+", examples.text("master.cf"), re.MULTILINE)
        # Without a certificate and accounts, and without a chroot.
        for old, new in (
            ("submission        inet  n       -       y", f"127.0.0.1:{self.submission} inet n - n"),
            ("level=encrypt", "level=none"),
            ("sasl_auth_enable=yes", "sasl_auth_enable=no"),
            ("permit_sasl_authenticated,reject", "permit"),
        ):
            assert old in service
            service = service.replace(old, new)
        with (self.config / "master.cf").open("a") as master:
            master.write(service)


def test_at_work() -> None:
    """The settings of main.cf apply at port 25 and nowhere else."""
    with (
        NameServer() as server,
        Daemon({"milter": {"deadline": 2.0}}, DEFAULT_RULES, server) as daemon,
        PostfixWithSubmission(
            None,
            myhostname=HOST,
            **(examples.settings("main.cf") | {"smtpd_milters": postfix_style(daemon.spec)}),
        ) as postfix,
    ):
        message = {"helo": BAD_HELO, "mailfrom": BAD_FROM, "rcpts": [USER]}
        refused = send(postfix.address, BAD, **message)  # type: ignore[arg-type]
        assert refused.verdict.code == 550
        taken = send(("127.0.0.1", postfix.submission), BAD, **message)  # type: ignore[arg-type]
        assert taken.accepted
        assert "postfix/submission/smtpd" in postfix.log()
        assert len(daemon.wait_for_decisions(1)) == 1
        assert daemon.terminate() == 0
        assert send(postfix.address, BAD, **message).accepted  # type: ignore[arg-type]
        assert len(daemon.decisions()) == 1
