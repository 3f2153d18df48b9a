"""Lines of a run's log."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from prefect_phantom.client.models.answer import Item


class LogLine(Item):
    """What a playbook or one of its actions printed or logged, or the exception that ended it."""

    resource: ClassVar[str] = "log"
    """Listed below its run only, at ``/rest/playbook_run/ID/log``."""
    time: datetime | None = None
    message: str = ""
    message_type: int = 1
    """0: an error, 1: anything else."""

    @property
    def is_error(self) -> bool:
        """It says why the run failed."""
        return self.message_type == 0
