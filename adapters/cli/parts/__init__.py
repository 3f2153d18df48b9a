"""Commands that start, keep and check an installation."""
