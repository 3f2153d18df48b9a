"""``playbook report`` imports files of others in a child: they learn nothing of the key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import unprivileged

KEY = "the key of the runtime API"
LOOKS = """
import os
from pathlib import Path

def is_open(path):
    try:
        with open(path, "rb", buffering=0) as file:
            file.read(1)
    except PermissionError:
        return False
    except OSError:
        return True  # nothing is at the beginning of its memory
    return True

process = os.getppid()
while b"report" not in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\\0"):
    process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
for name in ("environ", "mem"):
    with Path(__file__).with_name("seen").open("a") as seen:
        print(name, is_open(f"/proc/{process}/{name}"), file=seen)
"""


@pytest.mark.attack(
    "a playbook file looks for the runtime key in `playbook report`, which has it imported",
    "permission denied",
)
def test_a_file_that_is_imported_reads_nothing_of_the_report(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "looks.py").write_text(LOOKS)
    program = Path(sys.executable).with_name("prefect-phantom")
    done = subprocess.run(
        [*unprivileged(), program, "playbook", "report", "--playbooks", str(tmp_path)],
        env=os.environ
        | {
            "PREFECT_PHANTOM_RUNTIME_URL": "nowhere://",
            "PREFECT_PHANTOM_RUNTIME_KEY": KEY,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("The gateway was not told: "), done.stderr
    assert (tmp_path / "seen").read_text().split("\n") == ["environ False", "mem False", ""]
