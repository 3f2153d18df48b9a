"""Which machine a process runs on: that, and only that, can see whether the process lives."""

from __future__ import annotations

from pathlib import Path


def machine() -> str:
    """The machine since it was booted, and within it the container, by which processes are counted.

    The same for two processes only if the number of one stands for it to the other, too.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
