"""What every request passes before its handler: who it is, what it may, what is noted."""
