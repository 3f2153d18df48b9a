"""Exceptions without secrets: they are shown, with what they came of, wherever a run is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect_phantom.flows.failure import ActionFailure
from prefect_phantom.flows.inside.runtime.client import Superseded
from prefect_phantom.flows.inside.secrets.redaction import Redaction


@contextmanager
def raising_redacted(redaction: Callable[[], Redaction]) -> Iterator[None]:
    """Let no secret stand in what is raised within this block: what says one is told anew."""
    try:
        yield
    except Superseded:
        raise
    except Exception as error:
        secrets = redaction()
        if not secrets.in_traceback(error):
            raise
        raise _redacted(error, secrets) from None


def _redacted(error: Exception, redaction: Redaction) -> Exception:
    """The same failure; of another error only what it is called and says."""
    if isinstance(error, ActionFailure):
        error.args = (redaction.text(str(error)),)
        error.__notes__ = [redaction.text(note) for note in getattr(error, "__notes__", ())]
        return error
    return RuntimeError(redaction.text(f"{type(error).__name__}: {error}"))
