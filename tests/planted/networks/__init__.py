"""The planted networks, by what makes each hard to read."""

from planted.networks import counting, opposing, places, smooth, wiring
from planted.truth import Planted

ALL: tuple[Planted, ...] = (
    *counting.ALL,
    *opposing.ALL,
    *wiring.ALL,
    *places.ALL,
    *smooth.ALL,
)
"""Every planted network."""
