"""Family pressure."""
