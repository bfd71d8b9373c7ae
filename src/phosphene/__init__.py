"""What does a unit of a trained vision network really look for?"""

from phosphene.version import __version__

__all__ = ["__version__"]
