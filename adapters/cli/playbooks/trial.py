"""``playbook new`` and ``playbook try``: write a playbook, and run it without any server."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from prefect_phantom.adapters.cli.connection import AsJson, fail
from prefect_phantom.adapters.cli.playbooks.playbook import json_object
from prefect_phantom.adapters.cli.terminal.console import Console, Text, printing_through
from prefect_phantom.adapters.cli.terminal.pictures import COLORS
from prefect_phantom.flows.finding.import_failure import import_failure
from prefect_phantom.flows.trial import Progress, Sample, Trial, TrialAsset, TrialRun, start
from prefect_phantom.flows.trial.loading import load

MOST_ROWS = 40
"""How many parameter sets are shown at once, the latest of them."""
LONGEST_CELL = 200


def new(
    name: Annotated[str, Parameter(help="Its name: small letters, digits and _.")],
    /,
    *,
    folder: Annotated[Path, Parameter(help="Where to write it.")] = Path(),
) -> None:
    """Write a good start for a playbook, a container to try it on, and a test."""
    try:
        files = start.write(name, folder)
    except (OSError, ValueError) as error:
        fail(str(error), code=2)
    for file in files:
        Console().print(Text(str(file)))
    command = f"prefect-phantom playbook try {files[0]} --container {files[1]}"
    Console().print(Text(f"\nTry it:  {command}"), soft_wrap=True)


def try_(
    file: Annotated[Path, Parameter(help="The file; FILE:NAME where it holds several playbooks.")],
    /,
    *,
    container: Annotated[
        Path | None,
        Parameter(help="JSON of a container with its artifacts, as POST /rest/container takes it."),
    ] = None,
    inputs: Annotated[
        dict[str, Any] | None,
        Parameter(
            converter=json_object,
            accepts_keys=False,
            n_tokens=1,
            negative=(),
            help="All inputs as one JSON object.",
        ),
    ] = None,
    assets: Annotated[
        Path | None,
        Parameter(help="JSON array of {name, app, settings, secrets}; secrets name variables."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a playbook without any server; its actions are real. Exit code 1 if it failed."""
    path, _, name = str(file).partition(":")
    return _try(
        Path(path),
        name=name or None,
        container=container,
        inputs=inputs,
        assets=assets,
        as_json=as_json,
    )


def _try(
    file: Path,
    *,
    name: str | None,
    container: Path | None,
    inputs: dict[str, Any] | None,
    assets: Path | None,
    as_json: bool,
) -> int:
    """Run the playbook in `file`. Returns the exit code: 0 for success, 1 for a failed run."""
    try:
        sample = Sample() if container is None else Sample.read(container)
        given = [] if assets is None else TrialAsset.read(assets)
        playbook = load(file, name)
    except (OSError, ValueError, LookupError) as error:
        fail(str(error), code=2)
    except Exception as error:  # noqa: BLE001 - whatever the file does when it is imported
        fail(f"{file} does not import: {import_failure(error)}", code=2)
    console = Console(file=sys.stderr if as_json else sys.stdout)
    steps: list[Progress] = []

    def watch(step: Progress) -> None:
        if all(step is not known for known in steps):
            steps.append(step)
        live.update(_picture(steps, running=True))

    with (
        temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}),
        Live(
            _picture(steps, running=True),
            console=console,
            transient=as_json,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live,
        printing_through(console),
    ):
        trial = Trial(assets=given, watch=watch, say=lambda line: live.console.print(Text(line)))
        run = trial.run(playbook, sample, inputs)
        live.update(_picture(steps, running=False))
    if as_json:
        Console().print_json(data=_plain(run))
    else:
        _print_end(console, run)
    return 0 if run.status == "success" else 1


def _picture(steps: Sequence[Progress], *, running: bool) -> RenderableType:
    table = Table("action", "status", "parameter", "asset", "message", "s")
    for step in steps[-MOST_ROWS:]:
        table.add_row(
            Text(step.action),
            Text(step.status, style=COLORS.get(step.status, "")),
            _cell(", ".join(f"{key}={value}" for key, value in step.parameter.items())),
            Text(step.asset),
            _cell(step.message),
            Text(f"{step.seconds:.2f}" if step.seconds else ""),
        )
    parts: list[RenderableType] = [table] if steps else []
    if len(steps) > MOST_ROWS:
        parts.insert(0, Text(f"{len(steps) - MOST_ROWS} before these", style="dim"))
    if running:
        parts.append(Spinner("dots", Text("running", style="yellow")))
    return Group(*parts)


def _cell(text: str) -> Text:
    """Its first line: a table of whole answers could not be read."""
    line, _, rest = text.strip().partition("\n")
    shown = line[:LONGEST_CELL]
    return Text(f"{shown} ..." if rest or shown != line else shown)


def _print_end(console: Console, run: TrialRun) -> None:
    if not console.is_terminal:
        console.print()  # a live picture that is no live one ends without
    if run.outputs is not None:
        console.print(Text("outputs", style="dim"), _outputs(run.outputs))
    console.print(Text(run.status, style=COLORS[run.status]), Text(run.message))


def _outputs(outputs: object) -> Any:  # noqa: ANN401 - whatever JSON can hold of it
    if isinstance(outputs, BaseModel):
        return outputs.model_dump(mode="json")
    return json.loads(json.dumps(outputs, default=str))


def _plain(run: TrialRun) -> dict[str, Any]:
    return {
        "status": run.status,
        "message": run.message,
        "outputs": _outputs(run.outputs),
        "action_runs": [each.model_dump(mode="json") for each in run.action_runs],
        "log": run.log,
    }
