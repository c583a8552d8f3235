"""Family cancel."""
