"""A field that callers write of a container or an artifact is declared in one place."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from prefect_phantom.adapters.errors import BadField
from prefect_phantom.adapters.rest.contract.case import artifact, container
from prefect_phantom.adapters.rest.openapi.operation import declared
from prefect_phantom.adapters.rest.request.body_field import body_fields, body_schemas, read_fields
from prefect_phantom.adapters.rest.request.fields import Fields
from prefect_phantom.adapters.store.listing.field import Kind, further
from prefect_phantom.adapters.store.listing.resources.case.artifact import ARTIFACT
from prefect_phantom.adapters.store.listing.resources.case.container import CONTAINER
from prefect_phantom.adapters.store.tables.case_fields import ArtifactFields, ContainerFields
from prefect_phantom.adapters.store.tables.tables import artifacts, containers
from prefect_phantom.adapters.store.tables.written import Time, columns
from prefect_phantom.flows.container import Container
from prefect_phantom.flows.trial.sample import Sample


class Declared:
    """A thing with a field that nothing else names."""

    seen_time: Time = None


@pytest.mark.parametrize(
    ("thing", "table", "resource", "handlers"),
    [
        (ContainerFields, containers, CONTAINER, container),
        (ArtifactFields, artifacts, ARTIFACT, artifact),
    ],
)
def test_a_declared_field_has_a_column_is_read_and_is_listed(thing, table, resource, handlers):
    operation = declared(handlers.change)
    for field in fields(thing):
        assert field.name in table.c
        assert field.name in operation.body
        assert resource.find(field.name) is not None


def test_nothing_but_the_declaration_needs_to_know_a_new_field():
    (column,) = columns(Declared)
    assert (column.name, column.nullable) == ("seen_time", True)
    assert body_schemas(body_fields(Declared))["seen_time"]["format"] == "date-time"
    assert further(Declared, ())["seen_time"].kind is Kind.TIME
    assert read_fields(body_fields(Declared), Fields({"seen_time": "2026-12-01"})) == {
        "seen_time": datetime(2026, 12, 1, tzinfo=UTC)
    }


def test_a_declared_field_is_refused_by_its_name():
    with pytest.raises(BadField, match="seen_time"):
        read_fields(body_fields(Declared), Fields({"seen_time": "soon"}))


def test_a_playbook_sees_the_due_time_also_of_a_sample(tmp_path):
    sample = tmp_path / "sample.json"
    sample.write_text('{"id": 7, "due_time": "2026-12-01T00:00:00Z"}')
    seen = Sample.read(sample).container()
    assert type(seen) is Container
    assert (seen.id, seen.due_time) == (1, datetime(2026, 12, 1, tzinfo=UTC))
