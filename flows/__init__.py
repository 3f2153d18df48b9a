"""What happens inside a run. Authors of playbooks import `prefect_phantom`."""

from __future__ import annotations

from prefect_phantom.one_name import require

require(__name__)
