"""Assets: their settings, secrets, and where these are sent."""
