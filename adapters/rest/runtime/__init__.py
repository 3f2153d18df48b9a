"""The runtime API: for runs and workers only, on a listener of its own."""
