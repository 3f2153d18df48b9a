"""The paths of everything that can be listed, with the permission that each method needs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.rest.contract import playbook
from prefect_phantom.adapters.rest.contract.accounts import ph_user, role, token
from prefect_phantom.adapters.rest.contract.assets import asset
from prefect_phantom.adapters.rest.contract.case import (
    artifact,
    container,
    container_entry,
    decided_list,
)
from prefect_phantom.adapters.rest.contract.case.container_entry import EntryHandlers
from prefect_phantom.adapters.rest.contract.lists import Lists
from prefect_phantom.adapters.rest.contract.route import FieldRoute, resource
from prefect_phantom.adapters.rest.contract.runs import playbook_run
from prefect_phantom.adapters.rest.openapi.operation import Operation, Shape
from prefect_phantom.adapters.rest.request.bulk import one_or_many
from prefect_phantom.adapters.store.listing.resources import RESOURCES

VIEW, EDIT = Permission.VIEW, Permission.EDIT_CONTAINERS
RUN, ADMINISTER = Permission.RUN_PLAYBOOKS, Permission.ADMINISTER


RUNS = playbook_run.RUNS
ACTION_RUNS = Lists(RESOURCES["action_run"])
APP_RUNS = Lists(RESOURCES["app_run"])
LOG = Lists(RESOURCES["log"])
BLOCK_RESULTS = Lists(RESOURCES["block_result"])
CONTAINERS = Lists(RESOURCES["container"])
ARTIFACTS = Lists(RESOURCES["artifact"])
PLAYBOOKS = Lists(RESOURCES["playbook"])
USERS = Lists(RESOURCES["ph_user"])
ROLES = Lists(RESOURCES["role"])
TOKENS = Lists(RESOURCES["token"])
NOTES = Lists(RESOURCES["note"])
COMMENTS = Lists(RESOURCES["container_comment"])
PINS = Lists(RESOURCES["container_pin"])
DECIDED_LISTS = Lists(RESOURCES["decided_list"], locate=decided_list.locate)
ASSETS = Lists(RESOURCES["asset"])
SMALL = ("app", "label", "severity", "container_status", "scm", "cef", "approval")


@Operation(
    shape=Shape.LIST,
    resource=USERS.resource,
    query={"include_automation": {"enum": ["True", "False"]}},
)
async def _users(request: Request) -> Response:
    """List of ph_user.

    Automation users only with `include_automation` or a filter (vendor's documentation).
    """
    asked = any(name.startswith(("_filter_", "_exclude_")) for name in request.query_params)
    further = [] if asked or ph_user.includes_automation(request) else [ph_user.PEOPLE]
    return await USERS.index_of(request, further)


@Operation(shape=Shape.LIST, resource=PLAYBOOKS.resource)
async def _playbooks(request: Request) -> Response:
    """List of playbook: what can be started.

    Those whose file is gone are in it only when it is asked for them, by `gone` or their id.
    """
    asked = request.query_params.keys() & {"_filter_gone", "_exclude_gone", "_filter_id"}
    return await PLAYBOOKS.index_of(request, [] if asked else [playbook.PRESENT])


def _fields(lists: Lists) -> Route:
    path = f"/rest/{lists.resource.name}/{{id}}/{{field}}"
    return FieldRoute(path, lists.resource.fields, (VIEW, lists.field))


def _read_only(lists: Lists) -> list[Route]:
    path = f"/rest/{lists.resource.name}"
    return [
        resource(path, get=(VIEW, lists.index)),
        resource(f"{path}/{{id}}", get=(VIEW, lists.show)),
        _fields(lists),
    ]


def _entries(lists: Lists, handlers: EntryHandlers) -> list[Route]:
    path = f"/rest/{lists.resource.name}"
    return [
        resource(path, get=(VIEW, lists.index), post=(EDIT, one_or_many(handlers.create))),
        resource(
            f"{path}/{{id}}",
            get=(VIEW, lists.show),
            post=(EDIT, handlers.change),
            delete=(EDIT, handlers.remove),
        ),
        _fields(lists),
    ]


ROUTES = [
    resource("/rest/playbook_run", get=(VIEW, RUNS.index), post=(RUN, playbook_run.start)),
    resource("/rest/playbook_run/{id}/log", get=(VIEW, LOG.within(RUNS))),
    resource("/rest/playbook_run/{id}/actions", get=(VIEW, ACTION_RUNS.within(RUNS))),
    resource("/rest/playbook_run/{id}/action_runs", get=(VIEW, ACTION_RUNS.within(RUNS))),
    resource("/rest/playbook_run/{id}/block_results", get=(VIEW, BLOCK_RESULTS.within(RUNS))),
    _fields(RUNS),
    resource("/rest/action_run/{id}/app_runs", get=(VIEW, APP_RUNS.within(ACTION_RUNS))),
    *_read_only(ACTION_RUNS),
    *_read_only(APP_RUNS),
    resource(
        "/rest/container", get=(VIEW, CONTAINERS.index), post=(EDIT, one_or_many(container.create))
    ),
    resource(
        "/rest/container/{id}",
        get=(VIEW, CONTAINERS.show),
        post=(EDIT, container.change),
        delete=(ADMINISTER, container.remove),
    ),
    resource("/rest/container/{id}/artifacts", get=(VIEW, ARTIFACTS.within(CONTAINERS))),
    resource("/rest/container/{id}/playbook_runs", get=(VIEW, RUNS.within(CONTAINERS))),
    resource("/rest/container/{id}/comments", get=(VIEW, COMMENTS.within(CONTAINERS))),
    resource("/rest/container/{id}/notes", get=(VIEW, NOTES.within(CONTAINERS))),
    resource("/rest/container/{id}/pins", get=(VIEW, PINS.within(CONTAINERS))),
    _fields(CONTAINERS),
    resource(
        "/rest/artifact",
        get=(VIEW, ARTIFACTS.index),
        post=(EDIT, one_or_many(artifact.create, artifact.IN_ONE_CONTAINER)),
    ),
    resource(
        "/rest/artifact/{id}",
        get=(VIEW, ARTIFACTS.show),
        post=(EDIT, artifact.change),
        delete=(EDIT, artifact.remove),
    ),
    _fields(ARTIFACTS),
    resource("/rest/playbook", get=(VIEW, _playbooks)),
    resource("/rest/playbook/{id}", get=(VIEW, PLAYBOOKS.show), post=(ADMINISTER, playbook.change)),
    _fields(PLAYBOOKS),
    resource("/rest/asset", get=(VIEW, ASSETS.index), post=(ADMINISTER, asset.create)),
    resource(
        "/rest/asset/{id}",
        get=(VIEW, ASSETS.show),
        post=(ADMINISTER, asset.change),
        delete=(ADMINISTER, asset.remove),
    ),
    _fields(ASSETS),
    resource("/rest/ph_user", get=(VIEW, _users), post=(ADMINISTER, ph_user.create)),
    resource("/rest/ph_user/{id}", get=(VIEW, USERS.show), post=(ADMINISTER, ph_user.change)),
    resource(
        "/rest/ph_user/{id}/token",
        get=(ADMINISTER, TOKENS.within(USERS)),
        post=(ADMINISTER, token.create),
    ),
    resource("/rest/ph_user/{id}/token/{token_id}", post=(ADMINISTER, token.revoke)),
    _fields(USERS),
    resource("/rest/role", get=(VIEW, ROLES.index), post=(ADMINISTER, role.create)),
    resource("/rest/role/{id}", get=(VIEW, ROLES.show), post=(ADMINISTER, role.change)),
    _fields(ROLES),
    *(route for name in SMALL for route in _read_only(Lists(RESOURCES[name]))),
    *_entries(NOTES, container_entry.NOTES),
    resource(
        "/rest/container_comment",
        get=(VIEW, COMMENTS.index),
        post=(EDIT, one_or_many(container_entry.COMMENTS.create)),
    ),
    resource("/rest/container_comment/{id}", get=(VIEW, COMMENTS.show)),
    _fields(COMMENTS),
    *_entries(PINS, container_entry.PINS),
    resource(
        "/rest/decided_list", get=(VIEW, DECIDED_LISTS.index), post=(EDIT, decided_list.create)
    ),
    resource(
        "/rest/decided_list/{id}",
        get=(VIEW, DECIDED_LISTS.show),
        post=(EDIT, decided_list.change),
        delete=(EDIT, decided_list.remove),
    ),
    resource(
        "/rest/decided_list/{id}/formatted_content", get=(VIEW, decided_list.formatted_content)
    ),
    _fields(DECIDED_LISTS),
]
