"""Contract 2: who is let in."""

from __future__ import annotations

import pytest

PATH = "/rest/container?page_size=1"


def test_a_token_in_its_header_or_as_the_password_of_nobody(target):
    assert target.curl(PATH).status == 200
    assert target.curl(PATH, credentials=f'user = ":{target.token}"').status == 200


@pytest.mark.ours
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "ph-auth-token"])
def test_a_token_as_a_scheme_of_authorization(target, scheme):
    credentials = f'header = "Authorization: {scheme} {target.token}"'
    assert target.curl(PATH, credentials=credentials).status == 200


def test_a_user_and_a_password_by_basic(target):
    if target.login is None:
        pytest.skip("PHANTOM_LOGIN names nobody")
    assert target.curl(PATH, credentials=f'user = "{target.login}"').status == 200


def test_without_credentials_the_answer_is_the_recorded_one(target):
    answer = target.curl(PATH, credentials="")
    message = "No supported auth information provided in request"
    assert (answer.status, answer.message) == (401, message)


@pytest.mark.parametrize(
    "options",
    [["-H", "ph-auth-token: wrong"], ["-u", ":wrong"]],
    ids=["header", "basic"],
)
def test_a_wrong_token_is_refused_in_the_recorded_words(target, options):
    answer = target.curl(PATH, *options, credentials="")
    assert (answer.status, answer.message) == (401, "Invalid automation token")


@pytest.mark.ours
def test_a_wrong_password_is_refused_in_our_words(target):
    answer = target.curl(PATH, "-u", "nobody at all:wrong", credentials="")
    assert (answer.status, answer.message) == (401, "Invalid username or password")


def test_a_token_cannot_delete(target, container):
    answer = target.curl(f"/rest/container/{container}", "-X", "DELETE")
    assert answer.status == 403
    assert answer.message
    assert target.curl(f"/rest/container/{container}").status == 200
