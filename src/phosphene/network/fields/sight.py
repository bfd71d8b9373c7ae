"""What the units of a network see, and on how small a picture they can be asked."""

from functools import partial

from phosphene.network.examined import Examined
from phosphene.network.fields.pieces import Pieces, pieces_for
from phosphene.network.fields.receptive import ReceptiveField, receptive_fields
from phosphene.network.fields.windows import SMALLEST_WINDOW, Patch, smallest_patch, window_for
from phosphene.network.turns import once


class Sight(Examined):
    """The part of a `Network` that measures receptive fields, and the pictures that fit them."""

    _patches: dict[str, Patch]
    _pieces: dict[str, Pieces | None]

    @once
    def fields(self) -> dict[str, ReceptiveField]:
        """The receptive field of every layer, measured once."""
        layers = list(self.layers.values())
        blurred = self._known.trial.found.blurred
        return receptive_fields(self.module, layers, self.input.shape, self.feed, blurred)

    @property
    def measured(self) -> bool:
        """Whether the receptive fields are known already; measuring them takes seconds."""
        return "fields" in vars(self)

    def patch(self, layer: str) -> Patch:
        """A small input for drawing one neuron of `layer`: see `smallest_patch`."""
        found = self.layer(layer)
        if found.name not in self._patches:
            self._patches[found.name] = smallest_patch(
                self.module, found, self.input.channels, self.fields[found.name], self.feed
            )
        return self._patches[found.name]

    def pieces(self, layer: str) -> Pieces | None:
        """How to cut pictures for one position of `layer`; None where it takes the whole.

        That is so if the field is about as large as the picture, and if trial shows that positions
        answer to their pieces in another way, as where the layer knows where it is.
        """
        found = self.layer(layer)
        if found.name not in self._pieces:
            passes = self._passes
            takes, answers = partial(passes.reach, found), partial(passes.at, found)
            self._pieces[found.name] = (
                pieces_for(self.fields[found.name], self.input.shape, takes, answers)
                if found.spatial
                else None
            )
        return self._pieces[found.name]

    def window(self, layer: str) -> tuple[int, int]:
        """The size of picture, (h, w), on which to draw a channel of `layer`.

        Three receptive fields wide, so that what a channel looks for is seen a few times and not
        as a carpet of dots, but not below 64 pixels and not beyond the network's own input. It is
        that input where the layer has no positions or takes no other size.
        """
        found, own = self.layer(layer), self.input.size
        if not found.spatial or max(own) <= SMALLEST_WINDOW:
            return own
        wanted = window_for(own, self.fields[found.name])
        return wanted if self._passes.reach(found, wanted) else own

    def takes(self, size: tuple[int, int], layer: str) -> bool:
        """Whether pictures of `size` (h, w) reach `layer` and give it values for all its units."""
        return self._passes.reach(self.layer(layer), size)
