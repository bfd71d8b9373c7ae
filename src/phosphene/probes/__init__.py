"""Questions put to a network: can it be fooled, what flips it, what does it dream?"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
