"""A question to the gateway, asked beside the loop that has to end runs in time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from .guarded_run import clock
from .lease import Lost, Refused, Unreachable

LONGEST_SECONDS = 12.0
"""Whoever has not answered by then counts as not answering, however far the answer is."""
Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """A call that has begun. With its end the descriptor `told` of an event becomes readable."""

    def __init__(self, ask: Callable[[], Answer], told: int) -> None:
        self.asked = clock()
        self._ask = ask
        self._told = told
        self._answer: list[Answer] = []
        self._error: Lost | Refused | Unreachable | None = None
        self._answered = threading.Event()
        try:
            # Nobody waits at the end for one that hangs in the system's look-up of names.
            threading.Thread(target=self._run, daemon=True).start()
        except RuntimeError as error:  # a run may have taken all that the system has
            self._error = Unreachable(str(error))
            self._end()

    @property
    def deadline(self) -> float:
        """When it is given up."""
        return self.asked + LONGEST_SECONDS

    def is_over(self) -> bool:
        """Whether it was answered, or is given up."""
        return self._answered.is_set() or clock() >= self.deadline

    def wait(self) -> None:
        """Wait until it is over."""
        self._answered.wait(max(0.0, self.deadline - clock()))

    def answer(self) -> Answer:
        """What came of it.

        Raises:
            Lost, Refused: as the call has.
            Unreachable: as the call has, or it was given up, or there was no thread for it.
        """
        if self._error is not None:
            raise self._error
        if not self._answer:
            message = f"no answer within {LONGEST_SECONDS:g} s"
            raise Unreachable(message)
        return self._answer[0]

    def _run(self) -> None:
        try:
            self._answer.append(self._ask())
        except (Lost, Refused, Unreachable) as error:
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        self._answered.set()
        os.eventfd_write(self._told, 1)
