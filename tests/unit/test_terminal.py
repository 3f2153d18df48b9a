"""What others have stored does nothing to the terminal of whoever looks at it."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Column, Table

from prefect_phantom.adapters.cli import connection
from prefect_phantom.adapters.cli.terminal.console import Console, Text, printing_through
from prefect_phantom.adapters.supervisor.parts.part import State
from prefect_phantom.adapters.supervisor.progress import Progress

HOSTILE = (
    "a\x1b]0;owned\x07\x1b[2Jb\u202efdp.exe\x9b31m\u200b\rc [red]d[/red] :smile: [link=http://x]e"
)
SHOWN = (
    "a\\u001b]0;owned\\u0007\\u001b[2Jb\\u202efdp.exe\\u009b31m\\u200b\\u000dc [red]d[/red] "
    ":smile: [link=http://x]e"
)
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")


def printed(*what: object, **options: object) -> str:
    file = io.StringIO()
    Console(file=file, width=1000, **options).print(*what)
    return file.getvalue()


def table(cell: object) -> Table:
    made = Table("id", Column("name", no_wrap=True))
    made.add_row("1", cell)
    return made


@pytest.mark.attack(
    "escape sequences, direction marks and markup in what the command line prints",
    "are shown as they are written, and do nothing",
)
@pytest.mark.parametrize(
    "what",
    [
        HOSTILE,
        table(HOSTILE),
        Group(table(HOSTILE)),
        Text(HOSTILE),
        Text("status ").append(Text(HOSTILE, style="red")),
        Spinner("dots", Text(HOSTILE)),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_is_printed_steers_a_terminal(what: object, terminal: bool) -> None:
    said = printed(what, force_terminal=terminal, color_system=None)
    assert SHOWN in said.replace("\n", "")
    assert not STEERS.search(said)


def test_a_live_picture_and_progress_show_it_too() -> None:
    file = io.StringIO()
    console = Console(file=file, width=1000)
    with Live(table(Text(HOSTILE)), console=console):
        console.print(Text(HOSTILE))
    Progress(console).report(HOSTILE, State.ENDED, HOSTILE)
    assert not STEERS.search(file.getvalue())


def test_what_has_become_longer_is_folded_and_not_cut() -> None:
    said = printed(table(Text("\u202e" * 100 + "end")))
    assert "end" in said
    assert not STEERS.search(said)


def test_json_stays_the_same_json() -> None:
    said = {HOSTILE: [HOSTILE, "caf\u00e9 \U000e0041 \u2028"]}
    file = io.StringIO()
    Console(file=file, width=30).print_json(data=said)
    assert json.loads(file.getvalue()) == said
    assert "caf\u00e9" in file.getvalue()
    assert not STEERS.search(file.getvalue())


def test_a_sentence_that_ends_a_command_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        connection.fail(f'Playbook "{HOSTILE}" not found')
    assert capsys.readouterr().err == f'Playbook "{SHOWN}" not found\n'


def test_what_other_code_prints_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    file = io.StringIO()
    with printing_through(Console(file=file, width=1000)):
        print(HOSTILE)
        print("no", "break", end="", file=sys.stderr)
    assert file.getvalue() == f"{SHOWN}\nno break\n"
    assert capsys.readouterr() == ("", "")
