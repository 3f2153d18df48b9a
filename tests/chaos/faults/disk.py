"""The file system under a folder of the home is full for a while."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from tests.chaos.faults.fault import Fault, Scene

FILLER = "filler"
BLOCK = 2**16


class FullDisk(Fault):
    """Nothing can be written below a folder, which is a small file system of its own."""

    mounts = True

    def __init__(self, folder: str) -> None:
        self.name = f"full disk under {folder}"
        self.folder = folder

    async def inject(self, scene: Scene) -> str:
        folder = scene.system.home / self.folder
        if not folder.is_mount():
            raise RuntimeError(f"{folder} is no file system of its own, and would fill another one")
        seconds = scene.between(4, 12)
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            fill(folder / FILLER)  # again and again: what is freed meanwhile is taken too
            await asyncio.sleep(0.2)
        return f"{shutil.disk_usage(folder).total >> 20} MB for {seconds:.1f} s"

    async def heal(self, scene: Scene) -> None:
        (scene.system.home / self.folder / FILLER).unlink(missing_ok=True)


def fill(file: Path) -> None:
    """Append to a file until there is no room."""
    size = BLOCK
    with file.open("ab", buffering=0) as opened:
        while size:
            try:
                os.posix_fallocate(opened.fileno(), file.stat().st_size, size * 16)
            except OSError:
                size //= 2


FAULTS = (FullDisk("postgres"), FullDisk("logs"))
