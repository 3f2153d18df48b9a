"""What goes wrong with one of many things, and is to stop none of the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect_phantom.adapters.between.prefect.outage import is_outage
from prefect_phantom.adapters.store.database.availability import is_away

AGAIN_SECONDS = 60.0
"""After so long the same is logged once more."""


class Containment:
    """Logs errors instead of raising them. The same one of the same thing is logged now and then.

    An outage is raised: it is no fault of this one, and the others would meet it, too.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told: dict[object, tuple[str, float]] = {}

    @contextmanager
    def of(self, thing: object, failed: str, errors: type[Exception] = Exception) -> Iterator[None]:
        """Contain `errors` with `thing`; `failed` is the sentence that says so."""
        try:
            yield
        except errors as error:
            if is_outage(error) or is_away(error):
                raise
            reason, now = f"{type(error).__name__}: {error}", time.monotonic()
            before, told = self._told.get(thing, ("", now))
            if reason != before or now - told >= AGAIN_SECONDS:
                self._told[thing] = (reason, now)
                self._logger.exception("%s", failed)
        else:
            self._told.pop(thing, None)
