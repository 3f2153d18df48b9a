"""What is listed of runs and their actions."""
