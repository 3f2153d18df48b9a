"""A real run moves the figures that a Prometheus reads, and the worker's slots are among them."""

from __future__ import annotations

import time

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.system import RUN_SECONDS, System


def figures(system: System) -> dict[str, float]:
    """Every sample by its name and labels."""
    page = httpx.get(f"{system.url}/metrics", verify=False).raise_for_status().text
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def when(system: System, condition) -> dict[str, float]:
    """The figures as soon as `condition` holds for them."""
    deadline = time.monotonic() + RUN_SECONDS
    while not condition(read := figures(system)):
        assert time.monotonic() < deadline, read
        time.sleep(0.2)
    return read


def test_a_run_is_seen_from_its_acceptance_to_its_end(system: System) -> None:
    before = figures(system)
    name = system.worker_environment()["PREFECT_PHANTOM_WORKER_NAME"]
    labels = sorted([name, "phantom"])
    online, slots, in_use = (
        f"prefect_phantom_worker_{what}{labels}" for what in ("online", "slots", "slots_in_use")
    )

    run_id = system.start("examples/wait", inputs={"seconds": 300})
    during = when(
        system,
        lambda now: now["prefect_phantom_runs['running']"] >= 1 and now.get(in_use, 0) >= 1,
    )
    assert during[online] == 1
    assert during[slots] >= during[in_use]

    system.post(f"/rest/playbook_run/{run_id}", {"cancel": True})
    system.ended(run_id)
    system.ended(system.start("quick"))
    after = when(system, lambda now: now[in_use] < during[in_use])
    accepted, cancelled, success = (
        after[counter] - before[counter]
        for counter in (
            "prefect_phantom_runs_accepted_total['rest']",
            "prefect_phantom_runs_ended_total['cancelled']",
            "prefect_phantom_runs_ended_total['success']",
        )
    )
    assert accepted == 2
    assert cancelled >= 1
    assert success >= 1
