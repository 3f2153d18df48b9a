"""``python -P -m flows.apps``: a line of JSON for each app, and for each that does not import."""

from __future__ import annotations

import json
import os
import sys

from flows.apps import describe
from flows.apps._trial import refusals

SECONDS = 30
"""How long importing one app of others may take."""


def main() -> None:
    """Print what `describe` says; first, apps that did not ship are tried in another process."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What an app prints on import must not end up among the lines that the caller reads.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with lines:
        for app in describe(refusals(SECONDS)):
            print(json.dumps(app), file=lines)


if __name__ == "__main__":
    main()
