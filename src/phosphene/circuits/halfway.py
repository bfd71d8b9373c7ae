"""Slopes halfway to a unit's absence, where one slope at its presence says too little."""

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.attribution.passes import gradients
from phosphene.attribution.starts import Start
from phosphene.circuits.target import Case
from phosphene.network import PLAIN
from phosphene.network.layouts import along_units
from phosphene.objectives import unit_maps


def halfway_slopes(
    case: Case, layer: str, absent: Float[Tensor, "b ..."], groups: int
) -> Float[Tensor, "b ..."]:
    """∂t/∂a of each unit where it, and the others of its group, are halfway to `absent`.

    Every unit is in one of so many `groups`, taken in turn, and each group costs one gradient.
    Removing a unit leads from a to its baseline with all others as they are; the slope in the
    middle of that way times its length is what is lost, up to the third order. With a group for
    each unit it is that slope itself; in larger groups the others of a unit's group are halfway
    too.

    *Source:* the midpoint rule; groups are ours. See docs/decisions.md for what it closes.
    """
    start = Start.at(case.network, case.pictures, layer)
    units = unit_maps(start.values).shape[1]
    found = torch.zeros_like(start.values)
    for group in range(min(groups, units)):
        mine = torch.zeros(1, units, dtype=torch.bool, device=found.device)
        mine[0, group::groups] = True
        here = along_units(mine, start.values)
        middle = torch.where(here, (start.values + absent) / 2, start.values)
        (slope,) = gradients(start.moved(middle), [case.target.term], PLAIN)
        found = torch.where(here, slope, found)
    return found
