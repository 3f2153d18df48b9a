"""Everything that strangers and viewers may send to slow others down, while somebody works."""
