"""``python -P -m flows.apps``: a line of JSON for each app, and for each that does not import."""

from __future__ import annotations

import json
import os
import sys

from flows.apps import describe


def main() -> None:
    """Print what `describe` says."""
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What an app prints on import must not end up among the lines that the caller reads.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with lines:
        for app in describe():
            print(json.dumps(app), file=lines)


if __name__ == "__main__":
    main()
