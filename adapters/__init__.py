"""Between the outside and Prefect: the REST contract, the store, dispatch, command line, client."""

from __future__ import annotations

from prefect_phantom.one_name import require

require(__name__)
