"""The packages agree with the program: version, dependencies, user, sockets, files."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest

from rdns_milter import __version__
from rdns_milter.config.load import DEFAULT_PATH
from rdns_milter.config.sections.milter import Milter
from rdns_milter.net.endpoints import parse_socket_address
from tests.kit.data import documents
from tests.kit.milter.endpoint import parse_endpoint

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"
DEBIAN = PACKAGING / "debian"
# The names of our dependencies at PyPI, in Debian and in Fedora.
NAMES = {
    "pymilter": ("python3-milter", "python3-pymilter"),
    "dnspython": ("python3-dnspython", "python3-dns"),
    "pyspf": ("python3-spf", "python3-pyspf"),
    "publicsuffixlist": ("python3-publicsuffix2", "python3-publicsuffix2"),
    "idna": ("python3-idna", "python3-idna"),
    "rich": ("python3-rich", "python3-rich"),
    "prometheus-client": ("python3-prometheus-client", "python3-prometheus_client"),
}
# The lower bound of a library that distributions package instead of ours.
INSTEAD = {"publicsuffixlist": "2.20191221"}
SOURCED = {"provide.sh", "sources.sh"}
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGING.glob("*.sh") if path.name not in SOURCED)


def text(path: str) -> str:
    return (PACKAGING / path).read_text("utf-8")


def field(name: str) -> str:
    """Return a field of the binary package in debian/control, without comments."""
    stanza = "\n".join(line for line in text("debian/control").split("\n\n")[1].splitlines() if line[0] != "#")
    (value,) = re.findall(rf"^{name}: (.*(?:\n .*)*)", stanza, re.MULTILINE)
    return str(value)


def requirements() -> dict[str, str]:
    """Return names and lower bounds from setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    lines = [line for line in config["options"]["install_requires"].splitlines() if line and line[0] != "#"]
    return dict(line.split(" >= ") for line in lines)


def test_files_that_are_no_modules_are_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    named = {
        f"{package.replace('.', '/')}/{name}"
        for package, names in config["options.package_data"].items()
        for name in names.split()
    }
    paths = (path for path in (ROOT / "rdns_milter").rglob("*.*") if path.suffix not in (".py", ".pyc"))
    assert {path.relative_to(ROOT).as_posix() for path in paths if path.is_file()} == named


def test_all_packages_have_this_version() -> None:
    assert re.match(r"rdns-milter \((\S+)\) ", text("debian/changelog"))[1] == __version__  # type: ignore[index]
    spec = text("rpm/rdns-milter.spec")
    assert re.findall(r"^Version: +(\S+)", spec, re.MULTILINE) == [__version__]
    assert f" - {__version__}-1\n" in spec.partition("%changelog\n")[2]


def test_dependencies_are_those_of_setup_cfg() -> None:
    needed = requirements()
    assert needed.keys() == NAMES.keys()
    runtime = re.findall(r'RUNTIME="([^"]*)"', text("provide.sh"))[0].replace("\\", "").split()
    assert set(runtime) == {"python3", *(debian for debian, _ in NAMES.values())}
    depends = dict(re.findall(r"(python3-[a-z0-9-]+) \(>= ([0-9.]+)\)", field("Depends")))
    assert depends == {debian: INSTEAD.get(name, needed[name]) for name, (debian, _) in NAMES.items()}
    build = text("debian/control").partition("Build-Depends:")[2].partition("\n\n")[0]
    assert all(f" {debian}" in build for debian, _ in NAMES.values())
    requires = dict(re.findall(r"^Requires: +(python3-\S+)(?: >= (\S+))?", text("rpm/rdns-milter.spec"), re.MULTILINE))
    assert requires.keys() == {fedora for _, fedora in NAMES.values()}
    assert all(requires[fedora] in (needed[name], "") for name, (_, fedora) in NAMES.items())


def test_debian_takes_another_library_for_the_public_suffix_list() -> None:
    overrides = [line.split() for line in text("debian/py3dist-overrides").splitlines() if line[0] != "#"]
    assert overrides == [[name, NAMES[name][0]] for name in INSTEAD]
    assert "publicsuffix," in field("Depends").split()
    assert all(f"dist\\\\({name}\\\\)" in text("rpm/rdns-milter.spec") for name in INSTEAD)


def test_the_licence_is_the_same() -> None:
    ours = (ROOT / "LICENSE").read_text("utf-8").partition("\n\n")[2].partition("\n\n")[2]
    theirs = text("debian/copyright").partition("License: Expat\n\n")[2].partition("\n")[2]
    assert [line.strip().removeprefix(".").split() for line in theirs.splitlines()] == [
        line.split() for line in ours.splitlines()
    ]


