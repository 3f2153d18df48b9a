"""What ``@playbook`` makes of a function."""

from __future__ import annotations

import prefect
import pytest
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, Field

from prefect_phantom import PlaybookRun, playbook
from prefect_phantom.flows.inside.execution import _former, run_name, run_tags
from prefect_phantom.flows.playbook import definition_of, prefect_name

REFUSED_BY_PREFECT = "/%&<>"


@playbook(labels=["events"], tags=["t"], category="c")
def hunt(run: PlaybookRun) -> None:
    """Look at it."""


@playbook
def bare(run: PlaybookRun) -> None: ...


def nothing(run: PlaybookRun) -> None: ...


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("my_playbook", "my_playbook"),
        ("a/b", "a~2Fb"),
        ("100%", "100~25"),
        ("a & b", "a ~26 b"),
        ("<a>", "~3Ca~3E"),
        ("~", "~7E"),
        ("a~2Fb", "a~7E2Fb"),
        ("[DRE] UAT: x", "[DRE] UAT: x"),
    ],
)
def test_what_prefect_refuses_in_a_name_is_escaped(name, escaped):
    assert prefect_name(name) == escaped
    assert prefect.Flow(lambda: None, name=escaped).name == escaped


@pytest.mark.parametrize("character", REFUSED_BY_PREFECT)
def test_every_character_that_prefect_refuses_is_known(character):
    assert character not in prefect_name(f"a{character}b")


def test_two_names_never_become_one():
    names = {f"{a}{b}{c}" for a in "/~%2F" for b in "~2F%" for c in "2F~/7E"}
    assert len({prefect_name(name) for name in names}) == len(names)


def test_a_playbook_is_named_after_its_function_or_as_it_says():
    assert (hunt.name, definition_of(hunt).name) == ("hunt", "hunt")
    named = playbook(name="Hunt / kill")(nothing)
    assert (named.name, definition_of(named).name) == ("Hunt ~2F kill", "Hunt / kill")


@pytest.mark.parametrize("name", ["5", "007"])
def test_a_name_of_digits_alone_is_refused(name):
    with pytest.raises(ValueError, match=f"may not be digits alone: {name}"):
        playbook(name=name)(nothing)


def test_a_generator_function_is_refused():
    def steps(_run: PlaybookRun):
        yield

    with pytest.raises(TypeError, match="steps"):
        playbook(steps)


def test_runs_are_forked_unless_the_playbook_says_that_processes_are_reused():
    assert definition_of(playbook(nothing)).isolation == "fork"
    assert definition_of(playbook(isolation="reused")(nothing)).isolation == "reused"


@pytest.mark.parametrize("isolation", ["thread", "", None, True])
def test_another_isolation_is_refused(isolation):
    message = f"Isolation of playbook nothing must be 'fork' or 'reused', not {isolation!r}"
    with pytest.raises(TypeError, match=message):
        playbook(isolation=isolation)(nothing)


@pytest.mark.parametrize("field", ["labels", "tags"])
def test_one_text_in_place_of_a_list_is_refused(field):
    with pytest.raises(TypeError, match="lists of texts"):
        playbook(**{field: "events"})(nothing)


def test_a_playbook_keeps_what_it_says_of_itself():
    definition = definition_of(hunt)
    assert definition.description == hunt.description == "Look at it."
    assert (definition.labels, definition.tags) == (["events"], ["t"])
    assert definition.category == "c"


def test_a_playbook_need_say_nothing():
    definition = definition_of(bare)
    assert (definition.description, definition.labels, definition.tags) == ("", (), ())
    assert definition.category == ""


def test_a_flow_that_is_no_playbook_has_no_definition():
    assert definition_of(prefect.flow(lambda: None, name="plain")) is None


def test_a_playbook_belongs_to_the_module_and_name_of_its_function():
    """Prefect finds it again by these."""
    assert (hunt.fn.__module__, hunt.fn.__qualname__) == (__name__, "hunt")


