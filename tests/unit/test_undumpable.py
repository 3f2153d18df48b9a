"""What others of the same user see of a program that was started undumpable."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from prefect_phantom.adapters.prefect.deployments.deployments import RUN_COMMAND
from prefect_phantom.adapters.process.private_program import secrets_apart
from prefect_phantom.adapters.worker.process_worker import TicketConfiguration
from prefect_phantom.flows.process.contained import ENGINE
from prefect_phantom.flows.process.undumpable import is_hidden
from tests.conftest import require, unprivileged

WAITS = """
import json, os, sys
secret = os.environ.pop("PREFECT_API_AUTH_STRING")
forked = os.fork()
if forked == 0:
    sys.stdin.read()
    os._exit(0)
print(json.dumps([os.getpid(), forked, secret, sys.argv[1:]]), flush=True)
sys.stdin.read()
"""
LOOKS = """
import json, subprocess, psutil
from pathlib import Path
from prefect_phantom.adapters.process.process_marks import environment_of
from prefect_phantom.adapters.process.private_program import command, secrets_apart

MARKS = {"PREFECT_PHANTOM_HOME": "/srv/a home", "PREFECT_PHANTOM_PART": "gateway"}
ENVIRONMENT = {"PYTHONPATH": FOLDER, "PREFECT_API_AUTH_STRING": "the secret", **MARKS}
with secrets_apart(ENVIRONMENT) as (environment, passed):
    program = subprocess.Popen(
        command(MARKS, "waits", "one", "two"), env=environment, pass_fds=passed,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
process_id, forked, secret, arguments = json.loads(program.stdout.readline())

def is_read(path):
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1)
    except PermissionError:
        return False
    except OSError:
        return True  # it was opened
    return True

files = ["environ", "mem", "maps", "cwd/.", "fd/0"]
print(json.dumps({
    "secret": secret,
    "arguments": arguments,
    "in its environment": "the secret" in repr(environment),
    "read": [f"{name} of {each}" for each in (process_id, forked) for name in files
             if is_read(f"/proc/{each}/{name}")],
    "marks": [environment_of(psutil.Process(each)) == MARKS for each in (process_id, forked)],
    "own": is_read("/proc/self/environ"),
}))
program.stdin.close()
"""


@pytest.mark.attack(
    "a process that reads environment and memory of our programs, as the same user",
    "permission denied, of what they fork as well",
)
def test_nobody_of_the_same_user_looks_into_it_and_its_marks_are_known(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    script = f"FOLDER = {str(tmp_path)!r}\n{LOOKS}"
    done = subprocess.run(
        [*unprivileged(), sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "secret": "the secret",
        "arguments": ["one", "two"],
        "in its environment": False,
        "read": [],
        "marks": [True, True],
        "own": True,
    }


HIDES = """
import subprocess
from pathlib import Path
from prefect_phantom.adapters.process.private_program import command

def is_seen(marks):
    program = subprocess.Popen(
        command(marks, "waits"), env={"PYTHONPATH": FOLDER, **marks},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    program.stdout.readline()
    seen = Path(f"/proc/{program.pid}").exists()
    program.stdin.close()
    return seen

print(is_seen({}), is_seen({"PREFECT_PHANTOM_PART": "gateway"}),
      is_seen({"PREFECT_PHANTOM_STARTED_BY": "a worker"}))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount /proc")
@pytest.mark.attack(
    "a process that reads environment and memory of a gateway, where /proc is mounted with hidepid,"
    " as the same user",
    "it is not even seen; only workers, and parts of one `up`, see each other",
)
def test_where_proc_hides_processes_only_those_that_are_sought_stay_open(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text("import sys\nprint(flush=True)\nsys.stdin.read()\n")
    script = f"FOLDER = {str(tmp_path)!r}\n{HIDES}"
    # Root's group is spared by default.
    remount = 'mount -o remount,hidepid=2,gid=65533 /proc; exec "$@"'
    apart = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec", remount, "sh"]
    require(*apart, "true")
    done = subprocess.run(
        [*apart, *unprivileged(), sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "True"]


@pytest.mark.attack(
    "a process that opens what a program of ours will read its secrets from, before that is closed",
    "there is nothing yet, and a socket cannot be opened",
)
def test_secrets_are_told_to_a_program_that_is_closed_and_to_no_other() -> None:
    with secrets_apart({"PREFECT_API_AUTH_STRING": "the secret"}) as (environment, passed):
        program = subprocess.Popen(
            [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
            env=environment, pass_fds=passed, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
    assert program.stdout is not None
    program.stdout.readline()
    with pytest.raises(OSError, match="No such device or address"):
        os.close(os.open(f"/proc/{program.pid}/fd/{passed[0]}", os.O_RDONLY))
    program.communicate()
    assert program.returncode == 0


IMPORTED = """
import ctypes, os
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)  # PR_GET_DUMPABLE
os._exit(0)
"""


def command_of_the_process_worker(command: str = RUN_COMMAND) -> list[str]:
    configuration = TicketConfiguration(command=command)
    configuration.prepare_for_flow_run(
        FlowRun(id=uuid4(), flow_id=uuid4(), work_queue_name="default")
    )
    assert configuration.command is not None
    return [sys.executable, *shlex.split(configuration.command)[1:]]


def command_of_a_pool_made_before() -> list[str]:
    return command_of_the_process_worker("python -P -m flows.engine")


@pytest.mark.parametrize(
    "command_of_a_run",
    [lambda: ENGINE, command_of_the_process_worker, command_of_a_pool_made_before],
    ids=["contained", "stock", "stock, of a former template"],
)
def test_a_cold_run_is_closed_before_it_imports_prefect(
    command_of_a_run: Callable[[], Sequence[str]], tmp_path: Path
) -> None:
    (tmp_path / "prefect.py").write_text(IMPORTED)
    done = subprocess.run(
        command_of_a_run(), env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=False
    )
    assert done.stdout == b"0\n", done.stderr


@pytest.mark.parametrize(
    ("mounts", "hidden"),
    [
        ("proc /proc proc rw,nosuid 0 0\n", False),
        ("proc /proc proc rw,hidepid=off 0 0\n", False),
        ("proc /proc proc rw,hidepid=invisible,gid=4 0 0\n", True),
        ("proc /proc proc rw,hidepid=2 0 0\n", True),
        ("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\n", False),
        ("proc /mnt/proc proc rw,hidepid=2 0 0\n/dev/sda /proc ext4 rw 0 0\n", False),
        ("", False),
    ],
)
def test_a_proc_that_hides_processes_is_known(mounts: str, hidden: bool) -> None:
    assert is_hidden(mounts) is hidden
