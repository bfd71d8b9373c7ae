"""By what rule the maps beside real patches were made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MapRule:
    """How the maps beside real patches were made; `reason` says why not by guided backpropagation.

    `rule` is empty where what says it is damaged.

    >>> MapRule("guided").maps, MapRule("plain", "it has GELUs").maps
    ('guided gradient', 'plain gradient')
    """

    rule: str
    reason: str | None = None

    @property
    def maps(self) -> str:
        """What to call one of the maps."""
        return f"{self.rule} gradient".strip()


GUIDED = MapRule("guided")
"""The rule wherever nothing else is said."""

UNTOLD = MapRule("")
