"""What is secret by its name, and secrets that nobody guesses."""
