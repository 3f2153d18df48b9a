"""The benchmark: ours, stock Prefect and a bare floor, measured in one run on one PostgreSQL."""
