"""How runs begin: requests, automation, schedules, and the queue into Prefect."""
