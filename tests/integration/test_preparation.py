"""A process that is forked ahead of its run: what becomes of it when there is none for it.

Each case is a program of its own, since it becomes the parent of what its template forks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLAYBOOK = """
import os
import pathlib
import prefect

with pathlib.Path(__file__).with_name("imports").open("a") as imports:
    print(os.getpid(), file=imports)

@prefect.flow
def nothing():
    pass
"""
MORTAL = """
import os
import signal
import prefect

os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGKILL))

@prefect.flow
def nothing():
    pass
"""
THREADED = """
import threading
import prefect

threading.Thread(target=threading.Event().wait, daemon=True).start()

@prefect.flow
def nothing():
    pass
"""
COUNTS = """
import time
pathlib.Path(__file__).with_suffix(".json").write_text(str(time.time_ns()))
"""
MOVES = """
pathlib.Path(__file__).with_name("helper.py").write_text("as it is at the end")
"""
BEGIN = """
import asyncio, os, pathlib, psutil, signal, sys
from prefect_phantom.adapters.worker.preparation import Preparation, WaitingProcess, dismiss
from prefect_phantom.adapters.worker.processes.templates import Code, TemplateFailed, Templates
from prefect_phantom.adapters.between.prefect.work_pool import PhantomJobConfiguration
from prefect_phantom.flows.process.warm.reaper import become_reaper

become_reaper()
CODE = Code.of(sys.argv[1], None)

async def forked(templates):
    return (await templates.fork(CODE, "fork"))[:2]

async def prepare(templates):
    process, channel = await forked(templates)
    return Preparation(CODE, [], PhantomJobConfiguration(), WaitingProcess(process, channel))

def alive(templates):
    children = psutil.Process().children()
    return [
        each
        for each in children
        if each.pid != templates.process_id and each.status() != psutil.STATUS_ZOMBIE
    ]

async def main():
    templates = Templates()
    process, channel = await forked(templates)  # its playbook is imported from here on
    channel.close()
    await process.wait()
"""
CASES = {
    "it is dismissed": (
        """
    process, channel = await forked(templates)
    WaitingProcess(process, channel).dismiss()
    print(await process.wait())
""",
        "0",
    ),
    "it died before it was told": (
        """
    process, channel = await forked(templates)
    os.kill(process.process_id, signal.SIGKILL)
    await process.wait()
    same = await WaitingProcess(process, channel).begin({"flow_run": {}})
    print(await same.wait())
""",
        "-9",
    ),
    "its template dies as soon as it has forked": (
        """
    CODE = Code.of(sys.argv[1].replace("nothing.py", "mortal.py"), None)
    process, channel, _ = await templates.fork(CODE, "fork")
    WaitingProcess(process, channel).dismiss()
    print(await process.wait())
""",
        "0",
    ),
    "its playbook, which starts threads, does not import any more": (
        """
    file = pathlib.Path(sys.argv[1].replace("nothing.py:nothing", "threaded.py"))
    CODE = Code.of(f"{file}:nothing", None)
    process, channel, _ = await templates.fork(CODE, "fork")
    WaitingProcess(process, channel).dismiss()
    await process.wait()
    file.write_text("import nothing_of_this_name")
    try:
        await templates.fork(CODE, "fork")
    except TemplateFailed as error:
        print(str(error)[:18], "nothing_of_this_name" in str(error))
""",
        "It does not import True",
    ),
    "its code changes while it is imported": (
        """
    file = pathlib.Path(sys.argv[1].replace("nothing.py:nothing", "moves.py"))
    text = file.with_name("nothing.py").read_text().replace('"imports"', '"moved"')
    file.write_text(text + """
        + repr(MOVES)
        + """)
    process, channel, code = await templates.fork(Code.of(f"{file}:nothing", None), "fork")
    WaitingProcess(process, channel).dismiss()
    await process.wait()
    print(code == code.now(), len(file.with_name("moved").read_text().split()))
""",
        "True 2",
    ),
    "its code changes with each import": (
        """
    file = pathlib.Path(sys.argv[1].replace("nothing.py:nothing", "counts.py"))
    text = file.with_name("nothing.py").read_text().replace('"imports"', '"counted"')
    file.write_text(text + """
        + repr(COUNTS)
        + """)
    process, channel, code = await templates.fork(Code.of(f"{file}:nothing", None), "fork")
    WaitingProcess(process, channel).dismiss()
    await process.wait()
    print(code == code.now(), len(file.with_name("counted").read_text().split()))
""",
        "False 2",
    ),
    "its run is refused at any moment of its making": (
        """
    kept = []  # so that no process ends because its channel is forgotten
    for number in range(40):
        preparing = asyncio.create_task(prepare(templates))
        kept.append(preparing)
        await asyncio.sleep(number / 1000)
        await dismiss(preparing)
    while alive(templates):
        await asyncio.sleep(0.01)
    print("none")
""",
        "none",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_process_without_a_run_ends(case: str, tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text(PLAYBOOK)
    (tmp_path / "mortal.py").write_text(MORTAL)
    (tmp_path / "threaded.py").write_text(THREADED)
    body, expected = CASES[case]
    program = f"{BEGIN}{body}\nasyncio.run(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, f"{tmp_path}/nothing.py:nothing"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr
    assert len((tmp_path / "imports").read_text().splitlines()) == 1, "by one template for all"
