"""Reading a request: its address, its body, its fields."""
