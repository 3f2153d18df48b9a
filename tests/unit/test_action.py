"""Calling an action: what is checked before, what is recorded, what comes back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from prefect._internal.engine import resolve_custom_task_run_name
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.utilities.callables import get_call_parameters

import flows.run
from flows import ActionFailure, ActionResult, Asset, PlaybookRun, action
from flows.action import Action
from flows.container import Container
from flows.plain import plain
from flows.runtime import StartedAction, StartedAppRun

ASSETS = [Asset(id=1, name="one", app="WHOIS"), Asset(id=2, name="two", app="WHOIS")]


@action("whois ip", app="WHOIS", type="investigate")
def whois_ip(ip: str, depth: int = 1, *, asset: Asset) -> ActionResult:
    """Look up an address; one that begins with "no" is not found."""
    if ip.startswith("no"):
        raise ActionFailure(f"{ip} not found on {asset.name}")
    if ip.startswith("bug"):
        raise ZeroDivisionError("division by zero")
    return ActionResult(message=f"{ip} on {asset.name}", data=[{"depth": depth}])


@action("greet", app="Examples")
def greet(name: str) -> ActionResult:
    return ActionResult(message=f"Hello, {name}")


@dataclass
class Recorder:
    """Stands for the attempt: notes what is recorded."""

    assets: list[Asset | None]
    starts: list[dict[str, Any]] = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)

    def start_action(self, **start: Any) -> StartedAction:
        self.starts.append(start)
        app_runs = [StartedAppRun(id=n, asset=asset) for n, asset in enumerate(self.assets, 11)]
        return StartedAction(action_run_id=5, app_runs=app_runs)

    def end_action(self, action_run_id: int, **end: Any) -> None:
        # As the client of the runtime API would send it.
        sent = httpx.Request("POST", "http://runtime", json=plain(end)).read()
        self.ends.append({"id": action_run_id, **json.loads(sent)})


@pytest.fixture
def recorder(monkeypatch):
    """A playbook run in hand, whose tasks run without Prefect."""

    def perform(
        self: Action, app_runs: list[StartedAppRun], sets: list[dict[str, Any]]
    ) -> list[State]:
        return [_state_of(self, values, app_run.asset) for app_run in app_runs for values in sets]

    monkeypatch.setattr(Action, "_perform", perform)
    recorder = Recorder([*ASSETS])
    container = Container(
        id=1, name="c", label="events", status="new", severity="low", sensitivity="amber",
        source_data_identifier="s",
    )  # fmt: skip
    run = PlaybookRun(46, "local/hunt", container, [], {}, attempt=recorder)
    token = flows.run._current.set(run)
    yield recorder
    flows.run._current.reset(token)


def _state_of(called: Action, values: dict[str, Any], asset: Asset | None) -> State:
    more = {"asset": asset} if called.needs_asset else {}
    try:
        return Completed(data=called.function(**values, **more))
    except Exception as error:  # noqa: BLE001 - as Prefect does
        return Failed(data=error)


@pytest.mark.parametrize("call", [lambda: greet("x"), lambda: greet.map([{"name": "x"}])])
def test_an_action_outside_a_playbook_is_refused(call):
    with pytest.raises(RuntimeError, match="only be called while a playbook runs"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        whois_ip,
        lambda: whois_ip("192.0.2.1", nothing=1),
        lambda: whois_ip(ip="192.0.2.1", asset=ASSETS[0]),
        lambda: whois_ip("192.0.2.1", 1, ASSETS[0]),
        lambda: whois_ip.map([{"ip": "192.0.2.1"}, {}]),
        lambda: whois_ip.map([{"ip": "192.0.2.1"}, {"domain": "x"}]),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_is_recorded(recorder, call):
    with pytest.raises(TypeError):
        call()
    assert recorder.starts == []


def test_a_map_of_nothing_does_nothing(recorder):
    nothing = whois_ip.map([])
    assert (nothing.id, nothing.status, nothing.results) == (None, "success", [])
    assert recorder.starts == []


def test_a_map_of_nothing_needs_no_playbook():
    assert whois_ip.map([]).status == "success"


def test_a_call_is_recorded_before_it_acts(recorder):
    whois_ip("192.0.2.1")
    (start,) = recorder.starts
    assert start == {
        "action": "whois ip", "app": "WHOIS", "type": "investigate", "name": "whois ip",
        "parameters": [{"ip": "192.0.2.1"}], "assets": None, "needs_asset": True,
    }  # fmt: skip


def test_an_action_runs_on_every_asset_with_every_set_of_parameters(recorder):
    done = whois_ip.map([{"ip": "a"}, {"ip": "no"}], name="look", assets=["one", "two"])
    assert (recorder.starts[0]["name"], recorder.starts[0]["assets"]) == ("look", ["one", "two"])
    assert [(r.asset, r.parameter["ip"], r.status, r.message) for r in done.results] == [
        ("one", "a", "success", "a on one"),
        ("one", "no", "failed", "no not found on one"),
        ("two", "a", "success", "a on two"),
        ("two", "no", "failed", "no not found on two"),
    ]
    (end,) = recorder.ends
    assert (end["id"], end["status"]) == (5, "success")
    assert end["message"] == "2 actions succeeded, 2 actions failed"
    assert [part["id"] for part in end["app_runs"]] == [11, 12]
    assert [result["parameter"] for result in end["app_runs"][0]["results"]] == [
        {"ip": "a"},
        {"ip": "no"},
    ]


def test_an_action_that_fails_everywhere_raises_after_it_is_recorded(recorder):
    with pytest.raises(ActionFailure, match="whois ip: no not found on one") as raised:
        whois_ip("no")
    assert raised.value.action_run.status == "failed"
    (end,) = recorder.ends
    assert (end["status"], end["message"]) == ("failed", "2 actions failed")
    assert not end["app_runs"][0]["exception_occured"]


def test_an_unforeseen_exception_of_an_action_is_told_as_such(recorder):
    done = whois_ip.map([{"ip": "a"}, {"ip": "bug"}])
    assert done.results[1].message == "ZeroDivisionError: division by zero"
    assert recorder.ends[0]["app_runs"][0]["exception_occured"]


def test_an_action_without_an_asset_is_recorded_under_its_app(recorder):
    recorder.assets = [None]
    (result,) = greet("you").results
    assert (result.asset, result.message) == ("Examples", "Hello, you")
    assert recorder.starts[0]["needs_asset"] is False


def test_an_async_function_is_no_action():
    async def later(name: str) -> ActionResult: ...

    with pytest.raises(TypeError, match="async actions are not supported"):
        action("later", app="Examples")(later)


@pytest.mark.parametrize(
    "found",
    [
        "\0",
        float("nan"),
        b"\xff",
        "\ud800",
    ],
    ids=repr,
)
def test_data_that_json_cannot_hold_does_not_lose_the_result(recorder, found):
    @action("dump", app="Examples")
    def dump(name: str) -> ActionResult:
        return ActionResult(message=name, data=[{"raw": found}])

    recorder.assets = [None]
    assert dump("x").status == "success"
    assert len(recorder.ends) == 1


def test_an_action_may_take_any_parameters(recorder):
    @action("any", app="Examples")
    def anything(**parameters: str) -> ActionResult:
        return ActionResult(message=parameters["name"])

    recorder.assets = [None]
    assert anything(name="x").results[0].message == "x"


@pytest.mark.parametrize("value", ["{evil}", "{"])
def test_a_parameter_with_braces_is_no_template(value):
    """What a caller put into an artifact ends up here; Prefect calls `format` on a name."""
    parameters = get_call_parameters(greet._task.fn, (), {"name": value})
    assert resolve_custom_task_run_name(greet._task, parameters) == f"greet {value}"
