"""The processes that a worker starts and ends."""
