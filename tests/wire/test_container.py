"""packaging/container: the Containerfiles are consistent and within what packaging/try-container.sh can try; the image's health
check and configuration suit a running milter."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from rdns_milter.config.load import load
from tests.kit.data.metrics_page import healthy
from tests.kit.milter.daemon import ROOT, Daemon, until
from tests.kit.milter.endpoint import free_port

HERE = ROOT / "packaging" / "container"
FILES = {"milter": HERE / "Containerfile", "postfix": HERE / "postfix" / "Containerfile"}
INSTALL = (HERE / "install.sh").read_text("utf-8")


@pytest.fixture(scope="module")
def image() -> ModuleType:
    """The module packaging/container/image.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("image", HERE / "image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["image"] = module
    spec.loader.exec_module(module)
    return module


def configured(directory: Path) -> Path:
    """The image's configuration: the default, as install.sh changes it."""
    path = directory / "rdns-milter.toml"
    path.write_text((ROOT / "etc" / "rdns-milter.toml").read_text("utf-8"))
    function = re.findall(r"^set_option\(\) \{\n.*?^\}\n", INSTALL, re.MULTILINE | re.DOTALL)[0]
    calls = re.findall(r"^ +(set_option .*)$", INSTALL, re.MULTILINE)
    assert len(calls) == 4
    script = function.replace("/etc/rdns-milter/rdns-milter.toml", str(path)) + "\n".join(calls)
    subprocess.run(["sh", "-euc", script], check=True)
    return path


@pytest.mark.parametrize("name", FILES)
def test_all_that_it_says_is_tried(name: str, image: ModuleType) -> None:
    found = image.read(FILES[name])
    assert [step[0] for step in found.steps].count("RUN") >= 1
    assert found.entrypoint
    for word, rest, user in found.steps:
        assert user == "0:0"
        for path in rest.split()[:-1] if word == "COPY" else ():
            assert (ROOT / path).exists(), path


def test_it_says_what_is_tried(image: ModuleType) -> None:
    text = FILES["milter"].read_text("utf-8")
    covered, _, rest = text.partition("which reads this very file:")[2].partition("Not covered:")
    used = {word for word, _ in image.instructions(text)}
    assert set(re.findall(r"\b[A-Z]{3,}\b", covered)) == used - {"FROM", *image.FOR_PEOPLE}
    assert set(re.findall(r"\b[A-Z]{3,}\b", rest.partition("\n\n")[0])) == {"FROM", *image.FOR_PEOPLE}


def test_another_word_is_refused(image: ModuleType, tmp_path: Path) -> None:
    for line in ("FROM docker.io/library/alpine", "VOLUME /x", "USER somebody", "ADD x y"):
        (tmp_path / "Containerfile").write_text(line + "\n")
        with pytest.raises(image.NotCovered):
            image.read(tmp_path / "Containerfile")


def test_it_has_what_the_milter_needs() -> None:
    runtime = re.findall(r'^RUNTIME="(.*?)"', (ROOT / "packaging" / "provide.sh").read_text(), re.MULTILINE | re.DOTALL)
    wanted = set(runtime[0].replace("\\", " ").split())
    assert wanted <= set(INSTALL.replace("\\", " ").split())


def test_its_configuration(image: ModuleType, tmp_path: Path) -> None:
    path = configured(tmp_path)
    config, default = load(str(path)), tomllib.loads((ROOT / "etc" / "rdns-milter.toml").read_text("utf-8"))
    assert (config.log.target, config.log.format) == ("stderr", "json")
    assert len(config.policy.rules) == len(default["rule"])
    ports = [str(config.milter.socket.port), str(config.metrics.listen.port if config.metrics.listen else 0)]
    exposed = [rest for word, rest in image.instructions(FILES["milter"].read_text()) if word == "EXPOSE"]
    assert exposed == [" ".join(ports)]
    assert f"127.0.0.1:{ports[1]}/healthz" in image.read(FILES["milter"]).health[-1]
    user = image.read(FILES["milter"]).user.split(":")
    assert f"--gid {user[1]}" in INSTALL
    assert f"--uid {user[0]} " in INSTALL


def test_the_health_check(image: ModuleType) -> None:
    """The command of the Containerfile, with another port: 0 while the milter works, 1 when it does not."""
    port = free_port()
    interpreter, *arguments = image.read(FILES["milter"]).health
    assert interpreter == "/usr/bin/python3"
    command = [sys.executable, *(argument.replace("127.0.0.1:9415", f"127.0.0.1:{port}") for argument in arguments)]

    def status() -> int:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    with Daemon({"metrics": {"listen": f"127.0.0.1:{port}"}}) as daemon:
        until(lambda: healthy(port))
        assert status() == 0
        assert daemon.terminate() == 0
    assert status() == 1


def test_compose_hangs_together(image: ModuleType, tmp_path: Path) -> None:
    compose: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text("utf-8"))
    services = compose["services"]
    assert set(services) == {"rdns-milter", "postfix"}
    for service in services.values():
        context = (HERE / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]) in FILES.values()
    milter, postfix = services["rdns-milter"], services["postfix"]
    config = load(str(configured(tmp_path)))
    assert milter["ports"][0] == f"127.0.0.1:8895:{config.milter.socket.port}"
    assert "smtpd_milters = inet:127.0.0.1:8895\n" in (HERE / "postfix" / "main.cf").read_text()
    assert postfix["network_mode"] == "host", "or it would see the engine's address instead of its clients'"
    assert postfix["depends_on"]["rdns-milter"]["condition"] == "service_healthy"
    assert image.read(FILES["milter"]).health
    assert (milter["read_only"], milter["cap_drop"]) == (True, ["ALL"])
    patience = int(milter["stop_grace_period"].removesuffix("s"))
    assert (
        patience > config.milter.deadline + 5 + 5
    )  # the time that TERM takes by packaging/doc/failures.md, and a margin
    assert set(compose["volumes"]) == {volume.partition(":")[0] for volume in postfix["volumes"]}
