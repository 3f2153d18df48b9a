"""Playbooks that ship: the repository ``examples``, one playbook in each file."""

from __future__ import annotations
