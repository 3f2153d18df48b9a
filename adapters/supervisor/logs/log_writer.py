"""Writes what the parts print into files of bounded size: ``python -I log_writer.py FD BYTES``.

A process of its own, since parts print while `up` is stopped, and after it has died. It ends when
nobody is left who could print. What a disk does not take is lost and counted: no part ever waits
for room. Of the standard library alone, so that it is small.

Over the socket FD comes the path of a file with the pipe to read for it. A message without a pipe
is sent back when all that had been printed before it is written.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from contextlib import suppress

KEPT = 3
"""Files that are kept beside the newest: NAME.1, the youngest of them, to NAME.3."""
CHUNK_BYTES = 64 * 1024
MODE = 0o600
MESSAGE_BYTES = 4096


class File:
    """A file that is put aside when it is full, always at the end of a line."""

    def __init__(self, path: str, most: int) -> None:
        self.path = path
        self.most = most
        self.lost = 0
        self.open()

    def open(self) -> None:
        """Go on at the end of the file."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self.descriptor = os.open(self.path, flags, MODE)
            self.size = os.fstat(self.descriptor).st_size
        except OSError:
            self.descriptor, self.size = -1, 0

    def write(self, text: bytes) -> None:
        """Append `text`; lose it where that is not possible."""
        if self.size + len(text) > self.most:
            end = text.find(b"\n") + 1
            if end or self.size > 2 * self.most:
                self.append(text[:end])
                self.put_aside()
                text = text[end:]
        self.append(text)

    def append(self, text: bytes) -> None:
        """Write `text`, and before it how much had to be left out."""
        if self.descriptor < 0:
            self.open()
        if self.lost:
            sentence = b"... %d bytes of this log could not be written\n" % self.lost
            self.lost = 0 if self.put(sentence) == len(sentence) else self.lost
        self.lost += len(text) - self.put(text)

    def put(self, text: bytes) -> int:
        """Write `text` as far as there is room; how much it was."""
        written = 0
        try:
            while written < len(text):
                written += os.write(self.descriptor, text[written:])
        except OSError:
            pass
        self.size += written
        return written

    def put_aside(self) -> None:
        """Begin a new file. The oldest is gone then."""
        names = [self.path, *(f"{self.path}.{number}" for number in range(1, KEPT + 1))]
        try:
            for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
                if os.path.exists(newer):  # noqa: PTH110 - pathlib would be half of our memory
                    os.rename(newer, older)  # noqa: PTH104
        except OSError:
            self.size = 0  # tried again after as much more
            return
        os.close(self.descriptor)
        self.open()


class Writer:
    """Reads the pipes."""

    def __init__(self, control: socket.socket, most: int) -> None:
        self.control = control
        self.most = most
        self.selector = selectors.DefaultSelector()
        self.selector.register(control, selectors.EVENT_READ)

    def run(self) -> None:
        """Write until nobody is left who could print."""
        while self.selector.get_map():
            asked = b""
            for key, _ in self.selector.select():
                if key.data is None:
                    asked = self.obey()
                else:
                    self.read(key.fd, key.data)
            if asked:
                self.empty()
                with suppress(OSError):  # whoever asked has gone
                    self.control.send(asked)

    def empty(self) -> None:
        """Write what stands in the pipes now."""
        while ready := [key for key, _ in self.selector.select(0) if key.data is not None]:
            for key in ready:
                self.read(key.fd, key.data)

    def read(self, pipe: int, file: File) -> None:
        """Write what stands in a pipe."""
        text = os.read(pipe, CHUNK_BYTES)
        if text:
            file.write(text)
        else:
            self.selector.unregister(pipe)
            os.close(pipe)

    def obey(self) -> bytes:
        """Take a pipe; or return what is to be sent back."""
        try:
            text, pipes, _, _ = socket.recv_fds(self.control, MESSAGE_BYTES, 1)
        except OSError:  # `up` was killed, and an answer to it was not read
            text, pipes = b"", []
        if pipes:
            file = File(os.fsdecode(text), self.most)
            self.selector.register(pipes[0], selectors.EVENT_READ, file)
            return b""
        if not text:
            self.selector.unregister(self.control)
        return text


if __name__ == "__main__":
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(each, signal.SIG_IGN)  # what ends is still to be written down
    Writer(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])).run()
