"""Warm execution: a template process that has imported what runs need, and forks one per run."""

from __future__ import annotations
