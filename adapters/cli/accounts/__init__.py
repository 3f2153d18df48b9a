"""Commands about users, roles and tokens."""
