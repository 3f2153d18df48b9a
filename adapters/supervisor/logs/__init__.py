"""What the parts print, in files of bounded size."""
