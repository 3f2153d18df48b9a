"""What is listed of containers and what is in them."""
