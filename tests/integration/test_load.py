"""Many callers at once: each acknowledgement is one run, and each run is one flow run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.client.orchestration import PrefectClient

from tests.system import System, flow_run_of

POSTS = 40
CALLERS = 16


@pytest.mark.long
async def test_forty_posts_by_sixteen_callers_are_forty_runs_and_forty_flow_runs(
    system: System, prefect: PrefectClient
) -> None:
    with ThreadPoolExecutor(CALLERS) as callers:
        ids = list(callers.map(lambda _: system.start("quick"), range(POSTS)))
    assert len(set(ids)) == POSTS
    runs = [system.ended(run_id) for run_id in ids]
    assert {run["status"] for run in runs} == {"success"}
    flow_runs = [await flow_run_of(prefect, run) for run in runs]
    assert len({flow_run.id for flow_run in flow_runs}) == POSTS
    assert {flow_run.run_count for flow_run in flow_runs} == {1}
