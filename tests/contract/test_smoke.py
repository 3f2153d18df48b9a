
from __future__ import annotations
import pytest
pytestmark = pytest.mark.anyio
async def test_it(client, start, read, shelf, add_artifact, container):
    print(await add_artifact(container))
    r = await start(scope="new"); print(r.status_code, r.text)
    i = r.json()["playbook_run_id"]
    print(await read(i))
    r = await client.post(f"/rest/playbook_run/{i}/", json={"cancel": True, "reason": "x"}); print(r.status_code, r.text)
    print(await read(i))
    r = await client.post(f"/rest/playbook_run/{i}/", json={"cancel": True}); print(r.status_code, r.text)
    for p in ("/", "/readyz", "/rest/", "/rest/nope", f"/rest/container/{container}", "/rest/artifact/1", "/rest/playbook?page_size=2", "/rest/playbook_run"):
        r = await client.get(p); print(p, r.status_code, r.text, r.headers)
