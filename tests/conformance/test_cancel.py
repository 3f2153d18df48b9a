"""Contract 1.5: a cancel."""

from __future__ import annotations

import pytest

from tests.conformance.test_status import ended

NOT_ASKED = (
    'The request does not ask for a cancel: "cancel": true is missing, and no other field can be '
    "updated"
)


@pytest.fixture
def waiting(target, container) -> int:
    """A run that takes longer than the test."""
    if target.long_playbook is None:
        pytest.skip("--long-playbook names none")
    return target.start(container, playbook_id=target.long_playbook, inputs={"seconds": 300})


@pytest.fixture(scope="module")
def finished(target, container) -> int:
    run_id = target.start(container)
    ended(target, run_id)
    return run_id


def test_a_cancelled_run_ends_failed_and_says_that_it_was_cancelled(target, waiting):
    answer = target.curl(f"/rest/playbook_run/{waiting}", body='{\n    "cancel": true\n}')
    assert answer.status == 200
    assert answer.content["cancelled"] is True
    assert isinstance(answer.content["message"], str)
    run = ended(target, waiting)
    assert run["status"] == "failed"
    assert run["cancelled"] != ""


def test_a_run_that_has_ended_cannot_be_cancelled(target, finished):
    before = target.curl(f"/rest/playbook_run/{finished}").content
    assert target.curl(f"/rest/playbook_run/{finished}", body={"cancel": True}).message
    assert target.curl(f"/rest/playbook_run/{finished}").content == before


@pytest.mark.ours
@pytest.mark.parametrize("cancel", [1, "1", "True"], ids=repr)
def test_a_cancel_is_told_in_our_words(target, waiting, cancel):
    body = {"cancel": cancel, "reason": "not needed"}
    said = {"cancelled": True, "message": f"Playbook run {waiting} is being cancelled"}
    assert target.curl(f"/rest/playbook_run/{waiting}/", body=body) == (200, said)
    run = ended(target, waiting)
    assert run["cancelled"].endswith(": not needed")
    again = target.curl(f"/rest/playbook_run/{waiting}", body=body)
    assert (again.status, again.message) == (400, f"Playbook run {waiting} was already cancelled")


@pytest.mark.ours
@pytest.mark.parametrize(
    ("body", "message"),
    [
        *((body, NOT_ASKED) for body in ({}, {"cancel": False}, {"cancel": None}, {"cancel": "x"})),
        (
            {"status": "success"},
            'No other field can be updated: ["status"]; a playbook run takes cancel, reason',
        ),
        ({"cancel": True, "reason": 3}, "reason must be a string, not 3"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_cancel_is_said_in_our_words(target, finished, body, message):
    answer = target.curl(f"/rest/playbook_run/{finished}", body=body)
    assert (answer.status, answer.message) == (400, message)


@pytest.mark.ours
def test_a_late_cancel_is_refused_in_our_words(target, finished):
    status = target.curl(f"/rest/playbook_run/{finished}").content["status"]
    answer = target.curl(f"/rest/playbook_run/{finished}", body={"cancel": True})
    message = f'Playbook run {finished} already finished with status "{status}"'
    assert (answer.status, answer.message) == (400, message)
