"""One figure for each kind of answer."""
