"""``/rest/playbook``: give one the id that callers wrote down. Its lists are in `lists.py`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from adapters.errors import PlaybookNotFound
from adapters.rest.body import read_object
from adapters.rest.fields import Fields
from adapters.rest.gateway import Gateway
from adapters.rest.path_identifier import path_identifier
from adapters.rest.responses import answer
from adapters.store import playbooks


async def set_id(request: Request) -> Response:
    """Give a playbook another id; for administrators. The field `id` and its effect are ours."""
    playbook_id = path_identifier(request, PlaybookNotFound)
    fields = Fields(await read_object(request))
    fields.refuse_others(["id"], "playbook")
    new_id = fields.required_identifier("id")
    await playbooks.set_id(Gateway.of(request).database, playbook_id, new_id)
    return answer({"success": True, "id": new_id})
