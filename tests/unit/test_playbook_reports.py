"""What a worker finds in its folders, and when it tells the gateway."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest

from prefect_phantom.adapters.process.process_marks import WORKER_VARIABLE, environment_of
from prefect_phantom.adapters.rest.runtime.messages.workers import PlaybookReport
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.worker.gateway import playbook_reports
from prefect_phantom.adapters.worker.gateway.gateway_client import GatewayClient, GatewayRefused
from prefect_phantom.adapters.worker.gateway.playbook_reports import (
    CannotFindPlaybooks,
    PlaybookReports,
    Report,
    find,
)
from prefect_phantom.flows.finding.contents import code_digest, files_of

GOOD = "from prefect_phantom import playbook\n\n@playbook\ndef {name}(run):\n    pass\n"
LOOKS = """
import json, os
from pathlib import Path
from prefect_phantom import playbook

Path(__file__).with_name("seen").write_text(json.dumps(dict(os.environ)))

@playbook
def looks(run):
    pass
"""


class Gateway:
    """Takes reports, as long as it is not away."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.renewed: list[str] = []
        self.away = self.refuses = False
        self.forgets = False

    async def found_playbooks(self, report: dict[str, Any]) -> None:
        self._answer()
        self.told.append(report)

    async def has_playbooks(self, digest: str) -> bool:
        self._answer()
        self.renewed.append(digest)
        return not self.forgets

    def _answer(self) -> None:
        if self.refuses:
            raise GatewayRefused("The report is too large")
        if self.away:
            raise httpx.ConnectError("away")


