"""The home folder of an installation, and the user of its worker."""