@pytest.fixture
def schema():
    return parameter_schema(hunt).model_dump_for_openapi()


def test_the_form_in_prefect_asks_for_a_container_and_nothing_else(schema):
    assert schema["required"] == ["container_id"]
    assert schema["properties"]["container_id"]["type"] == "integer"


def test_every_field_of_the_form_is_described(schema):
    assert {name: bool(field["description"]) for name, field in schema["properties"].items()} == {
        "container_id": True, "scope": True, "inputs": True, "playbook_run_id": True,
    }  # fmt: skip


def test_the_form_offers_all_new_or_a_list_of_artifacts(schema):
    scope = schema["properties"]["scope"]
    assert scope["default"] == "all"
    choices, ids = scope["anyOf"]
    assert choices["enum"] == ["all", "new"]
    assert (ids["type"], ids["items"]["type"]) == ("array", "integer")


@pytest.mark.parametrize("scope", ["all", "new", [], [1, 2]])
def test_a_scope_that_is_offered_is_taken(scope):
    checked = hunt.validate_parameters({"container_id": 1, "scope": scope})
    assert checked["scope"] == scope


@pytest.mark.parametrize(
    "parameters",
    [
        {"container_id": 1, "scope": "old"},
        {"container_id": 1, "scope": ["a"]},
        {"container_id": "x"},
        {"container_id": 1, "inputs": [1]},
        {"container_id": 1, "playbook_run_id": "x"},
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_are_refused(parameters):
    with pytest.raises(ParameterTypeError):
        hunt.validate_parameters(parameters)


@pytest.mark.parametrize(
    ("tags", "asked_for", "run_id"),
    [
        (["container:42", "playbook_run:7"], None, 7),
        (["container:42", "playbook_run:7"], 7, None),
        (["container:42", "playbook_run:7"], 6, 7),
        (["playbook_run:"], None, None),
        (["playbook_run:x", "mine"], None, None),
        ([], 7, None),
    ],
)
def test_the_tags_of_a_flow_run_say_which_run_it_was_before(
    tags: list[str], asked_for: int | None, run_id: int | None
) -> None:
    assert _former(tags, asked_for) == run_id


class Inputs(BaseModel):
    limit: int = Field(ge=1, description="At most so many")


def test_what_a_playbook_asks_for_has_fields_of_its_own_in_the_form():
    asking = playbook(inputs=Inputs)(nothing)
    schema = parameter_schema(asking).model_dump_for_openapi()
    assert schema["required"] == ["container_id"]
    assert schema["definitions"]["Inputs"]["properties"]["limit"]["minimum"] == 1


@pytest.mark.parametrize("what", ["inputs", "outputs"])
def test_inputs_and_outputs_are_models(what):
    with pytest.raises(TypeError, match=f"{what} of playbook nothing must be a pydantic model"):
        playbook(**{what: dict})(nothing)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_time_limit_of_nothing_is_refused(timeout):
    with pytest.raises(ValueError, match="timeout of playbook nothing must be above 0 s"):
        playbook(timeout=timeout)(nothing)


def test_a_container_below_1_is_refused_by_the_form():
    with pytest.raises(ParameterTypeError):
        hunt.validate_parameters({"container_id": 0})


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ("Phish", "Phish: hunt #7"),
        ("two\nlines", "two lines: hunt #7"),
        ("x" * 200, f"{'x' * 80}...: hunt #7"),
    ],
)
def test_a_run_is_called_after_container_and_playbook(container, name):
    assert run_name(container, "hunt", 7) == name


@pytest.mark.attack(
    "a container's name or label with line breaks and direction marks",
    "names and tags in Prefect are one line, and show them",
)
def test_names_and_tags_in_prefect_are_one_line():
    assert run_name("a\nb\u202ec", "hunt\x1b", 7) == "a b\\u202ec: hunt\\u001b #7"
    assert run_tags(7, 8, "a\r\nb\u202e")[2] == "label:a b\\u202e"
