"""Networks without hard gates: attention, GELU, products, layer normalisation."""

from math import erf, hypot, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from planted.setting import dense, eye, lamps, layers, mixing
from planted.truth import Facts, Pair, Planted, Truth, Wrong

SHARP = 16.0
"""How much attention listens to a key: exp(16) against 3 others is all but 2e-7 of its weight."""

DIP = -0.75
"""Where GELU has no slope, to 8e-4, while it is at its lowest, -.17."""


class Patches(nn.Module):
    """One token for each pixel, b t d, row by row."""

    def forward(self, x: Tensor) -> Tensor:
        """(b, h w, c)."""
        return x.flatten(2).transpose(1, 2)


class Pooled(nn.Module):
    """Attention of one learned query to all tokens: softmax(k · q) · v."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.tensor([SHARP]))
        self.key = dense([[1, 0, 0]])
        self.value = dense([[0, 1, 0], [0, 0, 1]])

    def forward(self, x: Tensor) -> Tensor:
        """(b, 2)."""
        weights = (self.key(x) @ self.query).softmax(1)
        return (weights[:, None] @ self.value(x))[:, 0]


def _tokens(*rows: tuple[int | None, int | None, float]) -> Tensor:
    """Pictures of 2x2: at which place unit 0 points, at which unit 1 is, how bright unit 2 is."""
    made = torch.zeros(len(rows), 3, 2, 2)
    for picture, (pointed, there, even) in zip(made, rows, strict=True):
        for unit, place in ((0, pointed), (1, there)):
            if place is not None:
                picture[unit].view(-1)[place] = 1
        picture[2] = even
    return made


TOKEN = Planted(
    name="attention token",
    words="""Unit 0 is the key that says where to look, unit 1 the value that is read there, and
    the target is what was read. The pointer is followed for certain, so its slope is 0; without it
    all four places are read alike and t falls from 1 to 1/4. Raised everywhere it points nowhere.
    A rule that holds attention weights, as RelP does, gives it nothing either.""",
    make=lambda: layers(
        see=mixing(eye(3)), patches=Patches(), source=nn.ReLU(), pool=Pooled(), target=dense(eye(2))
    ),
    pictures=_tokens((0, 0, 1)),
    data=_tokens((0, 0, 1), (0, 3, 1), (0, None, 0), (3, 3, 0)),
    target="target:0",
    axis=-1,
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(1 / 4, 3 / 16, 1 / 2),
        high=(1, 1, 1),
        value=(1,),
        from_zero=Facts(removed=((3 / 4, 1, 0),), kept=((0, 1 / 4, 0),)),
        # any even key is no key; an even value is read wherever one looks
        from_mean=Facts(removed=((3 / 4, 1 - 3 / 16, 0),), kept=((0, 1 / 4 - 3 / 16, 0),)),
        raised=((-3 / 4, 0, 0),),
    ),
    fools={
        "a x gradient, zero": Wrong(missed=(0,)),
        "a x gradient, averaged": Wrong(missed=(0,)),
        "a x gradient, mean": Wrong(missed=(0,)),
        "abs x abs": Wrong(missed=(0,)),
        "guided": Wrong(missed=(0,)),  # the gradient where nothing is rectified
        "co-activation": Wrong(missed=(0,)),  # it points as strongly in every picture
        "keep": Wrong(missed=(0,)),  # a pointer at nothing
        "raise": Wrong(missed=(1,)),
    },
)


def _gelu(x: float) -> float:
    """x Φ(x)."""
    return x * (1 + erf(x / sqrt(2))) / 2


FULL, HALF, QUARTER = _gelu(8) / 8, _gelu(4) / 8, _gelu(DIP / 2)
DIPPED = Planted(
    name="GELU's dip",
    words="""t = gelu(-3/4 a0) + gelu(8 a1) / 8. A rectifier would have shut unit 0 out; GELU lets
    it take .17 away, at the one place where GELU is flat. Its slope says nothing, its removal
    does. A rule that passes on output over input, as RelP does, gives it just what it takes.""",
    make=lambda: layers(
        see=mixing(eye(3)),
        source=nn.ReLU(),
        middle=mixing([[DIP, 0, 0], [0, 8, 0], [0, 0, 1]]),
        gates=nn.GELU(),
        target=mixing([[1, 1 / 8, 0], [0, 0, 1]]),
    ),
    pictures=lamps((1, 1, 1)),
    data=lamps((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    truth=Truth(
        excites=(1,),
        inhibits=(0,),
        idle=(2,),
        mean=(0.5, 0.5, 0.5),
        high=(1, 1, 1),
        value=(_gelu(DIP) + FULL,),
        from_zero=Facts(removed=((_gelu(DIP), FULL, 0),), kept=((_gelu(DIP), FULL, 0),)),
        from_mean=Facts(
            removed=((_gelu(DIP) - QUARTER, FULL - HALF, 0),),
            kept=((_gelu(DIP) - QUARTER, FULL - HALF, 0),),
        ),
        raised=((0, 0, 0),),
    ),
    fools={
        "a x gradient, zero": Wrong(missed=(0,)),
        "a x gradient, averaged": Wrong(missed=(0,)),
        "a x gradient, mean": Wrong(missed=(0,)),
        "abs x abs": Wrong(missed=(0,)),
        "guided": Wrong(missed=(0,)),
        "raise": Wrong(missed=(0, 1)),
    },
)


class Excited(nn.Module):
    """Squeeze and excite: target(x · gate(mean of x over all places))."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.source = mixing(eye(3)), nn.ReLU()
        self.pool, self.gate = nn.AdaptiveAvgPool2d(1), mixing([[0, 4, 0]])
        self.target = mixing([[1, 0, 0], [0, 0, 1]])

    def forward(self, x: Tensor) -> Tensor:
        """(b, 2, h, w)."""
        x = self.source(self.see(x))
        return self.target(x * self.gate(self.pool(x)))


