"""What rooms hand each other that may not import each other."""
