"""Networks in which it matters where in its map a unit is."""

import torch
from torch import Tensor, nn

from planted.setting import eye, lamps, layers, mixing, pattern
from planted.truth import Facts, Planted, Truth, Wrong

OTHER = 3 / 16
"""The mean of units 0 and 1 of the switch: two of 16 places at 1 and two at 1/2."""


def _halves(*rows: tuple[float, float, float]) -> Tensor:
    """Pictures of 2x2: unit 0 in the upper half, unit 1 in the lower, unit 2 everywhere."""
    made = torch.zeros(len(rows), 3, 2, 2)
    for picture, (upper, lower, even) in zip(made, rows, strict=True):
        picture[0, 0], picture[1, 1], picture[2] = upper, lower, even
    return made


SWITCH = Planted(
    name="max-pool switch",
    words="""t is the largest value of a0 + a1 over all places. Unit 0 is 1 in the upper half
    and wins there; unit 1 is 1/2 in the lower half, an understudy that no gradient reaches
    where it is. It takes over once unit 0 is gone, so that the removal of unit 0 counts half of
    what it is.""",
    make=lambda: layers(
        see=mixing(eye(3)),
        source=nn.ReLU(),
        sum=mixing([[1, 1, 0], [0, 0, 1]]),
        pool=nn.MaxPool2d(2),
        target=mixing(eye(2)),
    ),
    pictures=_halves((1, 0.5, 1)),
    data=_halves((1, 0.5, 1), (0.5, 0, 0.5), (0, 1, 0), (0, 0, 0.5)),
    target="target:0@0,0",
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(OTHER, OTHER, 0.5),
        high=(1, 1, 1),
        value=(1,),
        from_zero=Facts(removed=((0.5, 0, 0),), kept=((1, 0.5, 0),)),
        from_mean=Facts(
            # unit 0 at its mean: max(m, m + 1/2); unit 1: max(1 + m, m)
            removed=((1 - (OTHER + 0.5), 1 - (1 + OTHER), 0),),
            # all at their means: 2m
            kept=((1 + OTHER - 2 * OTHER, 0.5 + OTHER - 2 * OTHER, 0),),
        ),
        # raised everywhere unit 0 meets unit 1 in the lower half, and unit 1 unit 0 in the upper
        raised=((0.5, 1, 0),),
    ),
    fools={
        "a x gradient, zero": Wrong(missed=(1,)),
        "a x gradient, averaged": Wrong(missed=(1,)),
        # from its mean unit 1 is found for what it is not at the winner's place
        "abs x abs": Wrong(missed=(1,)),
        "integrated": Wrong(missed=(1,)),
        "guided": Wrong(missed=(1,)),
        "remove": Wrong(missed=(1,)),
    },
)

EVEN = Planted(
    name="places that cancel",
    words="""t = a0 in the middle + a1 on its left - a1 on its right: unit 1 matters where it
    has an edge. On an even surface its places cancel, to the last one, and so does all that can
    be done to it as a whole: it is no part of the target there, however large its two halves
    are.""",
    make=lambda: layers(
        see=mixing(eye(2)),
        source=nn.ReLU(),
        target=pattern({(0, 0, 1, 1): 1.0, (0, 1, 1, 0): 1.0, (0, 1, 1, 2): -1.0}, units=(1, 2)),
    ),
    pictures=lamps((1, 1)),
    data=lamps((1, 1), (0.5, 0), (0, 1), (0.5, 0)),
    target="target:0@0,0",
    truth=Truth(
        excites=(0,),
        idle=(1,),
        mean=(0.5, 0.5),
        high=(1, 1),
        value=(1,),
        from_zero=Facts(removed=((1, 0),), kept=((1, 0),)),
        from_mean=Facts(removed=((0.5, 0),), kept=((0.5, 0),)),
        raised=((0, 0),),
    ),
    fools={
        "abs x abs": Wrong(called=(1,)),  # it adds up what cancels
        "wires": Wrong(called=(1,)),
        "raise": Wrong(missed=(0,)),
    },
)

ALL = (SWITCH, EVEN)
