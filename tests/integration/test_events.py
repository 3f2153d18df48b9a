"""Events of containers and artifacts in Prefect, and people's own automations that hear them."""

from __future__ import annotations
