"""What the wheel installs, and that nothing of it meets what a user's project has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 120
PROJECT = {
    "flows/__init__.py": "",
    "flows/engine.py": "print('their engine')",
    "flows/indicators.py": "ADDRESS = '192.0.2.7'",
    "adapters/__init__.py": "",
    "adapters/client.py": "class Phantom:\n    theirs = True",
    "deployments/__init__.py": "NAME = 'theirs'",
    "hunt.py": """
        import deployments
        from adapters.client import Phantom
        from flows.indicators import ADDRESS
        from prefect_phantom import ActionResult, PlaybookRun, action, client, playbook

        @action("look up", app="Theirs")
        def look_up(ip: str) -> ActionResult:
            return ActionResult(message=f"{ip} {deployments.NAME} {Phantom.theirs}")

        @playbook
        def hunt(run: PlaybookRun) -> None:
            assert client.Phantom is not Phantom
            look_up(ip=ADDRESS)
        """,
    "tests/test_hunt.py": """
        import flows.indicators
        from adapters.client import Phantom

        def test_their_packages_are_theirs():
            assert flows.indicators.ADDRESS == "192.0.2.7" and Phantom.theirs

        def test_the_fixtures_work(trial, load_playbook):
            run = trial.run(load_playbook("hunt.py"))
            assert run.action_run("look up").message == "1 actions succeeded"
        """,
    "old/outdated.py": """
        from flows import playbook

        @playbook
        def outdated(run): ...
        """,
    "old/client.py": "from adapters.client import Phantom",
}


def build(kind: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob({"wheel": "*.whl", "sdist": "*.tar.gz"}[kind])
    return built


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


class Installation:
    """A virtual environment with the wheel; what it needs is found where these tests run."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.bin = folder / "bin"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        subprocess.run(
            [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--offline",
             "--no-cache", "--no-deps", "--python", self.bin / "python", wheel],
            check=True,
        )  # fmt: skip
        site = next(folder.glob("lib/python*/site-packages"))
        paths = [path for path in sys.path if path.endswith("site-packages")]
        (site / "needed.pth").write_text("\n".join(paths))

    def run(
        self, program: str, *arguments: str | Path, cwd: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of it from a folder."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("P")}
        return subprocess.run(
            [self.bin / program, *arguments], cwd=cwd, timeout=SECONDS, check=False,
            capture_output=True, text=True,
            env=kept | {"PATH": os.environ["PATH"], "COLUMNS": "200"} | environment,
        )  # fmt: skip


@pytest.fixture(scope="session")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("installation"), wheel)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("project"), PROJECT)


def test_the_wheel_has_one_package_and_each_file_once(wheel: Path) -> None:
    files = ZipFile(wheel).namelist()
    ours = [name for name in files if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in ours} == {
        *("prefect_phantom", "prefect_phantom_old_commands.pth")
    }
    assert len(files) == len(set(files))
    packages = ["flows", "adapters", "prefect_phantom/*.py", "prefect_phantom/py.typed"]
    tracked = subprocess.run(
        ["git", "ls-files", *packages], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in ours if "/" in name} == {
        name_in_wheel(name) for name in tracked if (ROOT / name).exists()
    }


def name_in_wheel(name: str) -> str:
    """Where a file of the repository is in the wheel."""
    for folder, package in (
        ("flows/apps/", "prefect_phantom/apps/"),
        ("adapters/client/", "prefect_phantom/client/"),
        ("prefect_phantom/", "prefect_phantom/"),
    ):
        if name.startswith(folder):
            return package + name.removeprefix(folder)
    return f"prefect_phantom/{name}"


def test_a_source_archive_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", ROOT, tmp_path)) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    again = build("wheel", source, tmp_path)
    assert ZipFile(again).namelist() == ZipFile(wheel).namelist()


@pytest.mark.long
def test_the_tests_of_a_project_with_packages_of_such_names_pass(
    installation: Installation, project: Path
) -> None:
    done = installation.run("python", "-m", "pytest", "-q", "tests", cwd=project)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_a_playbook_that_imports_such_packages_runs(
    installation: Installation, project: Path
) -> None:
    done = installation.run("prefect-phantom", "playbook", "try", "hunt.py", "--json", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "192.0.2.7 theirs True" in done.stdout


@pytest.mark.long
def test_a_worker_finds_the_playbooks_of_such_a_project(
    installation: Installation, project: Path
) -> None:
    program = "prefect_phantom.flows.finding.discovery"
    done = installation.run("python", "-P", "-m", program, project, cwd=project)
    found = {each["name"]: each for each in map(json.loads, done.stdout.splitlines()) if each}
    assert found.keys() == {"hunt", "fails", "my_playbook", "test_connectivity", "wait"}
    assert not any(each["error"] for each in found.values())


@pytest.mark.long
@pytest.mark.parametrize("own", ["", "."], ids=["without such packages", "with a package `flows`"])
def test_a_playbook_with_the_former_name_is_told_the_new_one(
    own: str, installation: Installation, project: Path
) -> None:
    sentence = 'Import "prefect_phantom" instead of "flows"'
    tried = installation.run(
        "prefect-phantom", "playbook", "try", "old/outdated.py", cwd=project, PYTHONPATH=own
    )
    assert sentence in " ".join(tried.stderr.split())
    program = "prefect_phantom.flows.finding.discovery"
    done = installation.run("python", "-P", "-m", program, "old", cwd=project, PYTHONPATH=own)
    errors = [each["error"] for each in map(json.loads, done.stdout.splitlines()) if each]
    assert any(error.endswith(sentence) for error in errors)


@pytest.mark.long
def test_an_app_with_the_former_name_is_told_the_new_one(
    installation: Installation, project: Path
) -> None:
    done = installation.run(
        "python", "-P", "-m", "prefect_phantom.apps", cwd=project, PREFECT_PHANTOM_APPS="old"
    )
    errors = [each["error"] for each in map(json.loads, done.stdout.splitlines())]
    missing = "It does not import: ModuleNotFoundError: No module named 'adapters'"
    assert f'{missing}. Import "prefect_phantom" instead of "adapters"' in errors


SAYS_WHO = "import sys; print(sys.modules['__main__'].__file__, 'flows' in sys.modules); sys.exit()"


def test_commands_of_former_installations_start_what_they_did(
    installation: Installation, tmp_path: Path
) -> None:
    written(tmp_path, {"httpx.py": SAYS_WHO, "prefect.py": SAYS_WHO})
    for name, file in (("engine", "cold"), ("contained", "contained")):
        done = installation.run(
            "python", "-P", "-m", f"flows.{name}", cwd=tmp_path, PYTHONPATH=str(tmp_path)
        )
        program, has_package = done.stdout.split()
        assert program.endswith(f"prefect_phantom/flows/process/{file}.py")
        assert has_package == "False"


def test_such_a_command_of_a_project_is_its_own(installation: Installation, project: Path) -> None:
    done = installation.run("python", "-m", "flows.engine", cwd=project)
    assert done.stdout == "their engine\n", done.stderr
