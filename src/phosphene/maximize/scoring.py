"""What a picture is drawn for, and how well pictures do."""

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.network import Network
from phosphene.objectives import Term, of_unit
from phosphene.units import Unit


def aim_at(network: Network, meant: Unit | str | Term) -> Term:
    """The objective of a unit of `network`, by itself or as a text; an objective is one already.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
    """
    return meant if isinstance(meant, Term) else of_unit(network.unit(meant))


@torch.no_grad()
def score(
    network: Network, objective: Term, pictures: Float[Tensor, "b c h w"]
) -> Float[Tensor, "b"]:
    """What `objective` gives each picture, as it is."""
    return objective(network.record(pictures, objective.layers)).cpu()
