"""maximize."""
