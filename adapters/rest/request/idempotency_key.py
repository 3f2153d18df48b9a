"""The header `Idempotency-Key`: a request that is sent again is carried out once.

Our addition; the name is that of the IETF's draft and of other services.
"""

from __future__ import annotations

import hashlib
import json
import re

from starlette.requests import Request

from prefect_phantom.adapters.errors import BadField
from prefect_phantom.adapters.rest.gateway import caller
from prefect_phantom.adapters.rest.openapi.operation import Schema
from prefect_phantom.adapters.store.starts.idempotency_keys import IdempotencyKey

HEADER = "Idempotency-Key"
KEY = re.compile(r"[!-~]{1,255}")
ACCEPTED = "1 to 255 visible ASCII characters"
SCHEMA: Schema = {
    "description": "Sent again with the same key and body, the request is carried out once",
    "type": "string",
    "pattern": f"^{KEY.pattern}$",
}


def read_idempotency_key(request: Request, body: dict[str, object]) -> IdempotencyKey | None:
    """The key that came with `body`, if one did. Raises `BadField`.

    Bodies that differ only in spaces or in the order of their fields are the same request.
    """
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    # A header that came twice is, by HTTP's rule, one with a comma and a space in it.
    key = ", ".join(values)
    if KEY.fullmatch(key) is None:
        raise BadField(HEADER, key, ACCEPTED)
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).digest()
    return IdempotencyKey(caller(request).id, key, digest)
