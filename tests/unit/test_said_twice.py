"""What two rooms say that may not import each other is the same."""

from __future__ import annotations

from prefect_phantom.adapters.rest.runtime.messages import ends
from prefect_phantom.adapters.store.playbooks import playbooks
from prefect_phantom.adapters.store.runs import leases
from prefect_phantom.adapters.store.runs import run_log as stored_log
from prefect_phantom.adapters.worker import failed_tries
from prefect_phantom.flows.inside.log import run_log
from prefect_phantom.flows.process.guardian import lease


def test_a_worker_and_the_gateway_wait_equally_long_for_a_playbook_to_import() -> None:
    assert failed_tries.BROKEN_SECONDS == playbooks.BROKEN_SECONDS


def test_a_guardian_and_the_gateway_know_one_lease() -> None:
    assert lease.LEASE_SECONDS == leases.LEASE_SECONDS


def test_a_run_keeps_as_many_lines_as_the_gateway_takes() -> None:
    assert run_log.MOST_LINES == stored_log.MOST_LINES
    assert ends.MOST_LINES == run_log.MOST_LINES + 1  # and the sentence that there were more
    assert run_log.LONGEST_LINE == ends.LONGEST_LINE
