"""``/rest/playbook``: give one the id that callers wrote down. Its lists are in `lists.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import NotUpdatable, PlaybookNotFound
from adapters.rest.body import read_object
from adapters.rest.fields import Fields, as_identifier
from adapters.rest.gateway import Gateway
from adapters.rest.responses import answer
from adapters.store import playbooks


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
