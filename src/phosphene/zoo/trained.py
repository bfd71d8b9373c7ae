"""What a weights file knows of the network it belongs to: made by `train`, it makes it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from safetensors import SafetensorError, safe_open

from phosphene.errors import SettingError, WeightsError, nearest
from phosphene.network import Input, Network, load_weights
from phosphene.training.checkpoint import ABOUT, told
from phosphene.values import Value
from phosphene.zoo.articles import ARTICLES


@dataclass(frozen=True)
class Trained(Value):
    """One of the articles' networks, as it was trained, and the data it was trained on.

    `settings` are those of the article's factory, such as `widths`; `data` is what `load_data`
    takes.
    """

    called: ClassVar[str] = "trained network"
    article: str
    input: Input
    classes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None

    def network(self, weights: str | Path) -> Network:
        """The network with `weights`, called as its article calls it.

        Raises:
            WeightsError: no article has that name, or the weights do not fit.
        """
        if self.article not in ARTICLES:
            raise WeightsError(
                f"{weights} belongs to a network called {self.article!r}, which this version does "
                f"not know; {nearest(self.article, ARTICLES)}"
            )
        fresh = ARTICLES[self.article](self.input.shape, self.classes, 0, **self.settings)
        load_weights(fresh.module, weights)
        return Network(fresh.module, self.input, self.classes, fresh.name)


def read_trained(path: str | Path) -> Trained | None:
    """What the file at `path` says of its network; None for one that says nothing, or for none."""
    try:
        with safe_open(path, framework="pt") as file:
            return Trained.from_json(told(file.metadata() or {})[ABOUT])
    except (SafetensorError, OSError, LookupError, ValueError, SettingError):
        return None  # another's file, or one from before files knew
