"""Prints a line of JSON for each app, and for each that does not import."""

from __future__ import annotations

import argparse
import json
import os
import sys

from prefect_phantom.apps import describe
from prefect_phantom.flows.finding.app_trial import refusals
from prefect_phantom.flows.process.caller import end_with_caller

SECONDS = 30
"""How long importing one app of others may take."""


def main() -> None:
    """Print what `describe` says; first, apps that did not ship are tried in another process."""
    parser = argparse.ArgumentParser(description="Print the apps here as JSON lines.")
    parser.add_argument("--caller", type=int, help="a pipe with whose end this program ends")
    arguments = parser.parse_args()
    if arguments.caller is not None:
        end_with_caller(arguments.caller)
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # What an app prints on import must not end up among the lines that the caller reads.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with lines:
        for app in describe(refusals(SECONDS)):
            print(json.dumps(app), file=lines)


if __name__ == "__main__":
    main()
