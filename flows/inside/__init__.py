"""How a run works: its definition, its actions, what is recorded and shown of it."""
