"""App IoC: indicators of compromise in a text, and texts in which nobody can click on them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from prefect_phantom import ActionFailure, ActionResult, action
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._work.killable import WorkFailed, in_time

APP = "IoC"
SECONDS = 60
"""How long one text is looked through."""
LARGEST_TEXT = 2_000_000
"""In characters."""
PIECE = 20_000
"""In characters. The libraries take four times as long for a text that is twice as long."""

Text = Annotated[str, Field(description="Any text, such as a report or the body of an email")]


@action("extract iocs", app=APP, type="investigate")
def extract_iocs(text: Text) -> ActionResult:
    """Find addresses, domains, URLs, hashes and other indicators, also defanged ones.

    A row of data for each kind that was found: ``type``, such as ``ipv4s``, ``domains`` or
    ``sha256s``, and its ``values``, sorted. Summary: how many there are, by type, and ``total``.

    Raises:
        ActionFailure: the text is too long, or takes too long.

    """
    found = _done("find", text)
    counts = {kind: len(values) for kind, values in found.items()}
    total = sum(counts.values())
    told = ", ".join(f"{kind}: {number}" for kind, number in counts.items())
    return ActionResult(
        message=f"Found {total} indicators" + (f": {told}" if told else ""),
        data=[{"type": kind, "values": found[kind]} for kind in counts],
        summary={**counts, "total": total},
    )


@action("defang iocs", app=APP, type="generic")
def defang_iocs(text: Text) -> ActionResult:
    """Write indicators so that no program takes them for links: ``hXXp://example[.]com``.

    One row of data: ``text``. No summary.

    Raises:
        ActionFailure: the text is too long, or takes too long.

    """
    return _written("defang", text)


@action("refang iocs", app=APP, type="generic")
def refang_iocs(text: Text) -> ActionResult:
    """Write defanged indicators as they were: ``http://example.com``.

    One row of data: ``text``. No summary.

    Raises:
        ActionFailure: the text is too long, or takes too long.

    """
    return _written("refang", text)


def _written(how: str, text: str) -> ActionResult:
    written = _done(how, text)
    changed = "changed" if written != text else "not changed"
    return ActionResult(message=f"The text is {changed}", data=[{"text": written}])


def _done(what: str, text: str) -> Any:  # noqa: ANN401 - what `_work.indicators` returns
    if len(text) > LARGEST_TEXT:
        raise ActionFailure(f"The text has more than {LARGEST_TEXT} characters")
    try:
        return in_time(Deadline(SECONDS), f"indicators.{what}", text, PIECE, size=len(text))
    except TimeoutError:
        raise ActionFailure(f"The text takes longer than {SECONDS} seconds") from None
    except WorkFailed as failure:
        raise ActionFailure(f"The text cannot be looked through: {failure}") from None