def _corner(*rows: tuple[float, float, float]) -> Tensor:
    """Pictures of 4x4: unit 1 in the lower right quarter, the others everywhere."""
    made = lamps(*rows, size=4)
    made[:, 1, :2], made[:, 1, :, :2] = 0, 0
    return made


EXCITED = Planted(
    name="gate from afar",
    words="""t = a0 · 4 mean(a1), at the upper left: a1, in the lower right quarter, lets the
    target see a0. It is far outside of the one place that the kernel of the target reads. Each
    factor is worth all of t, so that removals and scores add up to twice t, and neither is worth
    anything alone.""",
    make=lambda: Excited().eval(),
    pictures=_corner((0.5, 1, 0.5)),
    data=_corner((0.5, 1, 0.5), (0.5, 0, 1), (0, 1, 0.5), (0, 0, 0)),
    target="target:0@0,0",
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(0.25, 0.125, 0.5),
        high=(0.5, 1, 1),
        value=(0.5,),
        from_zero=Facts(removed=((0.5, 0.5, 0),), kept=((0, 0, 0),)),
        # all at their means: .25 · 4 · .125 = .125; either at its mean: .25
        from_mean=Facts(removed=((0.25, 0.25, 0),), kept=((0.125, 0.125, 0),)),
        raised=((0, 1.5, 0),),  # everywhere unit 1 is four times what it is in a quarter
        pairs=(Pair((0, 1), "joint", removed=-0.5, kept=0.5),),
    ),
    fools={"keep": Wrong(missed=(0, 1)), "raise": Wrong(missed=(0,))},
)


class PlaceNorm(nn.Module):
    """Layer normalisation of each place over its units, without weights of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return F.layer_norm(x.movedim(1, -1), (x.shape[1],), eps=1e-12).movedim(-1, 1)


def _share(a0: float, a1: float) -> float:
    """The first of (a0, -a0, a1, -a1) over their deviation."""
    return sqrt(2) * a0 / hypot(a0, a1)


CROWDED = Planted(
    name="crowded out by a norm",
    words="""t is the first of (a0, -a0, a1, -a1) after layer normalisation, sqrt(2) a0 / |(a0,
    a1)|. The target reads unit 0 alone; unit 1 takes its share away by making the divisor larger.
    A rule that holds the divisor, as RelP does, gives it nothing.""",
    make=lambda: layers(
        see=mixing(eye(3)),
        source=nn.ReLU(),
        middle=mixing([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]),
        norm=PlaceNorm(),
        target=mixing([[1, 0, 0, 0]]),
    ),
    pictures=lamps((0.6, 0.8, 1)),
    data=lamps((0.6, 0.8, 1), (0.6, 0, 0), (0, 0.8, 0.5), (0, 0, 0)),
    truth=Truth(
        excites=(0,),
        inhibits=(1,),
        idle=(2,),
        mean=(0.3, 0.4, 0.375),
        high=(0.6, 0.8, 1),
        value=(_share(0.6, 0.8),),
        # without unit 1 the norm makes 1 of whatever unit 0 is
        from_zero=Facts(removed=((0.6 * sqrt(2), -0.4 * sqrt(2), 0),), kept=((sqrt(2), 0, 0),)),
        from_mean=Facts(
            removed=(
                (_share(0.6, 0.8) - _share(0.3, 0.8), _share(0.6, 0.8) - _share(0.6, 0.4), 0),
            ),
            kept=((_share(0.6, 0.4) - _share(0.3, 0.4), _share(0.3, 0.8) - _share(0.3, 0.4), 0),),
        ),
        raised=((0, 0, 0),),
    ),
    fools={"keep": Wrong(missed=(1,)), "raise": Wrong(missed=(0, 1))},
)

ALL = (TOKEN, DIPPED, EXCITED, CROWDED)
