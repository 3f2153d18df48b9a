"""The parts of an installation: how each is run, watched and asked."""
