"""An atlas as linked pages."""
