"""Connections: taken, limited, and served in turn."""
