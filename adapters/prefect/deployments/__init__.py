"""Playbooks as deployments in Prefect."""
