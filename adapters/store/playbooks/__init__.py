"""Playbooks, their assets, and the workers that have them."""
