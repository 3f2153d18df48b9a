"""Between the outside and Prefect: the REST contract, the store, dispatch, command line, client."""

from __future__ import annotations
