"""What strangers send is not kept whole: thousands of long texts would fill the memory."""

from __future__ import annotations

import weakref

import pytest
from starlette.types import Message, Receive, Scope, Send

from prefect_phantom.adapters.errors import UnknownHost
from prefect_phantom.adapters.rest.layers.access import Access
from prefect_phantom.adapters.rest.layers.hosts import Hosts
from prefect_phantom.adapters.rest.request.address import parse

LENGTH = 60_000
"""Characters that one head brings at most, nearly."""


class Text(str):
    """A text of which it can be seen whether anybody keeps it."""

    __slots__ = ("__weakref__",)


class Sent:
    """A long text, and whether it is kept after it was used."""

    def __init__(self, character: str) -> None:
        self.text: Text | None = Text(character * LENGTH)
        self._seen = weakref.ref(self.text)

    def is_kept(self) -> bool:
        self.text = None
        return self._seen() is not None


@pytest.fixture(params=["a", "1", " "])
def sent(request: pytest.FixtureRequest) -> Sent:
    return Sent(request.param)


async def _answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
    pass


async def _receive() -> Message:
    return {"type": "http.disconnect"}


async def _send(_: Message) -> None:
    pass


@pytest.mark.attack("paths of 60,000 characters, each another one", "none of them is kept")
async def test_a_path_is_not_kept(sent: Sent) -> None:
    scope: Scope = {"type": "http", "method": "GET", "path": sent.text, "headers": []}
    await Access(_answer)(scope, _receive, _send)
    del scope
    assert not sent.is_kept()


@pytest.mark.attack("names of hosts as long, each another one", "403, and none of them is kept")
async def test_a_host_that_is_too_long_for_a_name_is_refused_and_not_kept(sent: Sent) -> None:
    scope: Scope = {"type": "http", "headers": [], "forwarded_host": sent.text}
    hosts = Hosts(_answer, ["soar.example"])
    with pytest.raises(UnknownHost):
        await hosts(scope, _receive, _send)
    del scope
    assert not sent.is_kept()


def test_an_address_that_is_too_long_for_one_is_none_and_not_kept(sent: Sent) -> None:
    assert sent.text is not None
    assert parse(sent.text) is None
    assert not sent.is_kept()


def test_a_zone_as_long_makes_no_address() -> None:
    assert parse(f"fe80::1%{'z' * LENGTH}") is None
    assert str(parse("fe80::1%eth0")) == "fe80::1%eth0"
