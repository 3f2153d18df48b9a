"""What ``doctor`` makes of what the gateway says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from prefect_phantom.adapters.cli.parts import doctor
from prefect_phantom.adapters.worker.gateway.playbook_reports import FOLDERS
from prefect_phantom.client.health import Health, HeldWorkQueue, PlaybookReport, PrefectHealth


def health(*reports: PlaybookReport) -> Health:
    return Health.model_construct(playbook_reports=list(reports))


def report(worker: str, digest: str, *folders: str, holds: bool = False) -> PlaybookReport:
    return PlaybookReport(
        worker=worker,
        digest=digest * 64,
        empty_folders=list(folders),
        holds=holds,
        report_time=datetime.now(UTC),
    )


def told(*reports: PlaybookReport) -> list[tuple[bool, str]]:
    return [(each.ok, each.sentence) for each in doctor.look_at_reports(health(*reports))]


def test_workers_with_the_same_playbooks_are_nothing_to_tell() -> None:
    assert told(report("one", "a", holds=True), report("two", "a")) == []


def test_two_workers_with_different_playbooks_are_both_named() -> None:
    ((ok, sentence),) = told(report("one", "a"), report("two", "b", holds=True))
    assert not ok
    assert sentence.startswith(
        "Worker one has other playbooks (aaaaaaaa) than worker two (bbbbbbbb), whose report holds"
    )


def test_a_folder_that_is_named_and_has_no_playbooks_is_a_fault() -> None:
    ((ok, sentence),) = told(report("one", "a", "/srv/playbooks", holds=True))
    assert not ok
    assert sentence == "Worker one finds no playbooks in /srv/playbooks: put some there."


def test_a_worker_that_names_no_folder_is_told() -> None:
    ((ok, sentence),) = told(report("one", "a", FOLDERS, holds=True))
    assert ok
    assert sentence == f"Worker one has no playbooks but ours: {FOLDERS} names none."


@pytest.mark.parametrize("reports", [(), (report("one", "a"),)])
def test_without_a_report_that_holds_it_says_so(reports: tuple[PlaybookReport, ...]) -> None:
    ((ok, sentence),) = told(*reports)
    assert (ok, sentence) == (False, "No worker has reported playbooks yet: see its log.")


def test_what_prefect_is_told_to_hold_is_named_once() -> None:
    rule = 'Work pool "phantom" is paused'
    queues = [HeldWorkQueue(work_pool="phantom", name=name, rule=rule) for name in ("a", "b")]
    held = Health.model_construct(work_queues=queues)
    (finding,) = doctor.look_at_work_queues(held)
    assert (finding.ok, finding.sentence) == (True, f"{rule}: its runs wait.")


def test_a_login_of_prefect_that_anybody_would_try_is_a_fault() -> None:
    prefect = PrefectHealth(version="3", workers=[], error="", login="is a placeholder")
    (_, finding) = doctor.look_at_prefect(Health.model_construct(prefect=prefect))
    assert not finding.ok
    assert finding.sentence.startswith("The password of Prefect's login is a placeholder")
