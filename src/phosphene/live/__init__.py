"""The live page: atlases to walk through, and a bench on which their networks answer at once."""
