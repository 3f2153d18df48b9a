"""The paths of everything that can be listed."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from adapters.rest import artifact, container, ph_user, playbook, playbook_run
from adapters.rest.gateway import Gateway
from adapters.rest.lists import Lists, Row
from adapters.rest.resources import FieldRoute, resource
from adapters.rest.run_object import run_object
from adapters.store.listing.resources import RESOURCES
from adapters.store.playbook_runs import PlaybookRun


def _run(request: Request, row: Row) -> dict[str, Any]:
    """The object of a single run. Why it waits is not looked up for a whole list."""
    parameter = Gateway.of(request).settings.message_parameter
    return run_object(PlaybookRun(**row), parameter, waiting=None)


RUNS = Lists(RESOURCES["playbook_run"], _run)
ACTION_RUNS = Lists(RESOURCES["action_run"])
APP_RUNS = Lists(RESOURCES["app_run"])
LOG = Lists(RESOURCES["log"])
CONTAINERS = Lists(RESOURCES["container"])
ARTIFACTS = Lists(RESOURCES["artifact"])
PLAYBOOKS = Lists(RESOURCES["playbook"])
USERS = Lists(RESOURCES["ph_user"])
NOTES = Lists(RESOURCES["note"])
COMMENTS = Lists(RESOURCES["container_comment"])
PINS = Lists(RESOURCES["pin"])
SMALL = ("label", "severity", "container_status", "scm", "cef", "approval")


def _fields(lists: Lists) -> Route:
    path = f"/rest/{lists.resource.name}/{{id}}/{{field}}"
    return FieldRoute(path, lists.resource.fields, lists.field)


def _read_only(lists: Lists) -> list[Route]:
    path = f"/rest/{lists.resource.name}"
    return [
        resource(path, get=lists.index),
        resource(f"{path}/{{id}}", get=lists.show),
        _fields(lists),
    ]


ROUTES = [
    resource("/rest/playbook_run", get=RUNS.index, post=playbook_run.start),
    resource("/rest/playbook_run/{id}/log", get=LOG.within(RUNS)),
    resource("/rest/playbook_run/{id}/actions", get=ACTION_RUNS.within(RUNS)),
    resource("/rest/playbook_run/{id}/action_runs", get=ACTION_RUNS.within(RUNS)),
    _fields(RUNS),
    resource("/rest/action_run/{id}/app_runs", get=APP_RUNS.within(ACTION_RUNS)),
    *_read_only(ACTION_RUNS),
    *_read_only(APP_RUNS),
    resource("/rest/container", get=CONTAINERS.index, post=container.create),
    resource("/rest/container/{id}", get=CONTAINERS.show),
    resource("/rest/container/{id}/artifacts", get=ARTIFACTS.within(CONTAINERS)),
    resource("/rest/container/{id}/playbook_runs", get=RUNS.within(CONTAINERS)),
    resource("/rest/container/{id}/comments", get=COMMENTS.within(CONTAINERS)),
    resource("/rest/container/{id}/notes", get=NOTES.within(CONTAINERS)),
    resource("/rest/container/{id}/pins", get=PINS.within(CONTAINERS)),
    _fields(CONTAINERS),
    resource("/rest/artifact", get=ARTIFACTS.index, post=artifact.create),
    resource("/rest/artifact/{id}", get=ARTIFACTS.show),
    _fields(ARTIFACTS),
    resource("/rest/playbook", get=PLAYBOOKS.index),
    resource("/rest/playbook/{id}", get=PLAYBOOKS.show, post=playbook.set_id),
    _fields(PLAYBOOKS),
    resource("/rest/ph_user", get=USERS.index, post=ph_user.create),
    resource("/rest/ph_user/{id}", get=ph_user.show),
    _fields(USERS),
    *(route for name in SMALL for route in _read_only(Lists(RESOURCES[name]))),
    *_read_only(NOTES),
    *_read_only(COMMENTS),
]
