"""Questions put to a network: can it be fooled, what flips it, does it carry over?"""

__all__: list[str] = []
