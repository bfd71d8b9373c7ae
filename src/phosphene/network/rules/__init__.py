"""Backward rules: what rectifiers pass on, and the refusal where that cannot be known."""
