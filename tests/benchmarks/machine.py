"""Where the figures were taken, and of what."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.installation import Installation
from tests.benchmarks.process import ROOT

PACKAGES = ("prefect", "fastapi", "starlette", "uvicorn", "asyncpg", "uvloop", "httptools")


async def machine(system: Installation) -> dict[str, Any]:
    """Processors, memory and versions."""
    return {
        "processors": os.cpu_count(),
        "model": _model(),
        "memory, bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": (await system.rows("postgres", "SHOW server_version"))[0]["server_version"],
        "version": f"prefect-phantom {version('prefect-phantom')} ({_described()})",
        "packages": {name: version(name) for name in PACKAGES},
    }


def _model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())


def _described() -> str:
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no git"
