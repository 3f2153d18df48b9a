"""What is told of a playbook's end, to the gateway and to Prefect."""

from __future__ import annotations

import sys
import traceback
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from prefect_phantom import playbook
from prefect_phantom.flows.container import Container
from prefect_phantom.flows.failure import ActionFailure, WrongOutputs
from prefect_phantom.flows.inside import execution
from prefect_phantom.flows.inside.body import LARGEST_OUTPUTS_BYTES
from prefect_phantom.flows.inside.definition import Definition
from prefect_phantom.flows.inside.record import LONGEST_MESSAGE
from prefect_phantom.flows.inside.runtime.client import Attempt, Claim
from prefect_phantom.flows.playbook import definition_of

SECRET = "correct horse battery staple"


class Recorder:
    """Takes the end of a run, and reads a secret for it before."""

    def __init__(self) -> None:
        container = {"id": 1, "name": "c", "label": "events"}
        self.claim = Claim.model_construct(
            playbook_run_id=1, playbook="local/p", attempt=1, token="t",
            container=Container.model_construct(**container), artifacts=[], inputs={},
        )  # fmt: skip
        self.ended: list[Any] = []

    def log(self, lines: list[Any]) -> bool:
        return bool(lines)

    def end(self, status: str, message: str, log: list[Any], *, outputs: Any) -> None:
        self.ended += [status, message, str(log), outputs]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A run that is claimed at once, of whose assets one secret was read."""
    recorder = Recorder()
    monkeypatch.setattr(Attempt, "begin", lambda **_: recorder)
    monkeypatch.setattr(execution, "show_summary", lambda *said: recorder.ended.extend(said[1:]))
    monkeypatch.setattr(execution, "_announce", lambda *_, **__: None)

    named = SimpleNamespace(id="0b9cf3a1-1b1c-4b53-8a45-2f9b6b0a6f11", tags=[])
    monkeypatch.setattr(execution, "flow_run", named)
    monkeypatch.setattr(execution, "deployment", named)
    read = execution.BlockSecrets.__init__

    def with_secret(secrets: execution.BlockSecrets) -> None:
        read(secrets)
        secrets._values["block"] = SecretStr(SECRET)

    monkeypatch.setattr(execution.BlockSecrets, "__init__", with_secret)
    return recorder


def carried_out(function: Any) -> Any:
    definition = cast("Definition", definition_of(playbook(function)))
    return execution.execute(definition, 1, "all", {}, 1)


def key_error(_: Any) -> None:
    try:
        {}[SECRET]
    except KeyError as error:
        raise ValueError("it did not work") from error


def failure(_: Any) -> None:
    error = ActionFailure(f"refused {SECRET}")
    error.add_note(SECRET)
    raise error


def leaves(_: Any) -> None:
    raise SystemExit(SECRET)


@pytest.mark.attack(
    "an exception that leaves a playbook says a secret of an asset",
    "neither the run, nor its log, nor Prefect's state and log show it",
)
@pytest.mark.parametrize("ends", [key_error, failure, leaves], ids=lambda each: each.__name__)
def test_no_secret_stands_in_what_ends_a_run(recorder: Recorder, ends: Any) -> None:
    with pytest.raises(Exception, match=r".") as raised:
        carried_out(ends)
    assert recorder.ended[0] == "failed"
    told = "".join(traceback.format_exception(raised.value))
    assert SECRET not in told + str(recorder.ended)
    if ends is failure:
        assert isinstance(raised.value, ActionFailure)


def test_an_exception_without_a_secret_is_told_as_it_is(recorder: Recorder) -> None:
    error = LookupError("nothing there")

    def looks(_: Any) -> None:
        raise error

    with pytest.raises(LookupError) as raised:
        carried_out(looks)
    assert raised.value is error
    assert recorder.ended[:2] == ["failed", "LookupError: nothing there"]


def test_no_secret_stands_in_what_a_playbook_gives_back(recorder: Recorder) -> None:
    carried_out(lambda _: {"said": f"by {SECRET}"})
    assert (recorder.ended[0], recorder.ended[3]) == ("success", {"said": "by ********"})


def test_of_a_long_reason_the_beginning_is_told(recorder: Recorder) -> None:
    def fails(_: Any) -> None:
        raise LookupError("m" * 1_000_000)

    with pytest.raises(LookupError):
        carried_out(fails)
    assert recorder.ended[1] == f"LookupError: {'m' * 1_000_000}"[:LONGEST_MESSAGE]


def test_what_a_playbook_gives_back_is_measured_without_secrets(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "SECRET", "1234")  # shorter than what stands for it
    outputs = {"said": "1234 " * (LARGEST_OUTPUTS_BYTES // 6)}
    with pytest.raises(WrongOutputs, match=r"are 6\.0 MB as JSON; a run keeps at most 4 MB"):
        carried_out(lambda _: outputs)
    assert (recorder.ended[0], recorder.ended[3]) == ("failed", None)
