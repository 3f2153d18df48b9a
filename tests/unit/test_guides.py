"""What README and docs show: links, commands and settings that there are, code that runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from prefect_phantom.adapters.cli import app
from prefect_phantom.adapters.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "ARCHITECTURE.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
MAPS = [
    *(ROOT / name for name in ("ARCHITECTURE.md", "docs/changing.md", "docs/development.md")),
    *DECISIONS,
]
"""Pages that send an engineer to files of the repository."""
FENCE = re.compile(r"^ *```(?P<said>[^\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
NAMES = [page.name for page in PAGES]
IN_BACKTICKS = re.compile(r"`(?P<words>[^`\n]+)`")
FILE = re.compile(r"[\w-]+(?:/[\w.-]+)*(?:/|\.(?:md|py|sql|toml|yaml))")
MODULE = re.compile(r"python (?:-P )?-m (?P<name>[\w.]+)")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """What stands behind each opening fence of a page, and the text inside."""
    for found in FENCE.finditer(page.read_text()):
        yield found["said"], found["text"]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def shell_lines() -> Iterator[tuple[str, str]]:
    """Each line of a shell that is shown, with its page; continued ones are joined."""
    for page in PAGES:
        for said, text in blocks(page):
            if said == "":
                for line in text.replace("\\\n", " ").splitlines():
                    yield page.name, line.strip().removeprefix("$ ")


def shown_commands() -> list[tuple[str, str]]:
    """Our commands among them, without what a shell does before and after them."""
    found = re.compile(r"^(?:[A-Z_]+=\S+ )*prefect-phantom (?P<words>[^#|>&]*)")
    return [
        (page, match["words"].partition(" 2>")[0].strip())
        for page, line in shell_lines()
        if (match := found.match(line))
    ]


def commands(of: App, *before: str) -> Iterator[str]:
    """Every command there is, in words."""
    for name in of:
        if not name.startswith("-"):
            below = [*commands(of[name], *before, name)]
            yield from below or [" ".join((*before, name))]


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that is shown."""
    folder = tmp_path_factory.mktemp("guides")
    for page in PAGES:
        for said, text in blocks(page):
            kind, _, name = said.partition(" ")
            assert name or kind != "python", f"a block of Python in {page.name} has no name"
            if name:
                assert not (folder / name).exists(), f"{name} is shown twice"
                (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for found in LINK.finditer(FENCE.sub("", page.read_text())):
        if "://" in found["target"]:
            continue
        path, _, anchor = found["target"].partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), found["target"]
        if anchor:
            assert anchor in anchors(file), found["target"]


@pytest.mark.parametrize("page", PAGES[1:], ids=NAMES[1:])
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    assert f"]({page.relative_to(ROOT)}" in PAGES[0].read_text()


def test_every_decision_is_reached_from_their_list() -> None:
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text()
    missing = [page.name for page in DECISIONS if f"]({page.name})" not in listed]
    assert missing == ["README.md"]


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.name)
def test_every_file_that_a_map_names_exists(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    words = [found["words"] for found in IN_BACKTICKS.finditer(text)]
    files = [each for each in words if FILE.fullmatch(each)]
    modules = [found["name"].replace(".", "/") for found in MODULE.finditer(text)]
    assert [each for each in files if not _is_there(ROOT / each)] == []
    paths = [(ROOT / each, ROOT / f"{each}.py") for each in modules]
    assert [path for path, file in paths if not (path.is_dir() or file.is_file())] == []


def _is_there(path: Path) -> bool:
    """Whether it is a file, or a folder with more than the caches of modules that have moved."""
    return path.is_file() or any(each.name != "__pycache__" for each in path.glob("*"))


def test_each_of_twelve_changes_has_its_files_in_order() -> None:
    text = (ROOT / "docs" / "changing.md").read_text()
    recipes = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(recipes) == 12
    for recipe in recipes:
        steps = re.findall(r"^\d+\. ", recipe, re.MULTILINE)
        assert steps == [f"{number}. " for number in range(1, len(steps) + 1)]
        assert "`tests/" in recipe, f"no test in: {recipe.partition(chr(10))[0]}"


def test_the_architecture_is_read_in_minutes() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.split()) <= 1500
    assert [line for line in text.splitlines() if len(line) > 100] == []


@pytest.mark.parametrize(("page", "words"), shown_commands(), ids=str)
def test_a_command_that_is_shown_is_one(page: str, words: str) -> None:
    del page  # for the test's name
    app.parse_args(shlex.split(words), print_error=False, exit_on_error=False)


def test_every_command_has_its_line() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    listed = re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE)
    told = {
        re.match(r"[a-z\- ]*[a-z]", each)[0]  # type: ignore[index]
        for line in listed
        for each in re.findall(r"`(.*?)`", line)
    }
    assert told == {*commands(app), "worker"}


def test_every_setting_has_its_line_and_no_other_is_named() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = text[: text.index("| pool setting |")]
    named = {
        name
        for line in re.findall(r"^\| (`.*?) \| ", rows, re.MULTILINE)
        for name in re.findall(r"`([A-Z_]+)`", line)
    }
    assert named == {name.upper() for name in Settings.model_fields}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    further = [each for extra in project["optional-dependencies"].values() for each in extra]
    names = {re.match(r"[\w-]+", each)[0] for each in [*project["dependencies"], *further]}  # type: ignore[index]
    text = (ROOT / "docs" / "dependencies.md").read_text()
    told = {
        name.strip()
        for row in re.findall(r"^\| ([^|]*) \| [^|]+ \|$", text, re.MULTILINE)
        for name in row.split(",")
    }
    assert names - told == set()


def test_the_code_in_the_guides_has_the_types_that_it_says(code: Path) -> None:
    files = [file for file in code.glob("*.py") if not file.name.startswith("test_")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml",
         "--cache-dir", ROOT / ".mypy_cache", *files],
        check=False, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_tests_in_the_guides_pass(code: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", code],
        check=False, capture_output=True, text=True, cwd=code,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b2 passed", done.stdout)


def test_the_playbook_of_the_readme_runs(code: Path, trial, load_playbook) -> None:
    trial.fake("whois domain", lambda **_: None)
    run = trial.run(load_playbook(code / "domains.py"), code / "sample.json")
    assert run.status == "success", run.message
    assert len(run.action_run("whois domain").results) == 2


SECRET_ARGUMENT = re.compile(
    r"--from-literal|--requirepass|(?:--env|-e) \w*(?:KEY|PASSWORD|TOKEN|AUTH\w*)="
    r"|^make .*\b(?:TOKEN|LOGIN)=|--token[ =][^-\s]|://\w*:\w+@"
)


@pytest.mark.attack(
    "reading secrets among arguments of commands, as guides and deployments show them",
    "none takes one there: they come from files, standard input and variables",
)
def test_no_command_that_is_shown_has_a_secret_among_its_arguments() -> None:
    files = [ROOT / "deployments" / name for name in ("compose.yaml", "demo.sh", "roles.sql")]
    lines = [(file.name, line) for file in files for line in file.read_text().splitlines()]
    found = [each for each in (*shell_lines(), *lines) if SECRET_ARGUMENT.search(each[1])]
    assert found == []


@pytest.mark.attack(
    "reading the token of `make conformance` among arguments while it runs", "it is in none"
)
@pytest.mark.parametrize("name", ["TOKEN", "LOGIN"])
def test_make_puts_no_secret_into_the_commands_that_it_starts(name: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", "conformance"], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {name: "s3cret", "MAKEFLAGS": ""},
    )  # fmt: skip
    assert "tests/conformance" in done.stdout
    assert "s3cret" not in done.stdout