MOVES = """
import pathlib
with pathlib.Path(__file__).with_name("imports").open("a") as imports:
    imports.write("1")
pathlib.Path(__file__).with_name("_helper.py").write_text("as it is at the end")
"""
COUNTS = """
import pathlib, time
pathlib.Path(__file__).with_suffix(".json").write_text(str(time.time_ns()))
"""


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def reports(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlaybookReports:
    """Of a folder with one playbook, where nothing is imported to find it."""

    async def no_apps() -> dict[str, list[str]]:
        return {}

    async def by_name(_: Settings) -> Report:
        found = [{"repository": "local", "name": file.stem} for file in files_of(tmp_path)]
        return Report(code_digest(tmp_path), found, [])

    monkeypatch.setattr(playbook_reports, "find_app_secrets", no_apps)
    monkeypatch.setattr(playbook_reports, "find", by_name)
    (tmp_path / "one.py").write_text(GOOD.format(name="one"))
    settings = Settings(playbooks=[tmp_path])
    return PlaybookReports(settings, cast("GatewayClient", gateway))


def names(report: dict[str, Any]) -> list[str]:
    return [each["name"] for each in report["playbooks"] if each["repository"] == "local"]


async def test_a_report_is_sent_when_something_has_changed_and_renewed_else(
    reports: PlaybookReports, gateway: Gateway, tmp_path: Path
) -> None:
    await reports.refresh()
    assert reports.known.is_set()
    first = gateway.told[-1]
    sent = len(gateway.told)
    assert (names(first), first["empty_folders"]) == (["one"], [])
    await reports.refresh()
    assert (len(gateway.told), gateway.renewed) == (sent, [first["digest"]])
    (tmp_path / "two.py").write_text(GOOD.format(name="two"))
    await reports.refresh()
    assert names(gateway.told[-1]) == ["one", "two"]
    assert gateway.told[-1]["digest"] != first["digest"]


async def test_a_report_that_got_lost_is_sent_again(
    reports: PlaybookReports, gateway: Gateway
) -> None:
    gateway.away = True
    with pytest.raises(httpx.ConnectError):
        await reports.refresh()
    assert not reports.known.is_set()
    gateway.away = False
    await reports.refresh()
    sent = len(gateway.told)
    assert names(gateway.told[0]) == ["one"]
    gateway.forgets = True  # as one whose database was restored
    await reports.refresh()
    assert len(gateway.told) == sent + 1


async def test_a_first_report_that_is_refused_is_an_end(
    reports: PlaybookReports, gateway: Gateway
) -> None:
    gateway.refuses = True
    with pytest.raises(GatewayRefused, match="The report is too large"):
        await reports.run()


async def test_a_later_report_that_is_refused_is_told_and_tried_again(
    reports: PlaybookReports, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    reports.settings.playbook_scan_seconds = 0.01
    running = asyncio.create_task(reports.run())
    await reports.known.wait()
    gateway.refuses = True
    while "too large" not in caplog.text:
        await asyncio.sleep(0.01)
    gateway.refuses = False
    while "can be used" not in caplog.text:
        await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()


async def test_a_worker_that_names_no_folder_is_like_one_whose_folder_is_empty() -> None:
    report = await find(Settings(playbooks=[]))
    assert report.empty_folders == ["PREFECT_PHANTOM_PLAYBOOKS"]


async def test_a_folder_that_is_missing_is_told_as_empty(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folders = [tmp_path / "empty", tmp_path / "missing"]
    report = await find(Settings(playbooks=folders))
    assert report.empty_folders == [str(folder.resolve()) for folder in folders]
    assert {each["repository"] for each in report.playbooks} == {"examples"}


@pytest.mark.attack(
    "a playbook file looks for a secret in its environment while it is imported", "there is none"
)
async def test_a_file_that_is_imported_sees_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_PHANTOM_RUNTIME_KEY", "PREFECT_API_AUTH_STRING", "AWS_SECRET"):
        monkeypatch.setenv(name, "a secret of the worker")
    (tmp_path / "looks.py").write_text(LOOKS)
    report = await find(Settings(playbooks=[tmp_path]))
    (looks,) = [each for each in report.playbooks if each["name"] == "looks"]
    assert (looks["error"], looks["digest"]) == ("", code_digest(tmp_path))
    assert "a secret of the worker" not in (tmp_path / "seen").read_text()


async def test_what_changes_while_it_is_imported_is_imported_again(tmp_path: Path) -> None:
    (tmp_path / "moves.py").write_text(GOOD.format(name="moves") + MOVES)
    report = await find(Settings(playbooks=[tmp_path]))
    assert (tmp_path / "imports").read_text() == "1" * 2
    digests = {each["digest"] for each in report.playbooks if each["repository"] == "local"}
    assert digests == {code_digest(tmp_path)}


async def test_what_changes_with_each_import_keeps_nothing_out_of_the_report(
    tmp_path: Path,
) -> None:
    (tmp_path / "counts.py").write_text(GOOD.format(name="counts") + COUNTS)
    (tmp_path / "other.py").write_text(GOOD.format(name="other"))
    report = await find(Settings(playbooks=[tmp_path]))
    found = {each["name"]: each for each in report.playbooks if each["repository"] == "local"}
    assert {name: each["error"] for name, each in found.items()} == {"counts": "", "other": ""}
    assert found["other"]["digest"] == code_digest(tmp_path)


async def test_where_nothing_can_be_imported_there_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook_reports.sys, "executable", "/bin/false")
    with pytest.raises(CannotFindPlaybooks):
        await find(Settings(playbooks=[tmp_path]))


async def test_a_search_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    mark = tmp_path / "process_id"
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    finding = asyncio.create_task(find(Settings(playbooks=[tmp_path])))
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.05)
    finding.cancel()
    await asyncio.wait({finding})
    await ended(int(mark.read_text()))


async def ended(process_id: int) -> None:
    """Return when the process has ended."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return
    seen = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, seen.set)
    try:
        async with asyncio.timeout(30):
            await seen.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


@pytest.mark.attack(
    "a playbook file starts a process while it is imported", "it ends with the look at the files"
)
async def test_what_a_file_starts_while_it_is_imported_ends_with_the_search(tmp_path: Path) -> None:
    mark = tmp_path / "process_id"
    (tmp_path / "starts.py").write_text(
        "import pathlib, subprocess\n"
        "sleep = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(sleep.pid))\n"
    )
    await find(Settings(playbooks=[tmp_path]))
    await ended(int(mark.read_text()))


async def test_a_search_ends_with_its_worker_and_is_known_as_its(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "process_id"
    (tmp_path / "slow.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    monkeypatch.setenv(WORKER_VARIABLE, "mine")
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WORKER, str(tmp_path)), start_new_session=True
    )
    while not (mark.exists() and mark.read_text()):
        await asyncio.sleep(0.05)
    process_id = int(mark.read_text())
    assert environment_of(psutil.Process(process_id))[WORKER_VARIABLE] == "mine"
    worker.kill()
    await worker.wait()
    await ended(process_id)


WORKER = """
import asyncio, sys
from pathlib import Path
from prefect_phantom.adapters.worker.gateway.playbook_reports import find
from prefect_phantom.adapters.settings import Settings
asyncio.run(find(Settings(playbooks=[Path(sys.argv[1])])))
"""


@pytest.mark.attack(
    "a playbook file stops the program that imports it", "the look at the files is given up"
)
async def test_a_search_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook_reports, "START_SECONDS", 3.0)
    (tmp_path / "stops.py").write_text("import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\n")
    for name in range(1000):  # which nobody imports to find playbooks
        (tmp_path / f"_module_{name}.py").touch()
    finding = asyncio.create_task(find(Settings(playbooks=[tmp_path], playbook_import_seconds=1.0)))
    done, _ = await asyncio.wait({finding}, timeout=60)
    assert done
    with pytest.raises(CannotFindPlaybooks, match="has said nothing for 4 s"):
        await finding


async def test_the_playbooks_stay_known_while_others_are_looked_at(
    reports: PlaybookReports, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playbook_reports, "ALIVE_SECONDS", 0.01)
    await reports.refresh()
    known = gateway.told[-1]["digest"]
    found, finding = asyncio.Event(), playbook_reports.find

    async def slow(settings: Settings) -> Report:
        await found.wait()
        return await finding(settings)

    monkeypatch.setattr(playbook_reports, "find", slow)
    (tmp_path / "two.py").write_text(GOOD.format(name="two"))
    sent = len(gateway.told)
    running = asyncio.create_task(reports.run())
    while len(gateway.renewed) < 3:
        await asyncio.sleep(0.01)
    assert set(gateway.renewed) == {known}
    gateway.forgets = True  # as one whose database was restored
    while len(gateway.told) == sent:
        await asyncio.sleep(0.01)
    assert names(gateway.told[-1]) == ["one"]
    gateway.forgets = False
    found.set()
    while names(gateway.told[-1]) == ["one"]:
        await asyncio.sleep(0.01)
    running.cancel()


async def test_playbooks_that_say_too_much_keep_no_others_out(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD.format(name="good"))
    (tmp_path / "long.py").write_text(
        "from prefect_phantom import playbook\n\n@playbook\ndef long(run):\n    pass\n\n"
        "long.fn.definition.function.__doc__ = 'x' * 200_000\n"
    )
    (tmp_path / "large.py").write_text(
        "from typing import Literal\nfrom pydantic import BaseModel\n"
        "from prefect_phantom import playbook\n"
        "class Inputs(BaseModel):\n    one: Literal[tuple(f'v{n}' for n in range(50_000))]\n\n"
        "@playbook(inputs=Inputs)\ndef large(run):\n    pass\n"
    )
    (tmp_path / "named.py").write_text(
        "from prefect_phantom import playbook\n\n"
        "@playbook(name='n' * 300)\ndef named(run):\n    pass\n"
    )
    report = await find(Settings(playbooks=[tmp_path]))
    PlaybookReport.model_validate(report.message)
    found = {each["name"]: each for each in report.playbooks if each["repository"] == "local"}
    assert (found["good"]["error"], found["long"]["error"]) == ("", "")
    assert len(found["long"]["description"]) < 11_000
    assert "no more than 200,000 are taken" in found["large"]["error"]
    assert "at most 255 characters" in found["named"]["error"]


def test_of_too_many_words_the_longest_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook_reports, "LARGEST_REPORT", 3000)
    monkeypatch.setattr(playbook_reports, "NAMED", 0)
    named = {"repository": "local", "folder": "/p", "entrypoint": "x.py:x", "error": ""}
    said = [named | {"name": str(n), "description": "x" * n} for n in (10, 2500, 20, 900, 30)]
    told = playbook_reports.fitted(said)
    assert [each["name"] for each in told] == ["10", "2500", "20", "900", "30"]
    assert [bool(each["error"]) for each in told] == [False, True, False, False, False]
