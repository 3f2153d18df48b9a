"""Many containers at once, each with automation on: one run for each playbook and request.

`AUTOMATION_CONTAINERS` says how many; `make test` has fewer than a thousand.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from textwrap import dedent
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.system import PASSWORD, RUN_SECONDS, System

CONTAINERS = int(os.environ.get("AUTOMATION_CONTAINERS", "96"))
CONNECTIONS = 32
STOP_SECONDS = 900
"""How long it may take to cancel what has not run yet, one run after the other."""
pytestmark = pytest.mark.timeout(1800)
ARTIFACTS = 3
PLAYBOOKS = """
    from prefect_phantom import PlaybookRun, playbook

    @playbook(name="{label} one", labels=["{label}"])
    def one(run: PlaybookRun) -> None:
        print("artifacts", len(run.artifacts))

    @playbook(name="{label} two", labels=["*", "{label}"])
    def two(run: PlaybookRun) -> None:
        print("artifacts", len(run.artifacts))

    @playbook(name="{label} other", labels=["{label} too"])
    def other(run: PlaybookRun) -> None:
        print("artifacts", len(run.artifacts))
"""


@pytest.fixture
def matching(system: System) -> Iterator[tuple[str, list[int]]]:
    """A label of its own, and the two active playbooks of three that are meant for it."""
    label = f"automated-{uuid4().hex[:8]}"
    file = system.playbooks / f"{label}.py"
    file.write_text(dedent(PLAYBOOKS.format(label=label)))
    for name in ("one", "two", "other"):
        system.known(f"local/{label} {name}")
    ids = {
        row["name"].removeprefix(f"{label} "): row["id"]
        for row in system.get("/rest/playbook?page_size=0")["data"]
        if row["name"].startswith(label)
    }
    for id_ in ids.values():
        assert system.post(f"/rest/playbook/{id_}", {"active": True})["success"] is True
    yield label, [ids["one"], ids["two"]]
    # What has not run yet would hold up the tests that come after.
    with httpx.Client(base_url=system.url, auth=("admin", PASSWORD), verify=False) as client:
        for id_ in ids.values():
            stop = {"active": False, "cancel_runs": True}
            answer = client.post(f"/rest/playbook/{id_}", json=stop, timeout=STOP_SECONDS)
            assert answer.is_success, answer.text
    file.unlink()


def post_all(
    system: System, label: str, number: int, post: Callable[[httpx.Client, dict[str, Any]], int]
) -> list[int]:
    """Ids of so many new containers, posted over `CONNECTIONS` connections at once."""
    local, clients = threading.local(), []

    def one(place: int) -> int:
        if not hasattr(local, "client"):
            local.client = httpx.Client(
                base_url=system.url, auth=("admin", PASSWORD), verify=False, timeout=60
            )
            clients.append(local.client)
        body = {
            "name": f"container {place}", "label": label, "run_automation": True,
            "source_data_identifier": f"{label} {place}",
            "artifacts": [{"name": f"artifact {each}"} for each in range(ARTIFACTS)],
        }  # fmt: skip
        return post(local.client, body)

    try:
        with ThreadPoolExecutor(CONNECTIONS) as callers:
            return list(callers.map(one, range(number)))
    finally:
        for client in clients:
            client.close()


def runs_of(system: System, playbook_ids: list[int]) -> list[dict[str, Any]]:
    wanted = ",".join(map(str, playbook_ids))
    return system.get(f"/rest/playbook_run?page_size=0&_filter_playbook__in=[{wanted}]")["data"]


@pytest.mark.long
def test_a_thousand_containers_at_once_start_each_matching_playbook_once(
    system: System, matching: tuple[str, list[int]]
) -> None:
    label, playbook_ids = matching

    def post(client: httpx.Client, body: dict[str, Any]) -> int:
        answer = client.post("/rest/container", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    began = time.monotonic()
    containers = post_all(system, label, CONTAINERS, post)
    seconds = time.monotonic() - began
    runs = runs_of(system, playbook_ids)
    assert Counter((run["playbook"], run["container"]) for run in runs) == {
        (playbook, container): 1 for playbook in playbook_ids for container in containers
    }
    assert {(run["misc"]["scope"], run["owner"]) for run in runs} == {("new", runs[0]["owner"])}
    first = [system.ended(run_id) for run_id in sorted(run["id"] for run in runs)[:10]]
    assert {run["status"] for run in first} == {"success"}
    log = system.get(f"/rest/playbook_run/{first[0]['id']}/log")["data"]
    assert [line["message"] for line in log] == [f"artifacts {ARTIFACTS}"]
    print(f"{CONTAINERS} containers in {seconds:.1f} s, {len(runs)} runs")


@pytest.mark.long
def test_a_gateway_that_is_killed_meanwhile_leaves_each_container_with_its_runs(
    system: System, matching: tuple[str, list[int]]
) -> None:
    label, playbook_ids = matching
    acknowledged, killed = threading.Semaphore(0), threading.Event()

    def kill() -> None:
        for _ in range(CONTAINERS // 8):
            acknowledged.acquire()
        system.part("prefect_phantom.adapters.cli gateway").kill()
        killed.set()

    def post(client: httpx.Client, body: dict[str, Any]) -> int:
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = client.post("/rest/container", json=body)
                content = answer.json()
                if answer.status_code == 200:
                    acknowledged.release()
                    return int(content["id"])
                if answer.status_code == 400:  # an answer was lost
                    return int(content["existing_container_id"])
                assert answer.status_code == 503, answer.text
            time.sleep(0.05)  # a caller's pause before it tries again
        raise TimeoutError

    killer = threading.Thread(target=kill)
    killer.start()
    containers = post_all(system, label, CONTAINERS // 2, post)
    killer.join()
    assert killed.is_set()
    filters = f'_filter_label="{label}"&page_size=0'
    stored = [each["id"] for each in system.get(f"/rest/container?{filters}")["data"]]
    assert sorted(stored) == sorted(containers)
    assert Counter(
        (run["playbook"], run["container"]) for run in runs_of(system, playbook_ids)
    ) == {(playbook, container): 1 for playbook in playbook_ids for container in containers}
