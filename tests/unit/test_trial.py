"""Trying a playbook without a server: what authors and their tests see."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from prefect import flow, get_run_logger
from pydantic import BaseModel, Field

from prefect_phantom import ActionFailure, ActionResult, Asset, PlaybookRun, action, apps, playbook
from prefect_phantom.flows.inside.body import LARGEST_OUTPUTS_BYTES
from prefect_phantom.flows.trial import Progress, Sample, Trial, TrialAsset, start
from prefect_phantom.flows.trial.loading import load
from prefect_phantom.flows.trial.recording import Recording


class Settings(BaseModel):
    server: str
    timeout_seconds: float = Field(default=1, gt=0)


class Inputs(BaseModel):
    limit: int = Field(ge=1)


class Outputs(BaseModel):
    found: list[str]


@action("look up", app="Directory", type="investigate")
def look_up(asset: Asset[Settings], name: str) -> ActionResult:
    """Look a name up; those that begin with "no" are not there."""
    if name.startswith("no"):
        raise ActionFailure(f"{name} is not on {asset.settings.server}")
    return ActionResult(message=f"{name} is there", data=[{"name": name}])


@playbook(inputs=Inputs, outputs=Outputs)
def hunt(run: PlaybookRun[Inputs]) -> Outputs:
    get_run_logger().info("hunting in %s", run.container.name)
    names = [{"name": artifact.cef["name"]} for artifact in run.artifacts]
    return Outputs(found=[row["name"] for row in look_up.map(names[: run.inputs.limit]).data])


@playbook
async def calls(run: PlaybookRun) -> list[str]:
    first = await asyncio.to_thread(hunt, container_id=run.container.id, inputs={"limit": 1})
    second = hunt(container_id=run.container.id, inputs=Inputs(limit=2))
    return [*first.found, *second.found]


SAMPLE = Sample.model_validate({"name": "s", "artifacts": [{"cef": {"name": n}} for n in "abc"]})
DIRECTORY = TrialAsset(name="dir", app="Directory", settings={"server": "one"})


def test_a_playbook_runs_without_a_server_and_gives_all_that_it_did():
    run = Trial(assets=[DIRECTORY]).run(hunt, SAMPLE, {"limit": 2})
    assert (run.status, run.message, run.outputs) == ("success", "", Outputs(found=["a", "b"]))
    results = run.action_run("look up").results
    assert [(each.asset, each.message) for each in results] == [
        ("dir", "a is there"),
        ("dir", "b is there"),
    ]
    assert run.log == ["hunting in s"]


def test_a_playbook_that_calls_another_one_needs_no_server_either():
    run = Trial(assets=[DIRECTORY]).run(calls, SAMPLE)
    assert (run.status, run.outputs) == ("success", ["a", "a", "b"])


def test_whoever_watches_sees_each_parameter_set_from_waiting_to_its_end():
    seen: list[tuple[str, str]] = []

    def watch(step: Progress) -> None:
        seen.append((step.parameter["name"], step.status))

    Trial(assets=[DIRECTORY], watch=watch).run(hunt, SAMPLE, {"limit": 1})
    assert seen == [("a", "waiting"), ("a", "running"), ("a", "success")]


def test_inputs_that_do_not_fit_are_named():
    run = Trial(assets=[DIRECTORY]).run(hunt, SAMPLE, {"limit": 0})
    assert run.message == (
        "inputs.limit of playbook hunt: Input should be greater than or equal to 1 (0)"
    )
    assert Trial().run(hunt, SAMPLE).message == "inputs.limit of playbook hunt: Field required"


@pytest.mark.parametrize(
    ("assets", "sentence"),
    [
        ([], 'look up: Asset "directory": the setting server is not set'),
        (
            [DIRECTORY.model_copy(update={"settings": {"server": "x", "timeout_seconds": 0}})],
            (
                'look up: Asset "dir": the setting timeout_seconds cannot be 0: '
                "input should be greater than 0"
            ),
        ),
    ],
)
def test_an_asset_that_is_missing_or_wrong_is_named(assets, sentence):
    run = Trial(assets=assets).run(hunt, SAMPLE, {"limit": 1})
    assert (run.status, run.message) == ("failed", sentence)


def test_an_action_is_found_by_its_name_and_an_asset():
    @playbook
    def finds(_run: PlaybookRun) -> list[tuple[str, Sequence[str] | None]]:
        found = [*apps.find("whois ip", asset="one"), *apps.find("whois ip", asset="dir")]
        return [(action.app, action.options.assets) for action in found]

    one = TrialAsset(name="one", app="RDAP")
    run = Trial(assets=[one, DIRECTORY]).run(finds, SAMPLE)
    assert (run.message, run.outputs) == ("", [("RDAP", ("one",))])


def test_secrets_come_from_the_environment_by_name(monkeypatch):
    @action("greet", app="Directory")
    def greet(asset: Asset) -> ActionResult:
        return ActionResult(message=asset.settings["key"].get_secret_value())

    @playbook
    def greets(_run: PlaybookRun) -> str:
        return greet().results[0].message

    keyed = DIRECTORY.model_copy(update={"secrets": {"key": "DIRECTORY_KEY"}})
    assert "the secret key is gone" in Trial(assets=[keyed]).run(greets, SAMPLE).message
    monkeypatch.setenv("DIRECTORY_KEY", "s3cret")
    run = Trial(assets=[keyed]).run(greets, SAMPLE)
    assert run.outputs == "s3cret"


def test_a_faked_action_needs_no_asset_and_is_not_carried_out():
    trial = Trial()
    trial.fake(look_up, lambda name: ActionResult(message="faked", data=[{"name": f"{name}!"}]))
    assert trial.run(hunt, SAMPLE, {"limit": 2}).outputs == Outputs(found=["a!", "b!"])


def test_a_fake_may_fail():
    def fails(name: str) -> ActionResult:
        raise ActionFailure(f"{name} is faked away")

    trial = Trial()
    trial.fake(look_up, fails)
    run = trial.run(hunt, SAMPLE, {"limit": 1})
    assert (run.status, run.message) == ("failed", "look up: a is faked away")


def test_a_map_works_on_no_more_at_once_than_its_limit():
    meeting = threading.Barrier(2)  # fewer than two at once would never meet
    present: set[int] = set()
    at_once: list[int] = []

    @action("meet", app="Directory")
    def meet(number: int) -> None:
        present.add(number)
        at_once.append(len(present))
        meeting.wait(10)
        present.remove(number)

    @playbook
    def meets(_run: PlaybookRun) -> None:
        meet.with_options(limit=2).map([{"number": number} for number in range(6)])

    run = Trial().run(meets, SAMPLE)
    assert (run.status, max(at_once)) == ("success", 2)


def test_an_action_is_tried_again_as_often_as_its_author_says():
    tried: list[int] = []

    @action("stumble", app="Directory", retries=2)
    def stumble() -> ActionResult:
        tried.append(1)
        if len(tried) < 3:
            raise ActionFailure("not yet")
        return ActionResult(message="there")

    @playbook
    def stumbles(_run: PlaybookRun) -> None:
        stumble()

    assert Trial().run(stumbles, SAMPLE).status == "success"
    assert len(tried) == 3


def test_a_time_limit_holds_here_too():
    @playbook(timeout=0.2)
    def waits(_run: PlaybookRun) -> None:
        threading.Event().wait(60)

    assert Trial().run(waits, SAMPLE).message == "Playbook waits took longer than 0.2 seconds"


def test_a_flow_that_is_no_playbook_is_refused():
    with pytest.raises(TypeError, match="plain is a flow of Prefect's, but not a playbook"):
        Trial().run(flow(lambda: None, name="plain"), SAMPLE)


def test_answers_of_real_actions_are_kept_and_given_again(tmp_path):
    file = tmp_path / "answers.json"
    recording = Trial(assets=[DIRECTORY])
    Recording(file, keep=True).attach(recording, look_up)
    names = Sample.model_validate({"artifacts": [{"cef": {"name": n}} for n in ("a", "nobody")]})
    real = recording.run(hunt, names, {"limit": 2})
    assert 'look up {"name": "a"}' in json.loads(file.read_text())

    replaying = Trial()
    Recording(file, keep=False).attach(replaying, look_up)
    again = replaying.run(hunt, names, {"limit": 2})
    told = [[each.message for each in run.action_runs[0].results] for run in (real, again)]
    assert told == [["a is there", "nobody is not on one"]] * 2

    unknown = replaying.run(hunt, SAMPLE, {"limit": 3})
    assert "has no answer for look up" in unknown.action_runs[0].results[1].message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "Invalid JSON"), ('{"artifacts": [{"cef": 1}]}', "artifacts.0.cef: Input should be")],
)
def test_a_sample_that_is_no_container_is_named_with_the_place(tmp_path, text, sentence):
    file = tmp_path / "sample.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=sentence) as raised:
        Sample.read(file)
    assert str(raised.value).startswith(str(file))


def test_a_new_playbook_is_one_that_runs(tmp_path):
    files = start.write("first_hunt", tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in files] == [
        "first_hunt.py",
        "samples/first_hunt.json",
        "tests/test_first_hunt.py",
    ]
    trial = Trial()
    trial.fake("whois ip", lambda ip: ActionResult(message=ip, summary={"country_code": "XX"}))
    run = trial.run(load(files[0]), Sample.read(files[1]))
    assert run.status == "success", run.message
    assert run.outputs.suspicious == ["192.0.2.10", "198.51.100.7"]


@pytest.mark.parametrize("name", ["9lives", "My", "a-b", "a/b", ""])
def test_a_name_that_makes_no_file_and_function_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be the name of a new playbook"):
        start.write(name, tmp_path)


def test_nothing_is_written_over(tmp_path):
    existing = tmp_path / "tests" / "test_hunt.py"
    existing.parent.mkdir()
    existing.touch()
    with pytest.raises(FileExistsError, match="is there already"):
        start.write("hunt", tmp_path)
    assert list(tmp_path.iterdir()) == [existing.parent]


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        ("", None, "holds no playbook"),
        (
            "from prefect_phantom import playbook as p\n@p\ndef a(run): ...\n@p\ndef b(run): ...",
            None,
            "holds several playbooks, so name one; there are: a, b",
        ),
        ("from prefect_phantom import playbook\n@playbook\ndef a(run): ...", "c", "no playbook c"),
    ],
)
def test_a_file_without_the_playbook_is_refused(tmp_path, text, name, sentence):
    file = tmp_path / "some.py"
    file.write_text(text)
    with pytest.raises(LookupError, match=sentence):
        load(file, name)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"There is no file nowhere\.py"):
        load(Path("nowhere.py"))


@playbook
def gives_much(run: PlaybookRun) -> dict[str, str]:
    return {"much": "x" * (LARGEST_OUTPUTS_BYTES - run.inputs.get("less", 0))}


def test_what_a_run_does_not_keep_makes_it_fail_with_its_size():
    trial = Trial()
    assert trial.run(gives_much, SAMPLE, {"less": 100}).status == "success"
    run = trial.run(gives_much, SAMPLE)
    assert run.status == "failed"
    assert run.message == (
        "outputs of playbook gives_much are 4.0 MB as JSON; a run keeps at most 4 MB"
    )
