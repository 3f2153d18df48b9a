"""The apps that are found, and what they are in plain data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypedDict

from pydantic import BaseModel

from prefect_phantom.flows.action import Action
from prefect_phantom.flows.asset import secret_settings
from prefect_phantom.flows.finding.app_places import places
from prefect_phantom.flows.finding.import_failure import import_failure
from prefect_phantom.flows.run import current


class ActionDescription(TypedDict):
    """An action, in plain data."""

    name: str
    type: str
    description: str
    parameters: dict[str, Any]
    """JSON schema."""


class AppDescription(TypedDict):
    """An app, in plain data."""

    app: str
    description: str
    settings: dict[str, Any]
    """JSON schema of an asset's settings; empty when the app needs no asset, or takes any."""
    secrets: list[str]
    """Which of the settings are secret."""
    actions: list[ActionDescription]
    error: str
    """What is wrong with it; when it does not import, `app` is the name of its module or file."""


@dataclass
class App:
    """The actions of one name of an app, or a module that is none."""

    name: str
    description: str = ""
    settings: type[BaseModel] | None = None
    actions: list[Action[...]] = field(default_factory=list)
    error: str = ""

    def add(self, action: Action[...], module: str) -> None:
        """Take in an action; what is wrong with it is noted in `error`."""
        same = [known for known in self.actions if known.name == action.name]
        if any(known.function is action.function for known in same):
            return  # the same one, with other options
        settings = action.parameters.settings
        if same:
            self._note(f'{module}: app {self.name} has an action "{action.name}" already')
        elif settings and self.settings and settings is not self.settings:
            self._note(f'{module}: action "{action.name}" wants other settings than those before')
        else:
            self.settings = self.settings or settings
            self.actions.append(action)

    def describe(self) -> AppDescription:
        """What JSON can hold of it."""
        return {
            "app": self.name,
            "description": self.description,
            "settings": self.settings.model_json_schema() if self.settings else {},
            "secrets": sorted(secret_settings(self.settings)) if self.settings else [],
            "actions": [
                {
                    "name": action.name,
                    "type": action.type,
                    "description": action.description,
                    "parameters": action.parameters.schema(),
                }
                for action in self.actions
            ],
            "error": self.error,
        }

    def _note(self, sentence: str) -> None:
        self.error = f"{self.error}; {sentence}" if self.error else sentence


@functools.cache
def load() -> tuple[App, ...]:
    """All apps, by name; imported when this is asked for the first time.

    What does not import is an app without actions, named after its module or file; its `error`
    says why, and the others are loaded all the same.
    """
    return tuple(_imported({}))


def _imported(refused: Mapping[str, str]) -> list[App]:
    """All apps, by name, without the modules that are `refused`, each for its reason."""
    apps: dict[str, App] = {}
    broken = [App(name, error=reason) for name, reason in refused.items()]
    for place in places():
        if place.name in refused:
            continue
        try:
            module = place.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - any way of failing is reported
            broken.append(App(place.name, error=f"It does not import: {import_failure(error)}"))
            continue
        if not isinstance(module, ModuleType):
            broken.append(App(place.name, error="It is not a module"))
            continue
        actions = list(_actions(module))
        if not actions:
            broken.append(App(place.name, error="It holds no actions"))
        for action in actions:
            app = apps.setdefault(action.app, App(action.app, _description(module, action.app)))
            app.add(action, module.__name__)
    return sorted([*apps.values(), *broken], key=lambda app: app.name.lower())


def find(
    action_name: str, *, app: str | None = None, asset: str | None = None
) -> list[Action[...]]:
    """The actions of this name, of all apps or of one; none when there is no such action.

    Args:
        action_name: Such as ``whois ip``.
        app: The app, where several have an action of this name.
        asset: Name of an asset: the action of its app, which then works on this one alone. Only
            a run knows the assets.

    Raises:
        RuntimeError: an asset is named outside a playbook.

    """
    found = [
        action
        for each in load()
        for action in each.actions
        if action.name == action_name and app in {None, each.name}
    ]
    if asset is None:
        return found
    apps = {each.app for each in current().recorder.assets() if each.name == asset}
    return [action.with_options(assets=[asset]) for action in found if action.app in apps]


def describe(refused: Mapping[str, str] | None = None) -> list[AppDescription]:
    """All apps in plain data, by name; see `load`.

    Args:
        refused: Names of modules that are not imported, each with the reason, which is told.

    """
    apps = _imported(refused) if refused else load()
    return [app.describe() for app in apps]


def _actions(module: ModuleType) -> Iterator[Action[...]]:
    """The actions that `module` defines, or a module in it; not those that it only imports."""
    for found in vars(module).values():
        if isinstance(found, Action):
            where = found.function.__module__
            if where == module.__name__ or where.startswith(f"{module.__name__}."):
                yield found


def _description(module: ModuleType, app: str) -> str:
    """The first line of the module's docstring, without the app's name before it."""
    first = (module.__doc__ or "").strip().partition("\n")[0]
    told = first.removeprefix(f"App {app}: ").removesuffix(".")
    return told[:1].upper() + told[1:]
