"""The connection to PostgreSQL, its schema, and what is told over it."""