def test_the_user_is_the_same_everywhere() -> None:
    kind, user, _, sentence, home, shell = shlex.split(text("systemd/rdns-milter.sysusers").splitlines()[-1])
    assert (kind, user, home, shell) == ("u", "rdns-milter", "/nonexistent", "/usr/sbin/nologin")
    assert f"\nUser={user}\nGroup={user}\n" in text("systemd/rdns-milter.service")
    spec = text("rpm/rdns-milter.spec")
    assert all(word in spec for word in (home, shell, f'"{sentence}"'))
    assert f"-o {user} -g postfix" in text("debian/README.Debian")


def test_the_unit_can_be_moved_to_usr() -> None:
    """Both packages do it with sed, on these lines."""
    unit = text("systemd/rdns-milter.service")
    for line in ("ExecStart=/usr/local/bin/rdns-milter run", "ExecReload=/usr/local/bin/rdns-milter config --check"):
        assert f"\n{line}\n" in unit
    assert unit.count("/usr/local/bin/") == unit.count("=/usr/local/bin/")
    assert "s,=/usr/local/bin/,=/usr/bin/," in text("debian/rules")
    assert "s,=/usr/local/bin/,=%{_bindir}/," in text("rpm/rdns-milter.spec")


def test_the_config_is_where_the_program_looks() -> None:
    source, directory = text("debian/rdns-milter.install").splitlines()[0].split()
    assert (ROOT / source).is_file()
    assert f"/{directory}/{Path(source).name}" == DEFAULT_PATH
    assert f"%config(noreplace) {DEFAULT_PATH.replace('/etc', '%{_sysconfdir}')}\n" in text("rpm/rdns-milter.spec")


def test_readme_debian_names_the_sockets_of_the_milter() -> None:
    default, chrooted = re.findall(r"^ *smtpd_milters = (\S+)", text("debian/README.Debian"), re.MULTILINE)
    assert parse_endpoint(default) == parse_endpoint(str(Milter().socket))
    assert f"smtpd_milters = {chrooted}" in documents.text()


def test_sendmail_names_the_sockets_of_the_milter() -> None:
    example = text("examples/sendmail/sendmail.mc")
    (default,) = re.findall(r"`S=([^,]+),", example)
    (unix,) = re.findall(r" S=(local:[^;]+);", example)
    assert parse_socket_address(default) == Milter().socket
    assert parse_socket_address(unix).path.startswith("/run/rdns-milter/")
    assert unix in text("debian/README.Debian")


def test_readme_debian_and_readme_have_the_same_recipe() -> None:
    (recipe,) = re.findall(r"^ +(install -d .*)$", documents.text(), re.MULTILINE)
    debian = text("debian/README.Debian")
    assert recipe in debian
    directory = recipe.split()[-1]
    assert f'socket = "unix:{directory}/rdns-milter.sock"' in debian
    assert f"ReadWritePaths=-{directory}\n" in text("systemd/rdns-milter.service")
    assert f"directory={directory}\n" in text("debian/rdns-milter.postrm")


def test_what_debian_is_to_take_is_there() -> None:
    for pattern in text("debian/rdns-milter.examples").split():
        assert list(ROOT.glob(pattern)), pattern


def test_both_packages_have_all_units_and_completions() -> None:
    rules, spec = text("debian/rules"), text("rpm/rdns-milter.spec")
    files = spec.partition("\n%files\n")[2]
    units = sorted(
        path.name for path in (PACKAGING / "systemd").iterdir() if path.suffix in (".service", ".socket", ".timer")
    )
    assert len(units) == 4
    for unit in units:
        assert f"packaging/systemd/{unit} " in rules
        assert f"packaging/systemd/{unit} " in spec
        assert f"\n%{{_unitdir}}/{unit}\n" in files
    for name in ("bash-completion/completions/rdns-milter", "_rdns-milter"):
        assert re.search(rf"^%\{{_datadir\}}/(\S+/)?{name}$", files, re.MULTILINE)


def test_packages_install_the_documentation_side_by_side() -> None:
    """With the links that packaging/doc/install.py writes, and under the names that they lead to."""
    assert text("debian/rdns-milter.docs") == "debian/doc/*\n"
    rules, spec = text("debian/rules"), text("rpm/rdns-milter.spec")
    assert "\tpython3 packaging/doc/install.py debian/doc\n" in rules
    assert "\tdh_compress -X.md\n" in rules
    assert "\npython3 packaging/doc/install.py doc\n" in spec
    assert "\n%doc doc/*\n" in spec
    installed = {Path(pattern).name for pattern in text("debian/rdns-milter.examples").split()}
    assert {"prometheus", "grafana"} < installed


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_documented(script: str) -> None:
    assert f"sh {script}" in text("README.md") or f"sh {script}" in documents.text()
    head = (ROOT / script).read_text("utf-8").splitlines()
    assert head[0] == "#!/bin/sh"
    assert any(line.startswith(f"#   sh {script}") for line in head)


def test_commands_in_the_readme_of_packaging_are_real() -> None:
    named = set(re.findall(r"\b(packaging/[\w./-]+\w)", text("README.md")))
    assert len(named) >= 6
    assert [path for path in named if not (ROOT / path).exists()] == []
