"""Messages between a worker and its template processes: JSON over a Unix stream socket."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import Any

_length = struct.Struct("!I")


def pack(content: dict[str, Any]) -> bytes:
    """`content` as a message: four bytes of length, then JSON."""
    body = json.dumps(content).encode()
    return _length.pack(len(body)) + body


def length_of(prefix: bytes) -> int:
    """How many bytes follow the prefix of a message."""
    (length,) = _length.unpack(prefix)
    return int(length)


PREFIX = _length.size


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the file descriptors sent with it; None when the other side is gone."""
    prefix, descriptors = _receive_prefix(connection)
    if not prefix:
        return None
    body = _receive_exactly(connection, length_of(prefix))
    content: dict[str, Any] = json.loads(body)
    return content, descriptors


def _receive_prefix(connection: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    prefix, ancillary, _, _ = connection.recvmsg(PREFIX, socket.CMSG_SPACE(descriptors.itemsize))
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if prefix and len(prefix) < PREFIX:
        prefix += _receive_exactly(connection, PREFIX - len(prefix))
    return prefix, list(descriptors)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    body = bytearray()
    while len(body) < length:
        part = connection.recv(length - len(body))
        if not part:
            message = "The other side went away in the middle of a message"
            raise ConnectionError(message)
        body += part
    return bytes(body)
