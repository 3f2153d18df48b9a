"""Runs with a process: attempts, leases, action runs, logs, and their end."""
