"""Family conn."""
