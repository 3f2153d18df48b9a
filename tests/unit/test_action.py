"""Calling an action: what is checked before, what is recorded, what comes back."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx
import pytest
from prefect._internal.engine import resolve_custom_task_run_name
from prefect.utilities.callables import get_call_parameters
from pydantic import BaseModel, Field, SecretStr

from prefect_phantom import ActionFailure, ActionResult, Asset, PlaybookRun, action
from prefect_phantom.flows.asset import AssetName, AssetRecord
from prefect_phantom.flows.container import Container
from prefect_phantom.flows.failure import WrongParameter
from prefect_phantom.flows.inside.action_call import begin
from prefect_phantom.flows.inside.action_definition import ActionDefinition
from prefect_phantom.flows.inside.json_values import plain
from prefect_phantom.flows.inside.recorder import StartedAction, StartedAppRun
from prefect_phantom.flows.inside.task import cache_key, perform, task_run_name
from prefect_phantom.flows.run import Call, Outcome, in_hand


class Settings(BaseModel):
    server: str = "localhost"


FROM = Field(validation_alias="from", serialization_alias="from")
ASSETS = [
    AssetRecord(id=1, name="one", app="WHOIS"),
    AssetRecord(id=2, name="two", app="WHOIS", settings={"server": "second"}),
]


@action("whois ip", app="WHOIS", type="investigate")
def whois_ip(
    asset: Asset[Settings], ip: str, depth: Annotated[int, Field(ge=1)] = 1
) -> ActionResult:
    """Look up an address; one that begins with "no" is not found."""
    if ip.startswith("no"):
        raise ActionFailure(f"{ip} not found on {asset.name}")
    if ip.startswith("bug"):
        raise ZeroDivisionError("division by zero")
    summary = {"server": asset.settings.server}
    return ActionResult(message=f"{ip} on {asset.name}", data=[{"depth": depth}], summary=summary)


@action("greet", app="Examples")
def greet(name: str) -> ActionResult:
    return ActionResult(message=f"Hello, {name}")


@dataclass
class Recorder:
    """Notes what is recorded."""

    assets: list[AssetRecord | None]
    starts: list[dict[str, Any]] = field(default_factory=list)
    ends: list[dict[str, Any]] = field(default_factory=list)

    def start_action(self, **start: Any) -> StartedAction:
        self.starts.append(start)
        app_runs = [StartedAppRun(id=n, asset=asset) for n, asset in enumerate(self.assets, 11)]
        return StartedAction(action_run_id=5, app_runs=app_runs)

    def assets(self) -> list[AssetName]:
        return []

    def ask_leave(self) -> None: ...

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def hold_slots(self, leases: Any) -> None: ...

    def end_action(self, action_run_id: int, **end: Any) -> None:
        # As the client of the runtime API would send it.
        sent = httpx.Request("POST", "http://runtime", json=plain(end)).read()
        self.ends.append({"id": action_run_id, **json.loads(sent)})


def one_by_one(called: ActionDefinition, calls: Sequence[Call], _limit: int) -> list[Outcome]:
    """Carry out calls without Prefect."""
    return [_outcome(called, call) for call in calls]


def _outcome(called: ActionDefinition, call: Call) -> Outcome:
    try:
        return perform(called, call)
    except Exception as error:  # noqa: BLE001 - as Prefect does
        return error


@pytest.fixture
def recorder():
    """A playbook run in hand, whose actions are carried out without Prefect."""
    recorder = Recorder([*ASSETS])
    container = Container(
        id=1, name="c", label="events", status="new", severity="low", sensitivity="amber",
        source_data_identifier="s",
    )  # fmt: skip
    run = PlaybookRun(46, "local/hunt", container, [], {}, recorder, one_by_one, secrets={})
    with in_hand(run):
        yield recorder


def test_calls_are_begun_and_finished_apart(recorder):
    recorder.assets = [None]
    first, second = (begin(greet.definition, [{"name": name}]) for name in ("Ann", "Bob"))
    assert [start["parameters"] for start in recorder.starts] == [
        [{"name": "Ann"}],
        [{"name": "Bob"}],
    ]
    assert recorder.ends == []
    told = [call.finish().results[0].parameter for call in (second, first)]
    assert told == [{"name": "Bob"}, {"name": "Ann"}]
    assert len(recorder.ends) == 2


def test_what_does_not_fit_is_not_begun(recorder):
    with pytest.raises(WrongParameter):
        begin(greet.definition, [{"nothing": 1}])
    assert recorder.starts == []


@pytest.mark.parametrize("call", [lambda: greet("x"), lambda: greet.map([{"name": "x"}])])
def test_an_action_outside_a_playbook_is_refused(call):
    with pytest.raises(RuntimeError, match="only be called while a playbook runs"):
        call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (whois_ip, 'whois ip: parameter "ip" is missing'),
        (
            lambda: whois_ip("192.0.2.1", nothing=1),
            'whois ip has no parameter "nothing"; it takes ip, depth',
        ),
        (
            lambda: whois_ip(ip="192.0.2.1", asset=ASSETS[0]),
            'whois ip has no parameter "asset"; it takes ip, depth',
        ),
        (lambda: whois_ip("192.0.2.1", 1, 2), "whois ip: too many values; it takes ip, depth"),
        (lambda: whois_ip("a", ip="b"), 'whois ip: parameter "ip" is given twice'),
        (
            lambda: whois_ip(ip=7),
            'whois ip: parameter "ip" is 7: Input should be a valid string',
        ),
        (
            lambda: whois_ip("a", depth=0),
            'whois ip: parameter "depth" is 0: Input should be greater than or equal to 1',
        ),
        (
            lambda: whois_ip.map([{"ip": "192.0.2.1"}, {}]),
            'whois ip: parameter "ip" is missing',
        ),
        (
            lambda: whois_ip.map([{"ip": "192.0.2.1"}, {"domain": "x", "ip": "y"}]),
            'whois ip has no parameter "domain"; it takes ip, depth',
        ),
    ],
)
def test_a_parameter_that_does_not_fit_is_named_before_anything_is_recorded(
    recorder, call, sentence
):
    with pytest.raises(WrongParameter) as raised:
        call()
    assert str(raised.value) == sentence
    assert recorder.starts == []


@pytest.mark.usefixtures("recorder")
def test_a_wrong_value_is_shown_only_as_far_as_it_can_be_read():
    with pytest.raises(WrongParameter) as raised:
        whois_ip(ip=["x" * 10_000])
    assert len(str(raised.value)) < 200


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
    look = whois_ip.with_options(name="look", assets=["one", "two"])
    done = look.map([{"ip": "a"}, {"ip": "no"}])
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


@pytest.mark.usefixtures("recorder")
def test_an_asset_comes_with_its_checked_settings():
    done = whois_ip("a")
    assert [result.summary["server"] for result in done.results] == ["localhost", "second"]


def test_an_asset_that_is_set_up_wrong_fails_alone(recorder):
    recorder.assets = [AssetRecord(id=3, name="bad", app="WHOIS", settings={"server": 7}), *ASSETS]
    done = whois_ip("a")
    assert [result.status for result in done.results] == ["failed", "success", "success"]
    assert done.failures[0].message.startswith('Asset "bad": the setting server cannot be 7: ')
    assert not recorder.ends[0]["app_runs"][0]["exception_occured"]


def test_a_failure_may_be_a_value_to_look_at(recorder):
    done = whois_ip.with_options(raise_on_failure=False)("no")
    assert (done.status, done.succeeded) == ("failed", False)
    assert [each.message for each in done.failures] == [
        "no not found on one",
        "no not found on two",
    ]
    assert len(recorder.ends) == 1


def test_an_async_action_is_awaited(recorder):
    @action("later", app="Examples")
    async def later(name: str) -> ActionResult:
        await asyncio.sleep(0)
        return ActionResult(message=f"Later, {name}")

    async def playbook() -> list[str]:
        both = await asyncio.gather(later("a"), later.map([{"name": "b"}, {"name": "c"}]))
        return [result.message for run in both for result in run.results]

    recorder.assets = [None]
    assert asyncio.run(playbook()) == ["Later, a", "Later, b", "Later, c"]


class Found(BaseModel):
    country: str


@pytest.mark.parametrize(
    ("returned", "data", "message"),
    [
        (Found(country="NL"), [{"country": "NL"}], "find: 1 result"),
        ([Found(country="NL"), Found(country="DE")], [{"country": "NL"}, {"country": "DE"}],
         "find: 2 results"),
        ([], [], "find: 0 results"),
        (None, [], "find has been done"),
    ],
)  # fmt: skip
def test_models_that_an_action_returns_are_its_data(recorder, returned, data, message):
    @action("find", app="Examples")
    def find():
        return returned

    recorder.assets = [None]
    done = find()
    assert (done.data, done.results[0].message) == (data, message)


def test_an_action_that_returns_something_else_fails_with_a_sentence(recorder):
    @action("find", app="Examples")
    def find():
        return "NL"

    recorder.assets = [None]
    with pytest.raises(ActionFailure, match="Action 'find' returned str; it must return an Action"):
        find()


def test_what_is_said_beside_the_parameters_stays_with_the_result(recorder):
    done = whois_ip.map([{"ip": "a", "context": {"artifact_id": 7}}])
    assert done.results[0].context == {"artifact_id": 7}
    assert recorder.starts[0]["parameters"] == [{"ip": "a", "context": {"artifact_id": 7}}]


@pytest.mark.parametrize("name", ["limit", "timeout", "cache_seconds", "retries"])
def test_options_that_make_no_sense_are_refused(name):
    with pytest.raises(ValueError, match=name):
        greet.with_options(**{name: -1})


def test_a_result_is_used_again_for_the_same_parameters_on_the_same_asset_only():
    one, two = ASSETS
    keys = [
        cache_key(whois_ip, Call(None, record, {"ip": ip}))
        for record in (one, two, one.model_copy(update={"settings": {"server": "x"}}))
        for ip in ("a", "b")
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == cache_key(whois_ip, Call(None, one.model_copy(), {"ip": "a"}))


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
    call = Call(None, None, {"name": value})
    parameters = get_call_parameters(greet.task.fn, (call,), {})
    assert resolve_custom_task_run_name(greet.task, parameters) == f"greet {value}"


def test_a_parameter_that_python_cannot_name_is_told_and_recorded_by_its_own_name():
    @action("send", app="Examples")
    def send(from_: Annotated[str, FROM]) -> ActionResult:
        return ActionResult(message=from_)

    assert send.parameters.check({"from": "a"}) == ({"from_": "a"}, {"from": "a"})
    with pytest.raises(WrongParameter, match='send has no parameter "to"; it takes from'):
        send.parameters.check({"from": "a", "to": "b"})


def test_the_name_of_a_task_run_is_one_line():
    call = Call(None, None, {"name": "a\nb\r\u202ec" + "x" * 1000})
    name = task_run_name("greet", call)
    assert name.startswith("greet a b \\u202ecxxx")
    assert len(name) < 300


class Keyed(BaseModel):
    key: SecretStr


@pytest.mark.attack(
    "an app's library says the asset's secret in an exception, or an action in its result",
    "stars in its place in the record, in Prefect and in the log",
)
@pytest.mark.parametrize("error", [ActionFailure, KeyError])
def test_what_an_action_raises_tells_no_secret(recorder, error):
    @action("leak", app="Leaky")
    def leak(asset: Asset[Keyed]) -> ActionResult:
        try:
            int(asset.settings.key.get_secret_value())
        except ValueError as inner:
            raise error(f"no {asset.settings.key.get_secret_value()}") from inner

    recorder.assets = [AssetRecord(id=1, name="a", app="Leaky", settings={"key": "kept-secret"})]
    with pytest.raises(ActionFailure) as failure:
        leak()
    told = "".join(traceback.format_exception(failure.value)) + repr(recorder.ends)
    assert "kept-secret" not in told
    assert "no ********" in str(failure.value)


def test_what_an_action_returns_is_recorded_without_secrets(recorder):
    @action("leak", app="Leaky")
    def leak(asset: Asset[Keyed]) -> ActionResult:
        key = asset.settings.key.get_secret_value()
        return ActionResult(message=key, data=[{key: [key]}], summary={"n": 1})

    recorder.assets = [AssetRecord(id=1, name="a", app="Leaky", settings={"key": "kept-secret"})]
    assert leak().data == [{"kept-secret": ["kept-secret"]}]
    (ended,) = recorder.ends
    (result,) = ended["app_runs"][0]["results"]
    assert (result["message"], result["summary"]) == ("********", {"n": 1})
    assert result["data"] == [{"********": ["********"]}]
