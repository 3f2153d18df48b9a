"""The errors for actions that cannot begin."""

from __future__ import annotations

from prefect_phantom.adapters.errors.request import Invalid


class ForeignStartKey(Invalid):
    """The key of a start belongs to an action of another run (runtime API only)."""

    def __init__(self) -> None:
        super().__init__("The start_key is that of another run's action")


class AssetNotFound(Invalid):
    """The app has no asset of this name that is enabled."""

    def __init__(self, name: str, app: str) -> None:
        super().__init__(f'Asset "{name}" of app {app} not found')


class NoAssets(Invalid):
    """No asset of the app is configured, or none was chosen."""

    def __init__(self, app: str, action: str) -> None:
        super().__init__(f"No asset of app {app} is configured, so {action} cannot run")
