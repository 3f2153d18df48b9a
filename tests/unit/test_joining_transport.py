"""The head of an answer is sent together with its body, and never later than in the next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from prefect_phantom.adapters.rest.listener.joining_transport import JoiningTransport


class Written(asyncio.Transport):
    """Notes each packet."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.packets.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
async def transport(written: Written) -> JoiningTransport:
    return JoiningTransport(written, asyncio.get_running_loop())


async def test_head_and_body_are_one_packet(written: Written, transport: JoiningTransport) -> None:
    transport.write(b"head ")
    transport.write(b"body")
    assert written.packets == [b"head body"]
    await asyncio.sleep(0)
    assert written.packets == [b"head body"]


async def test_an_empty_body_sends_the_head(written: Written, transport: JoiningTransport) -> None:
    transport.write(b"head")
    transport.write(b"")
    assert written.packets == [b"head"]


async def test_a_head_whose_body_takes_long_is_sent_before(
    written: Written, transport: JoiningTransport
) -> None:
    transport.write(b"head")
    await asyncio.sleep(0)
    assert written.packets == [b"head"]


async def test_closing_sends_what_was_written(
    written: Written, transport: JoiningTransport
) -> None:
    transport.write(b"head")
    transport.close()
    await asyncio.sleep(0)
    assert (written.packets, written.closed) == ([b"head"], True)


async def test_aborting_sends_nothing_more(written: Written, transport: JoiningTransport) -> None:
    transport.write(b"head")
    transport.abort()
    await asyncio.sleep(0)
    assert written.packets == []
