"""What an action raises when it could not do its work, and why it is told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_phantom.flows.result import ActionRun


class ActionFailure(Exception):
    """Raised by an action that could not do its work, and by the call when all of it failed."""

    def __init__(self, message: str, action_run: ActionRun | None = None) -> None:
        super().__init__(message)
        self.action_run = action_run
        """The whole action run, when a call raises this."""


class AssetMisconfiguration(ActionFailure):
    """An asset cannot be worked with as it is set up; trying again would not change that."""


class PrefectUnavailable(ActionFailure):
    """Prefect does not say what an action needs of it; trying again later may help."""


class WrongParameter(ActionFailure):
    """An action was called with parameters that do not fit; nothing of the call was begun."""


class WrongInputs(Exception):
    """A playbook was given inputs, or a container, that do not fit what it asks for."""


class WrongOutputs(Exception):
    """A playbook returned what does not fit the outputs that it declares."""


class TimedOut(TimeoutError):
    """A playbook took longer than its author allows."""
