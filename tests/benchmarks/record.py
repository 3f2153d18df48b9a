"""The file with everything that was found, raw samples included."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.goals import GOALS
from tests.benchmarks.process import ROOT
from tests.benchmarks.samples import Measure, Samples
from tests.benchmarks.table import command

FOLDER = ROOT / "bench"


def write(samples: Samples, facts: dict[str, Any]) -> Path:
    """Write it to a file named by the time."""
    FOLDER.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    path = FOLDER / f"{now:%Y%m%dT%H%M%SZ}.json"
    content = {
        "time": now.isoformat(),
        "command": shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]]),
        **facts,
        "goals": [
            {
                "measure": goal.measure,
                "words": goal.words,
                "asked": goal.asked,
                "found": found,
                "mark": goal.mark(found),
            }
            for goal in GOALS
            if (found := goal.found(samples)) is not None
        ],
        "remarks": samples.remarks,
        "failures": samples.failures,
        "measures": [_measure(each) for each in samples.measures.values()],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def _measure(measure: Measure) -> dict[str, Any]:
    return {
        "name": measure.name,
        "command": command(measure.scenario),
        "unit": measure.unit,
        "sides": {
            name: {
                "p50": side.p50,
                "p95": side.p95,
                "rate": side.rate,
                "errors": side.errors,
                "samples": side.values,
                "rates": side.rates,
                "ends": side.ends,
            }
            for name, side in measure.sides.items()
        },
    }
