"""Playbooks whose actions need an asset, for tests on a whole installation.

The installation reads this very file: it stands in the folder of playbooks under a name of its own.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from prefect_phantom import ActionFailure, ActionResult, Asset, PlaybookRun, action, playbook
from prefect_phantom.flows.inside.runtime.client import Attempt


class Settings(BaseModel):
    """Settings of an asset of the app Tried."""

    host: str = "h"
    port: Annotated[int, Field(le=65535)] = 53
    api_key: SecretStr


def digest(text: str) -> str:
    """What can be shown of a secret."""
    return hashlib.sha256(text.encode()).hexdigest()


@action("see", app="Tried", type="test")
def see(asset: Asset[Settings]) -> ActionResult:
    """Say what the secret looks like; the server behind this app refuses another one."""
    key = asset.settings.api_key.get_secret_value()
    print("asking", asset.settings)
    if key.startswith("wrong"):
        raise ActionFailure(f"{asset.settings.host} refuses the API key")
    return ActionResult(message=digest(key))


@action("work", app="Worked")
def work(asset: Asset, number: int, file: str, until: str | None = None) -> ActionResult:
    """Note begin and end; work for a moment, or until a file is there."""
    note(file, "+", number)
    if until is None:
        time.sleep(0.1)
    while until is not None and not Path(until).exists():
        time.sleep(0.05)
    note(file, "-", number)
    return ActionResult(message=f"{number} done on {asset.name}")


@action("hurry", app="Worked", timeout=1)
def hurry(asset: Asset, number: int) -> ActionResult:
    """Take less time than there is."""
    time.sleep(0.4)
    return ActionResult(message=f"{number} done on {asset.name}")


@playbook
def hurries(run: PlaybookRun) -> None:
    """Hurry six times, as the asset lets it."""
    hurry.with_options(assets=[run.inputs["asset"]]).map([{"number": n} for n in range(6)])


def note(file: str, sign: str, number: int) -> None:
    """Add a line in one write, so that lines of several processes do not mix."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{sign} {number} {time.time()}\n".encode())
    os.close(descriptor)


@action("tell", app="Told")
def tell(text: str) -> ActionResult:
    """Say it."""
    return ActionResult(message=text)


@playbook
def knows(run: PlaybookRun) -> None:
    """Tell which assets of an app there are."""
    assert isinstance(run.recorder, Attempt)
    known = [asset.name for asset in run.recorder.assets() if asset.app == run.inputs["app"]]
    tell(", ".join(known))


@playbook
def sees(run: PlaybookRun) -> None:
    """See, twice, by the assets that the inputs name."""
    for _ in range(2):
        see.with_options(assets=run.inputs["assets"])()


@playbook
def works(run: PlaybookRun) -> None:
    """Work on an asset, many times at once."""
    more = {name: run.inputs[name] for name in ("file", "until") if name in run.inputs}
    numbers = range(run.inputs.get("number", 0), run.inputs.get("number", 0) + run.inputs["times"])
    work.with_options(assets=[run.inputs["asset"]]).map([{"number": n, **more} for n in numbers])
