"""Work pools and work queues: what holds runs back in Prefect."""
