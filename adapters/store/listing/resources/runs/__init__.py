"""The lists of runs and their actions."""
