"""Finding playbooks in files that anybody may have written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from prefect_phantom.flows.finding.discovery import LOCAL, SHIPPED, discover
from prefect_phantom.flows.playbooks import __path__ as shipped

GOOD = """
from prefect_phantom import PlaybookRun, playbook

@playbook(labels=["events"], tags=["t"], category="c")
def {name}(run: PlaybookRun) -> None:
    "Look at it."
"""
SECONDS = 30.0


@pytest.fixture
def write(tmp_path):
    """Writes a file into the folder under test."""

    def write(name: str, content: str) -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(content))

    return write


@pytest.fixture
def find(tmp_path):
    def find(seconds: float = SECONDS) -> list[dict]:
        return [each for each in discover(tmp_path, repository=LOCAL, seconds=seconds) if each]

    return find


@pytest.fixture
def run(tmp_path):
    """Runs the command as the gateway does, from inside the folder; returns lines and errors."""

    def run() -> tuple[list[dict], str]:
        command = [
            sys.executable,
            "-P",
            "-m",
            "prefect_phantom.flows.finding.discovery",
            str(tmp_path),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [line for line in lines if line.get("repository") == LOCAL], done.stderr.decode()

    return run


def errors(found: list[dict]) -> dict[str, str]:
    return {playbook["name"]: playbook["error"] for playbook in found}


def test_a_playbook_is_found_with_all_that_it_says_of_itself(write, find, tmp_path):
    write("good.py", GOOD.format(name="hunt"))
    (found,) = find()
    schema = found.pop("parameter_schema")
    assert found == {
        "repository": "local", "name": "hunt", "folder": str(tmp_path),
        "entrypoint": "good.py:hunt", "description": "Look at it.", "category": "c",
        "labels": ["events"], "tags": ["t"], "isolation": "fork", "restartable": False, "error": "",
        "timeout_seconds": None, "input_schema": None, "output_schema": None,
    }  # fmt: skip
    assert list(schema["properties"]) == ["container_id", "scope", "inputs", "playbook_run_id"]


def test_a_file_may_hold_several_playbooks(write, find):
    write("two.py", GOOD.format(name="one") + GOOD.format(name="two"))
    assert [playbook["entrypoint"] for playbook in find()] == ["two.py:one", "two.py:two"]


def test_files_are_read_in_the_order_of_their_names(write, find):
    for name in ("b", "c", "a"):
        write(f"{name}.py", GOOD.format(name=name))
    assert [playbook["name"] for playbook in find()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("def (", "It does not import: "),
        ("raise ValueError('boom')", "It does not import: ValueError: boom"),
        ("import nothing_of_this_name", "It does not import: ModuleNotFoundError: "),
        ("import sys; sys.exit(3)", "It does not import: SystemExit: 3"),
        ("raise KeyboardInterrupt", "It does not import: KeyboardInterrupt"),
        ("import os; os._exit(3)", "Importing it ended the process with exit code 3"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "Importing it ended the process with exit code -9",
        ),
        (
            "from prefect_phantom import playbook\n@playbook(name='5')\ndef f(run): ...",
            "It does not import: ValueError: A playbook's name may not be digits alone: 5",
        ),
        ("raise ValueError('\\0\\ud800')", "It does not import: ValueError: \ufffd\ufffd"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why_and_stops_nothing_else(
    write, find, tmp_path, content, reason
):
    write("a.py", GOOD.format(name="a"))
    write("broken.py", content)
    write("c.py", GOOD.format(name="c"))
    first, broken, last = find()
    assert (first["name"], last["name"]) == ("a", "c")
    error = broken.pop("error")
    assert error.startswith(reason)
    assert broken == {
        "repository": "local", "name": "broken", "folder": str(tmp_path),
        "entrypoint": "broken.py",
    }  # fmt: skip


def test_a_broken_file_named_by_digits_has_a_name_that_is_no_id(write, find):
    write("123.py", "def (")
    assert list(errors(find())) == ["123.py"]


def test_a_syntax_error_shows_the_place(write, find):
    write("broken.py", "x = 1\ndef (\n")
    assert "line 2" in errors(find())["broken"]
    assert "SyntaxError" in errors(find())["broken"]


def test_a_file_that_takes_too_long_is_broken_and_its_process_is_ended(write, find, tmp_path):
    mark = tmp_path / "mark"
    write(
        "slow.py",
        "import os, pathlib, threading\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
        "threading.Event().wait()",
    )
    assert errors(find(seconds=2)) == {"slow": "Importing it took longer than 2 s"}
    assert not psutil.pid_exists(int(mark.read_text()))


def test_a_thread_started_on_import_does_not_hold_anything_up(write, find):
    write(
        "threads.py",
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
        + GOOD.format(name="threads"),
    )
    assert errors(find()) == {"threads": ""}


def test_a_file_without_a_playbook_holds_none(write, find):
    write("helper.py", "from prefect import flow\n\n@flow\ndef plain(): ...\n")
    assert [playbook for playbook in find() if playbook] == []


def test_a_playbook_imported_from_another_file_is_listed_once(write, find):
    write("one.py", GOOD.format(name="one"))
    write("two.py", "from one import one\n" + GOOD.format(name="two"))
    assert [playbook["entrypoint"] for playbook in find()] == ["one.py:one", "two.py:two"]


def test_a_file_whose_name_begins_with_an_underscore_is_a_module_for_others(write, find):
    write("_names.py", "NAME = 'hunt'")
    write("good.py", "from _names import NAME\n" + GOOD.format(name="hunt"))
    assert errors(find()) == {"hunt": ""}


def test_a_file_named_like_a_standard_module_is_found(write, run):
    write("json.py", GOOD.format(name="json"))
    write("types.py", GOOD.format(name="types"))
    assert errors(run()[0]) == {"json": "", "types": ""}


def test_the_shipped_playbooks_are_found_by_their_modules():
    found = list(discover(Path(shipped[0]), repository=SHIPPED, seconds=SECONDS))
    assert {playbook["name"] for playbook in found} >= {"my_playbook", "wait", "fails"}
    assert all(
        playbook["entrypoint"].startswith("prefect_phantom.flows.playbooks.") for playbook in found
    )
    assert all(playbook["folder"] is None and not playbook["error"] for playbook in found)


def test_what_a_playbook_prints_on_import_stays_out_of_the_lines(write, run):
    write(
        "loud.py",
        "import os, subprocess\nprint('{\"name\": 1}')\nos.write(1, b'raw\\n')\n"
        "subprocess.run(['echo', 'child'])\n" + GOOD.format(name="loud"),
    )
    found, output = run()
    assert errors(found) == {"loud": ""}
    assert all(text in output for text in ('{"name": 1}', "raw", "child"))


def test_a_package_of_the_user_named_flows_does_not_take_the_place_of_ours(write, run):
    write("flows/__init__.py", "raise RuntimeError('the wrong flows')")
    write("good.py", "from prefect_phantom.apps.whois import whois_ip\n" + GOOD.format(name="good"))
    assert errors(run()[0]) == {"good": ""}


def test_labels_that_are_no_texts_do_not_keep_other_playbooks_out(write, run):
    write("good.py", GOOD.format(name="good"))
    for number, label in enumerate(["lambda: 0", "b'events'", "Label()"]):
        write(
            f"odd_{number}.py",
            "from prefect_phantom import playbook\n\nclass Label(str): ...\n\n"
            f"@playbook(labels=[{label}])\ndef odd_{number}(run): ...\n",
        )
    assert errors(run()[0])["good"] == ""


def test_it_tells_that_it_has_looked_at_a_file_which_holds_no_playbook(write, tmp_path):
    for name in ("one.py", "two.py"):
        write(name, "")
    assert list(discover(tmp_path, repository=LOCAL, seconds=SECONDS)) == [{}, {}]
