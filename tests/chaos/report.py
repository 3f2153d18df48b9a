"""The table and the file that a session leaves, and the table of all files."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.process import ROOT
from tests.chaos.installation import Installation
from tests.chaos.session import Outcome
from tests.chaos.truths import PROMISES

FOLDER = ROOT / "chaos"
ENDS = ("acked", "success", "failed", "cancelled", "refused", "lost", "running")
SHOWN = 40


def write(outcome: Outcome) -> Path:
    """Write everything to a file named by the seed and the time."""
    FOLDER.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = FOLDER / f"{now:%Y%m%dT%H%M%SZ}-{outcome.seed}.json"
    content = {
        "time": now.isoformat(),
        "command": [sys.executable, "-m", "tests.chaos", *sys.argv[1:]],
        **{name: getattr(outcome, name) for name in ("seed", "worker", "seconds", "tried")},
        "disturbances": [asdict(each) for each in outcome.disturbances],
        "breaches": [each.as_json() for each in outcome.breaches],
    }
    path.write_text(json.dumps(content, indent=1, default=str) + "\n")
    return path


def read(*paths: Path) -> list[dict[str, Any]]:
    """What sessions have left, all of them by default."""
    return [json.loads(file.read_text()) for file in paths or sorted(FOLDER.glob("*.json"))]


def keep(system: Installation, seed: int) -> None:
    """Keep the logs of all parts, by which a breach can be understood."""
    kept = FOLDER / f"{seed}.logs"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(system.home / "logs", kept, ignore=shutil.ignore_patterns("filler"))
    for file in system.folder.glob("*.log"):
        shutil.copy(file, kept)


def show(sessions: Sequence[dict[str, Any]]) -> None:
    """Print promise by fault, and the breaches one by one."""
    tried: dict[str, Counter[str]] = {}
    broken: dict[str, Counter[str]] = {}
    for session in sessions:
        for fault, count in session["tried"].items():
            tried.setdefault(fault, Counter()).update(count)
        for breach in session["breaches"]:
            broken.setdefault(breach["fault"], Counter())[breach["promise"]] += 1
    promises = [each for each in PROMISES if any(count[each] for count in broken.values())]
    seeds = ", ".join(str(session["seed"]) for session in sessions)
    table = Table(title=f"seeds {seeds}", caption=f"kept in every case: {_kept(promises)}")
    for name in ("fault", *ENDS, *promises):
        table.add_column(name, justify="left" if name == "fault" else "right")
    for fault in sorted({*tried, *broken}):
        counts, faults = tried.get(fault, Counter()), broken.get(fault, Counter())
        row = [*(counts[each] for each in ENDS), *(faults[each] for each in promises)]
        table.add_row(fault, *(str(each or "") for each in row))
    total = sum(tried.values(), Counter())
    found = sum(broken.values(), Counter())
    table.add_section()
    row = [*(total[each] for each in ENDS), *(found[each] for each in promises)]
    table.add_row("all", *(str(each) for each in row))
    console = Console(width=None if sys.stdout.isatty() else 220)
    console.print(table)
    shown = [(s["seed"], breach) for s in sessions for breach in s["breaches"]]
    for seed, breach in shown[:SHOWN]:
        what = f"seed {seed}, {breach['fault']}, run {breach['run']} ({breach['kind']})"
        console.print(f"{breach['promise']}: {what}: {breach['words']}", markup=False)
    if len(shown) > SHOWN:
        console.print(f"and {len(shown) - SHOWN} more in {FOLDER}")


def _kept(broken: Sequence[str]) -> str:
    return ", ".join(each for each in PROMISES if each not in broken)
