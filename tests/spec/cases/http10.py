"""Family http10."""
