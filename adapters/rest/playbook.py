"""``/rest/playbook``: which playbooks there are, and giving one the id that callers wrote down."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUpdatable, PlaybookNotFound
from adapters.rest.body import read_object
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.pages import page
from adapters.rest.responses import answer
from adapters.store import playbooks
from adapters.store.playbooks import Playbook


async def index(request: Request) -> Response:
    """The playbooks in the list envelope; of the query only `page` and `page_size` are read."""
    return page(request, await playbooks.read_all(Gateway.of(request).database), _playbook_object)


async def show(request: Request) -> Response:
    """One playbook."""
    playbook = await playbooks.read(Gateway.of(request).database, _playbook_id(request))
    return answer(_playbook_object(playbook))


async def set_id(request: Request) -> Response:
    """Give a playbook another id; for administrators. The field `id` and its effect are ours."""
    playbook_id = _playbook_id(request)
    body = await read_object(request)
    others = [name for name in body if name != "id"]
    if others:
        raise NotUpdatable(others, "playbook", "id")
    new_id = Fields(body).required_identifier("id")
    await playbooks.set_id(Gateway.of(request).database, playbook_id, new_id)
    return answer({"success": True, "id": new_id})


def _playbook_id(request: Request) -> int:
    text: str = request.path_params["id"]
    playbook_id = as_identifier(text)
    if playbook_id is None:
        raise PlaybookNotFound(text)
    return playbook_id


def _playbook_object(playbook: Playbook) -> dict[str, object]:
    """The vendor's fields as far as they mean something here, then ours.

    `scm` is null: repositories have names here and no ids yet.
    """
    deployment = playbook.deployment_id
    return {
        "id": playbook.id,
        "name": playbook.name,
        "scm": None,
        "_pretty_scm": playbook.repository,
        "active": playbook.active,
        "disabled": playbook.disabled,
        "draft_mode": False,
        "labels": playbook.labels,
        "category": playbook.category,
        "tags": playbook.tags,
        "playbook_type": playbook.playbook_type,
        "passed_validation": not playbook.error,
        "version": playbook.version,
        "repository": playbook.repository,
        "description": playbook.description,
        "error": playbook.error,
        "deployment_id": None if deployment is None else str(deployment),
    }
