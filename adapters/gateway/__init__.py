"""The gateway: the process that serves the contract, with its loops."""
