"""Whether an asset can be worked with; `prefect-phantom asset test` runs this."""

from __future__ import annotations

from pydantic import BaseModel, Field

from prefect_phantom import ActionFailure, PlaybookRun, playbook
from prefect_phantom.apps import find

ACTION = "test connectivity"


class Inputs(BaseModel):
    """Which asset to test."""

    asset: str = Field(description="Name of the asset")
    app: str = Field(description="Name of its app")


@playbook(inputs=Inputs)
def test_connectivity(run: PlaybookRun[Inputs]) -> None:
    """Run the action "test connectivity" of an app on one of its assets."""
    actions = find(ACTION, app=run.inputs.app)
    if not actions:
        raise ActionFailure(f'App {run.inputs.app} has no action "{ACTION}"')
    actions[0].with_options(assets=[run.inputs.asset]).run([{}])
