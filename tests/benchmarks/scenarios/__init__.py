"""One scenario per file. Each is given a `Bench`, and adds to its samples."""
