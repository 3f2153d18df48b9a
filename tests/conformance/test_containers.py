"""Contract 3: containers and artifacts, and the small things that clients ask for first."""

from __future__ import annotations

from uuid import uuid4

import pytest

from prefect_phantom.adapters.rest.openapi.examples import EXAMPLES


def test_an_artifact_is_made_and_has_the_recorded_fields(target, container):
    body = {
        "container_id": container,
        "name": "ioc",
        "label": target.label,
        "cef": {"destinationDnsDomain": "example.org"},
    }
    made = target.curl("/rest/artifact", body=body)
    assert (made.status, made.content["success"]) == (200, True)
    artifact = target.curl(f"/rest/artifact/{made.content['id']}").content
    assert set(EXAMPLES["artifact"]) - {"data"} <= set(artifact)
    assert artifact["cef"] == body["cef"]
    assert artifact["container"] == container


def test_a_container_has_the_recorded_fields(target, container):
    found = target.curl(f"/rest/container/{container}").content
    assert set(EXAMPLES["container"]) - {"data"} <= set(found)
    assert (found["id"], found["label"]) == (container, target.label)


def test_a_second_container_of_one_source_is_refused_and_names_the_first(target):
    body = {"name": "conformance", "label": target.label, "source_data_identifier": uuid4().hex}
    first = target.curl("/rest/container", body=body)
    again = target.curl("/rest/container", body=body)
    assert again.content["existing_container_id"] == first.content["id"]
    assert (again.status, again.message.startswith("duplicate")) == (400, True)


@pytest.mark.ours
def test_a_second_artifact_of_one_source_is_refused_and_names_the_first(target, container):
    body = {"container_id": container, "source_data_identifier": uuid4().hex}
    first = target.curl("/rest/artifact", body=body)
    again = target.curl("/rest/artifact", body=body)
    assert again.content["existing_artifact_id"] == first.content["id"]
    assert again.status == 400


def test_what_clients_ask_to_see_that_they_are_let_in(target):
    assert isinstance(target.curl("/rest/version").content["version"], str)
    assert {"base_url", "time_zone"} <= set(target.curl("/rest/system_info").content)


def test_an_unknown_endpoint_is_a_failed_envelope(target):
    answer = target.curl("/rest/no_such_endpoint")
    assert answer.status == 404
    assert answer.message


@pytest.mark.ours
def test_unknown_endpoints_and_methods_are_told_in_our_words(target):
    answer = target.curl("/rest/no_such_endpoint")
    assert answer.message == "Unknown endpoint /rest/no_such_endpoint"
    answer = target.curl("/rest/playbook_run", "-X", "PUT", body={})
    message = "PUT is not allowed on /rest/playbook_run; allowed: GET, HEAD, POST"
    assert (answer.status, answer.message) == (405, message)
