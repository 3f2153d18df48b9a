"""What others of the same user see of a program that was started undumpable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.undumpable import is_hidden
from tests.conftest import unprivileged

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
from adapters.marks import environment_of
from adapters.private_program import command, secrets_apart

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
from adapters.private_program import command

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
    done = subprocess.run(
        [*apart, *unprivileged(), sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True", "True"]


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
