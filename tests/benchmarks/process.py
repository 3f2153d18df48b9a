"""The processes that the benchmark starts, each in a session of its own, and stops again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent


@contextlib.contextmanager
def running(
    command: Sequence[str],
    output: Path,
    further: Mapping[str, str],
    *,
    keep: Sequence[int] = (),
    patience: float = 40,
) -> Iterator[subprocess.Popen[bytes]]:
    """One process, until the end of the block."""
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            env=_environment(further),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            pass_fds=keep,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        descendants = _descendants(process)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:  # a stock worker does not always end
            for each in descendants:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        finally:
            process.kill()
            process.wait()


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:  # it has ended by itself
        return []


def says(output: Path, words: str) -> bool:
    """Whether a process has written these words."""
    return words in output.read_text()


def _environment(further: Mapping[str, str]) -> dict[str, str]:
    # Without this shell's settings of another Prefect, and past its proxy.
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PREFECT")}
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **further}
