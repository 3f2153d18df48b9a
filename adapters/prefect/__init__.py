"""Dispatch, reconcile, cancel; deployments of playbooks; the worker. Knows Prefect, not HTTP."""

from __future__ import annotations
