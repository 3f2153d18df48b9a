"""The worker's side of the gateway's runtime API."""
