"""What comes of an action: per parameter set and asset, and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

Status = Literal["success", "failed"]


class ActionResult(BaseModel):
    """What an action found out, for one set of parameters on one asset."""

    message: str
    """A sentence or a few lines for people; `app_message` in the run's `message`."""
    data: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}


Returned = ActionResult | BaseModel | Sequence[BaseModel] | None
"""What the function of an action may return: models of its own are the rows of `data`."""


class ParameterResult(BaseModel):
    """How one set of parameters fared on one asset."""

    asset: str
    parameter: dict[str, Any]
    """The parameters by name, with their `context` where one was given."""
    status: Status
    message: str
    data: list[dict[str, Any]] = []
    summary: dict[str, Any] = {}

    @property
    def context(self) -> dict[str, Any]:
        """What was said beside the parameters, such as ``{"artifact_id": 7}``."""
        context = self.parameter.get("context")
        return context if isinstance(context, dict) else {}


class ActionRun(BaseModel):
    """One call of an action, or one map of it."""

    id: int | None
    """None when there was nothing to do: no set of parameters."""
    name: str
    status: Status
    message: str
    results: list[ParameterResult]

    @property
    def succeeded(self) -> bool:
        """Whether any of it did: Phantom's own rule."""
        return self.status == "success"

    @property
    def data(self) -> list[dict[str, Any]]:
        """The rows of all results, in the order of assets and parameter sets."""
        return [row for result in self.results for row in result.data]

    @property
    def failures(self) -> list[ParameterResult]:
        """The results that failed."""
        return [result for result in self.results if result.status == "failed"]


def action_result(name: str, returned: object) -> ActionResult:
    """What the function of action `name` returned, in one form.

    Raises:
        TypeError: it returned what is neither a result nor a model.

    """
    match returned:
        case ActionResult():
            return returned
        case None:
            return ActionResult(message=f"{name} has been done")
        case BaseModel():
            return _of_rows(name, [returned])
        case list() | tuple() if all(isinstance(row, BaseModel) for row in returned):
            return _of_rows(name, returned)
        case _:
            message = (
                f"Action {name!r} returned {type(returned).__name__}; it must return an "
                "ActionResult, a pydantic model, or a list of models"
            )
            raise TypeError(message)


def _of_rows(name: str, rows: Sequence[BaseModel]) -> ActionResult:
    found = "1 result" if len(rows) == 1 else f"{len(rows)} results"
    return ActionResult(
        message=f"{name}: {found}", data=[row.model_dump(mode="json") for row in rows]
    )


def overall(results: Sequence[ParameterResult]) -> Status:
    """Phantom's own rule: failed only when it failed on all assets with all parameters."""
    return "success" if any(result.status == "success" for result in results) else "failed"


def count(results: Sequence[ParameterResult]) -> str:
    """How many succeeded and failed, as Phantom words it."""
    succeeded = sum(result.status == "success" for result in results)
    failed = len(results) - succeeded
    parts = [f"{succeeded} actions succeeded"] if succeeded or not failed else []
    return ", ".join([*parts, *([f"{failed} actions failed"] if failed else [])])
