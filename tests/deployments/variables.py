"""Whether variables are read by the programs that get them, and have values that are taken."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from prefect_phantom.adapters.settings import Settings

OURS = "PREFECT_PHANTOM_"
INTEGRATIONS = Path(sys.prefix) / "infrastructure"
OTHERS = frozenset(
    {
        *("PATH", "PYTHONUNBUFFERED"),
        "POSTGRES_PASSWORD",  # the image of PostgreSQL
        *("POSTGRES_PHANTOM_PASSWORD", "POSTGRES_PREFECT_PASSWORD"),  # roles.sql
        "REDISCLI_AUTH",  # redis-cli
    }
)
"""Variables of programs that are not of this project and not of Prefect."""


def unknown(names: Iterable[str]) -> list[str]:
    """Those of `names` that nobody reads."""
    return sorted(set(names) - OTHERS - {OURS + name.upper() for name in Settings.model_fields}
                  - _prefect_names())  # fmt: skip


def refused(environments: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What our settings, and then Prefect's, say of values they do not take, by environment."""
    found: dict[str, str] = {}
    for place, environment in environments.items():
        given = {
            name.removeprefix(OURS).lower(): value
            for name, value in environment.items()
            if name.startswith(OURS)
        }
        try:
            Settings(**given)  # type: ignore[arg-type]
        except ValueError as error:
            found[place] = str(error)
    return found | _prefect(list(environments.values()), list(environments))


@functools.cache
def _prefect_names() -> frozenset[str]:
    return frozenset(_ask({"names": True}))


def _prefect(environments: Sequence[Mapping[str, str]], places: Sequence[str]) -> dict[str, str]:
    given = [
        {name: value for name, value in environment.items() if not name.startswith(OURS)}
        for environment in environments
    ]
    answers: list[str] = _ask({"environments": given})
    return {place: answer for place, answer in zip(places, answers, strict=True) if answer}


def _ask(question: Mapping[str, object]) -> list[str]:
    """Ask Prefect, with its integrations on the path, in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("prefect_settings.py"), INTEGRATIONS],
            input=json.dumps(question), capture_output=True, text=True, check=True,
            env={"PREFECT_HOME": home},
        )  # fmt: skip
    answer: list[str] = json.loads(done.stdout)
    return answer
