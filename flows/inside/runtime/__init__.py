"""The run's side of the gateway's runtime API."""
