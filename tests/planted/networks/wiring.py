"""Networks whose units meet the target in roundabout ways: a shortcut, a reused module, a norm."""

import torch
from torch import Tensor, nn

from planted.setting import eye, lamps, layers, mixing
from planted.truth import Facts, Planted, Route, Truth, Wrong


class Shortcut(nn.Module):
    """A residual block: target(x + back(relu(middle(x))))."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.source = mixing(eye(3)), nn.ReLU()
        self.middle, self.gates = mixing([[1, 0, 0], [0, 1, 0]]), nn.ReLU()
        self.back = mixing([[-0.5, 1], [0, 0], [0, 0]])
        self.target = mixing([[1, 0, 0], [0, 0, 1]])

    def forward(self, x: Tensor) -> Tensor:
        """(b, 2, h, w)."""
        x = self.source(self.see(x))
        return self.target(x + self.back(self.gates(self.middle(x))))


SKIP = Planted(
    name="skip route",
    words="""t = a0 - relu(a0) / 2 + relu(a1): unit 0 goes round the block with all of its
    strength and loses half of it to what it does inside; unit 1 acts inside alone. Total
    effects are a0 / 2 and a1, direct ones (with the block held as it was) a0 and 0.""",
    make=lambda: Shortcut().eval(),
    pictures=lamps((1, 0.5, 1)),
    data=lamps((1, 0.5, 1), (0, 0.5, 0), (1, 0, 0), (0, 0, 1)),
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(0.5, 0.25, 0.5),
        high=(1, 0.5, 1),
        value=(1,),
        from_zero=Facts(removed=((0.5, 0.5, 0),), kept=((0.5, 0.5, 0),)),
        from_mean=Facts(removed=((0.25, 0.25, 0),), kept=((0.25, 0.25, 0),)),
        raised=((0, 0, 0),),
        routes=(
            Route(0, "middle", (0, 1), removed=(1,)),
            Route(1, "middle", (0, 1), removed=(0,)),
        ),
    ),
    fools={"raise": Wrong(missed=(0, 1))},
)


class Twice(nn.Module):
    """One convolution and one rectifier, each called two times: target(f(f(x)))."""

    def __init__(self) -> None:
        super().__init__()
        self.see, self.source = mixing(eye(3)), nn.ReLU()
        self.step, self.rectify = mixing([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), nn.ReLU()
        self.target = mixing([[0, 0, 1]])

    def forward(self, x: Tensor) -> Tensor:
        """(b, 1, h, w)."""
        x = self.source(self.see(x))
        x = self.rectify(self.step(x))
        return self.target(self.rectify(self.step(x)))


REUSED = Planted(
    name="reused module",
    words="""A step hands unit 0 to unit 1, and unit 1 to unit 2. It is taken twice, and the
    target reads unit 2: t = a0. Its kernel, and either call alone, say that unit 1 makes unit
    2.""",
    make=lambda: Twice().eval(),
    pictures=lamps((1, 1, 1)),
    data=lamps((1, 1, 1), (0.5, 0, 1), (0, 1, 1), (0.5, 0, 0)),
    truth=Truth(
        excites=(0,),
        idle=(1, 2),
        mean=(0.5, 0.5, 0.75),
        high=(1, 1, 1),
        value=(1,),
        from_zero=Facts(removed=((1, 0, 0),), kept=((1, 0, 0),)),
        from_mean=Facts(removed=((0.5, 0, 0),), kept=((0.5, 0, 0),)),
        raised=((0, 0, 0),),
    ),
    fools={"raise": Wrong(missed=(0,))},
)


def _norm() -> nn.BatchNorm2d:
    """y0 = x0 + 1/2, y1 = 2 - x1 / 2, y2 = 1 whatever x2 is."""
    norm = nn.BatchNorm2d(3, eps=0.0)
    with torch.no_grad():
        norm.running_mean.copy_(torch.tensor([0.5, 0, 0]))
        norm.running_var.copy_(torch.tensor([4.0, 4.0, 4.0]))
        norm.weight.copy_(torch.tensor([2.0, -1.0, 0.0]))
        norm.bias.copy_(torch.tensor([1.0, 2.0, 1.0]))
    return norm


NORMED = Planted(
    name="batch normalisation",
    words="""Between the kernels stands a BatchNorm that turns one weight about and erases
    another. The kernel says 1, 4 and 4; with the norm folded in it is 1, -2 and 0, so that unit
    1, of a positive weight, inhibits and unit 2 is no part: t = 3.5 + a0 - 2 a1.""",
    make=lambda: layers(
        see=mixing(eye(3)),
        source=nn.ReLU(),
        middle=mixing([[1, 0, 0], [0, 4, 0], [0, 0, 4]]),
        norm=_norm(),
        gates=nn.ReLU(),
        target=mixing([[1, 1, 1]]),
    ),
    pictures=lamps((1, 0.25, 1)),
    data=lamps((1, 0.25, 1), (0, 0.25, 0), (1, 1, 1), (0, 0.5, 1)),
    truth=Truth(
        excites=(0,),
        inhibits=(1,),
        idle=(2,),
        mean=(0.5, 0.5, 0.75),
        high=(1, 1, 1),
        value=(4,),
        from_zero=Facts(removed=((1, -0.5, 0),), kept=((1, -0.5, 0),)),
        from_mean=Facts(removed=((0.5, 0.5, 0),), kept=((0.5, 0.5, 0),)),
        raised=((0, -1.5, 0),),
    ),
    fools={"raise": Wrong(missed=(0,))},
)

ALL = (SKIP, REUSED, NORMED)
