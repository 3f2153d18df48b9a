"""The systemd units, as systemd reads them."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployments.variables import refused, unknown

PREFIX = "/opt/prefect-phantom"
SERVICES = ("server", "gateway", "worker")
MOST_EXPOSED = 2.5
"""Of 10, by `systemd-analyze security`; a service that says nothing has 9.6."""
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


class Unit(configparser.RawConfigParser):
    """A unit whose settings may be given several times; each is a list of its values."""

    def __init__(self, file: Path) -> None:
        class Values(dict[str, object]):
            def __setitem__(self, name: str, value: object) -> None:
                if isinstance(value, list) and name in self:
                    value = [*self[name], *value]  # type: ignore[misc]
                super().__setitem__(name, value)

        super().__init__(strict=False, dict_type=Values)
        self.optionxform = str  # type: ignore[assignment,method-assign]
        self.read(file)

    def values_of(self, name: str) -> list[str]:
        text = self.get("Service", name)
        return text if isinstance(text, list) else text.splitlines()


def environment(folder: Path, name: str) -> dict[str, str]:
    """What a service finds: of its unit and of the example of its file."""
    pairs = [
        *Unit(folder / f"prefect-phantom-{name}.service").values_of("Environment"),
        *(line for line in (folder / f"{name}.env").read_text().splitlines() if line[:1] != "#"),
    ]
    return {pair.partition("=")[0]: pair.partition("=")[2] for pair in pairs}


@pytest.fixture
def folder(deployments: Path) -> Path:
    return deployments / "systemd"


@pytest.fixture
def installed(folder: Path, tmp_path: Path) -> Path:
    """The units with our programs where they are here."""
    prefix = sys.prefix.replace(" ", r"\x20")  # as systemd reads a blank in a word
    for file in folder.glob("prefect-phantom*"):
        (tmp_path / file.name).write_text(file.read_text().replace(PREFIX, prefix))
    return tmp_path


def verify(*units: Path) -> subprocess.CompletedProcess[str]:
    """What systemd says of units, each with the others in its folder."""
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        check=False, capture_output=True, text=True,
        env={"SYSTEMD_UNIT_PATH": f"{units[0].parent}:", "PATH": "/usr/bin"},
    )  # fmt: skip


@needs_systemd
def test_systemd_understands_every_line(installed: Path) -> None:
    done = verify(*sorted(installed.iterdir()))
    # Beside ours it has its say on the machine's own units.
    said = [line for line in done.stderr.splitlines() if "prefect-phantom" in line]
    assert (done.returncode, said) == (0, [])
    worker = installed / "prefect-phantom-worker.service"
    worker.write_text(worker.read_text().replace("KillMode=mixed", "KillMode=mixt"))
    assert "mixt" in verify(worker).stderr


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_little_beside_its_work(installed: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--json=short",
         installed / f"prefect-phantom-{name}.service"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    exposure = sum(float(each["exposure"] or 0) for each in json.loads(done.stdout))
    assert exposure < MOST_EXPOSED


def test_every_variable_is_read_by_somebody_and_has_a_value_that_is_taken(folder: Path) -> None:
    environments = {name: environment(folder, name) for name in SERVICES}
    assert unknown(name for each in environments.values() for name in each) == []
    assert refused(environments) == {}


def test_a_unit_holds_no_secret_and_a_playbook_cannot_read_the_gateways(folder: Path) -> None:
    for name in SERVICES:
        text = (folder / f"prefect-phantom-{name}.service").read_text()
        assert f"EnvironmentFile=/etc/prefect-phantom/{name}.env" in text
        assert not re.search(
            r"^Environment=\w*(PASSWORD|RUNTIME_KEY|AUTH|DATABASE_URL)", text, re.MULTILINE
        )
    gateway, worker = (Unit(folder / f"prefect-phantom-{name}.service") for name in SERVICES[1:])
    assert gateway.values_of("User") != worker.values_of("User")
    assert not any("DATABASE" in name for name in environment(folder, "worker"))
    assert "PREFECT_PHANTOM_PLAYBOOKS" in environment(folder, "worker")
    assert "PREFECT_PHANTOM_PLAYBOOKS" not in environment(folder, "gateway")


def test_a_unit_takes_no_more_than_its_share_and_leaves_no_memory_on_a_disk(folder: Path) -> None:
    for name in SERVICES:
        unit = Unit(folder / f"prefect-phantom-{name}.service")
        assert unit.values_of("LimitCORE") == ["0"]
        assert int(unit.values_of("LimitNOFILE")[0]) > 4096
        assert unit.values_of("MemoryMax")
        assert unit.values_of("TasksMax")


def test_the_target_starts_and_stops_all_of_them(folder: Path) -> None:
    target = (folder / "prefect-phantom.target").read_text()
    for name in SERVICES:
        unit = f"prefect-phantom-{name}.service"
        assert unit in target
        assert "PartOf=prefect-phantom.target" in (folder / unit).read_text()
