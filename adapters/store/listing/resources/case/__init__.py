"""The lists of containers and of what is in them."""
