"""An atlas as people look at it: unit by unit, in pictures and words, for pages and figures."""
