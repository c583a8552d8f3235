"""Family live."""
