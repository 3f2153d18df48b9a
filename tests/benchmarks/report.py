"""The table and the file that a run of the benchmark leaves."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.process import ROOT
from tests.benchmarks.samples import FAST, FLOOR, SIDES, SLOW, Samples

FOLDER = ROOT / "bench"
CAPTION = (
    "median (95th percentile, or the largest of few); x: how many times better ours is;"
    " stock accept does not depend on polling"
)
PACKAGES = ("prefect-phantom", "prefect", "fastapi", "starlette", "uvicorn", "asyncpg")


def machine(postgres: str) -> dict[str, Any]:
    """Where the figures were taken, and with what."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processors": os.cpu_count(),
        "model": model[0] if model else platform.processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": postgres,
        "packages": {name: version(name) for name in PACKAGES},
    }


def write(samples: Samples, facts: dict[str, Any]) -> Path:
    """Write everything, raw samples included, to a file named by the time."""
    FOLDER.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = FOLDER / f"{now:%Y%m%dT%H%M%SZ}.json"
    measures = [
        {
            "name": each.name,
            "unit": each.unit,
            "better": "more" if each.rate else "less",
            "median": {side: each.median(side) for side in each.samples},
            "p95": {side: each.p95(side) for side in each.samples},
            "samples": each.samples,
        }
        for each in samples.measures.values()
    ]
    command = [sys.executable, "-m", "tests.benchmarks", *sys.argv[1:]]
    content = {"time": now.isoformat(), "command": command, **facts, "measures": measures}
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def show(samples: Samples, facts: dict[str, Any]) -> None:
    """Print one table: medians, of times with the 95th percentile, and how ours compares."""
    title = f"{facts['processors']} cores, {facts['model']}; load average {facts['load average']}"
    table = Table(title=title, caption=CAPTION)
    table.add_column("measure")
    for side in SIDES:
        table.add_column(side, justify="right")
    for side in (SLOW, FAST, FLOOR):
        table.add_column(f"x {side}", justify="right")
    for each in samples.measures.values():
        row = [f"{each.name} [{each.unit}]".replace(" []", "").replace("[", r"\[")]
        for side in SIDES:
            middle, high = each.median(side), each.p95(side)
            text = _number(middle)
            row.append(text if each.rate or middle == high else f"{text} ({_number(high)})")
        row += [_number(each.ratio(side)) for side in (SLOW, FAST, FLOOR)]
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
