"""The worker: takes flow runs from Prefect and carries them out in warm processes."""
