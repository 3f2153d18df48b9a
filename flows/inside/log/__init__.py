"""The log of a run, and the form of log lines."""
