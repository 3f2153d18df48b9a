"""Why a file of others does not import, in words for its author."""

from __future__ import annotations

import traceback

import prefect_phantom
from prefect_phantom.one_name import FOR_AUTHORS, sentence


def import_failure(error: BaseException) -> str:
    """What Python says, and what to import where the file has a name that we had once."""
    told = "".join(traceback.format_exception_only(error)).strip()
    if (name := _former_name(error)) is None or sentence(name) in told:
        return told
    return f"{told}. {sentence(name)}"


def _former_name(error: BaseException) -> str | None:
    """Which of our former names the file wants, if it does: the author may have such a package."""
    if not isinstance(error, ImportError) or error.name not in FOR_AUTHORS:
        return None
    is_missing = isinstance(error, ModuleNotFoundError)
    wants_ours = any(f"'{each}'" in error.msg for each in prefect_phantom.__all__)
    return error.name if is_missing or wants_ours else None
