"""Atlases as pictures: the static site, standalone sheets, and the palette they share."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
