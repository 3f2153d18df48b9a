"""What runs and workers may send. Large ones are read in a process that imports nothing else."""
