"""Playbook runs: started, read, cancelled."""
