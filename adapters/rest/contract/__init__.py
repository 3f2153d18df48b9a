"""The contract under ``/rest``: one file for each resource, and their routes."""
