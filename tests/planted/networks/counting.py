"""Networks of parts that add up, are full, stand in for one another, or need one another."""

from torch import nn

from planted.setting import eye, hidden, lamps, layers, mixing, pattern
from planted.truth import Facts, Pair, Planted, Truth, Wrong

BLIND = Wrong(missed=(0, 1))

TWO_PARTS = Planted(
    name="two parts",
    words="""A house is a roof (0) above a wall (1): t = 2 roof + wall, read at two different
    places of a 3x3 window. Unit 2 feeds another unit of the same layer. Nothing is hidden here:
    whatever gets this wrong is broken.""",
    make=lambda: layers(
        see=mixing(eye(3)),
        source=nn.ReLU(),
        target=pattern({(0, 0, 0, 1): 2.0, (0, 1, 2, 1): 1.0, (1, 2, 1, 1): 1.0}, units=(2, 3)),
    ),
    pictures=lamps((1, 1, 1), (1, 0.5, 0), size=5),
    data=lamps((1, 1, 1), (1, 0.5, 0), (0, 0, 1), (0, 0.5, 0), size=5),
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(0.5, 0.5, 0.5),
        high=(1, 1, 1),
        value=(3, 2.5),
        # t is a sum, so that to remove a part and to keep it are the same
        from_zero=Facts(removed=((2, 1, 0), (2, 0.5, 0)), kept=((2, 1, 0), (2, 0.5, 0))),
        from_mean=Facts(removed=((1, 0.5, 0), (1, 0, 0)), kept=((1, 0.5, 0), (1, 0, 0))),
        raised=((0, 0, 0), (0, 0.5, 0)),
    ),
    # at its own highest level a part cannot be raised: on both pictures the roof is
    fools={"raise": Wrong(missed=(0,))},
)

SATURATED = Planted(
    name="saturated part",
    words="""t = min(a0, 1) + a1, and a0 = 2: it could lose half of what it has and t would not
    move. So its slope is 0, while all that it gives to t is 1. min(a0, 1) is 1 - relu(1 - a0).""",
    make=lambda: hidden(
        see=[[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        middle=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
        biases=[1, 0, 0],
        target=[[-1, 1, 0], [0, 0, 1]],
        bias=1,
    ),
    pictures=lamps((1, 0.5, 1)),
    data=lamps((1, 0.5, 1), (0, 0.5, 0), (0, 0, 1), (0, 0, 1)),
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(0.5, 0.25, 0.75),
        high=(2, 0.5, 1),
        value=(1.5,),
        from_zero=Facts(removed=((1, 0.5, 0),), kept=((1, 0.5, 0),)),
        # min(2, 1) - min(.5, 1) = .5
        from_mean=Facts(removed=((0.5, 0.25, 0),), kept=((0.5, 0.25, 0),)),
        raised=((0, 0, 0),),
    ),
    # the gate relu(1 - a0) is shut where the part is full; the path from zero meets it open
    fools={
        "a x gradient, zero": Wrong(missed=(0,)),
        "a x gradient, averaged": Wrong(missed=(0,)),
        "a x gradient, mean": Wrong(missed=(0,)),
        "abs x abs": Wrong(missed=(0,)),
        "guided": Wrong(missed=(0,)),
        "raise": BLIND,  # both are at their highest
    },
)

TWINS = Planted(
    name="redundant twins",
    words="""t = min(a0 + a1, 1) + a2, and both twins are 1: either is enough. Take one away
    and the other does its work; keep one and it does all of it.""",
    make=lambda: hidden(
        middle=[[-1, -1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        biases=[1, 0, 0],
        target=[[-1, 1, 0], [0, 0, 1]],
        bias=1,
    ),
    pictures=lamps((1, 1, 0.5, 1)),
    data=lamps((1, 1, 0.5, 1), (0, 0, 0.5, 0), (0, 0, 0, 1), (0, 0, 0, 1)),
    truth=Truth(
        excites=(0, 1, 2),
        idle=(3,),
        mean=(0.25, 0.25, 0.25, 0.75),
        high=(1, 1, 0.5, 1),
        value=(1.5,),
        from_zero=Facts(removed=((0, 0, 0.5, 0),), kept=((1, 1, 0.5, 0),)),
        # all at their means: min(.5, 1) + .25 = .75; one twin kept: min(1.25, 1) + .25 = 1.25
        from_mean=Facts(removed=((0, 0, 0.25, 0),), kept=((0.5, 0.5, 0.25, 0),)),
        raised=((0, 0, 0, 0),),
        pairs=(Pair((0, 1), "redundant", removed=1, kept=-1),),
    ),
    fools={
        # 1 - a0 - a1 = -1: the gate is shut; on the path from zero it is open half of the way
        "a x gradient, zero": BLIND,
        "a x gradient, averaged": BLIND,
        "a x gradient, mean": BLIND,
        "abs x abs": BLIND,
        "guided": BLIND,
        "remove": BLIND,
        "raise": Wrong(missed=(0, 1, 2)),
    },
)

AND = Planted(
    name="and",
    words="""t = relu(a0 + a1 - 1), and both are 1: neither does anything alone, each is worth
    all that there is. Removals therefore add up to twice t.""",
    make=lambda: hidden(
        middle=[[1, 1, 0], [0, 0, 1]],
        biases=[-1, 0],
        target=[[1, 0], [0, 1]],
    ),
    pictures=lamps((1, 1, 0.5)),
    data=lamps((1, 1, 0.5), (1, 0, 1), (0, 1, 0.5), (0, 0, 0)),
    truth=Truth(
        excites=(0, 1),
        idle=(2,),
        mean=(0.5, 0.5, 0.5),
        high=(1, 1, 1),
        value=(1,),
        from_zero=Facts(removed=((1, 1, 0),), kept=((0, 0, 0),)),
        # the other stays at 1, or at its mean: relu(.5 + 1 - 1) = .5; all at their means: 0
        from_mean=Facts(removed=((0.5, 0.5, 0),), kept=((0.5, 0.5, 0),)),
        raised=((0, 0, 0),),
        pairs=(Pair((0, 1), "joint", removed=-1, kept=1),),
    ),
    fools={"keep": BLIND, "raise": BLIND},
)

MAJORITY = Planted(
    name="two of three",
    words="""t = 1 where two or more of a0, a1, a2 are there, + a3. All three are: to lose one
    changes nothing, to have one alone is worth nothing, none can be raised. From zero no fact
    about a single part shows them, only pairs do, which are redundant and joint at once; from
    the mean, where half of each is left, keeping one does. min(max(s - 1, 0), 1) is relu(s - 1)
    - relu(s - 2) for the sum s.""",
    make=lambda: hidden(
        middle=[[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]],
        biases=[-1, -2, 0, 0],
        target=[[1, -1, 1, 0], [0, 0, 0, 1]],
    ),
    pictures=lamps((1, 1, 1, 0.5, 1)),
    data=lamps((1, 1, 1, 0.5, 1), (1, 0, 0, 0.5, 0), (0, 1, 0, 0, 1), (0, 0, 1, 0, 1)),
    truth=Truth(
        excites=(0, 1, 2, 3),
        idle=(4,),
        mean=(0.5, 0.5, 0.5, 0.25, 0.75),
        high=(1, 1, 1, 0.5, 1),
        value=(1.5,),
        from_zero=Facts(removed=((0, 0, 0, 0.5, 0),), kept=((0, 0, 0, 0.5, 0),)),
        # all at their means: s = 1.5 gives .5; one kept: s = 2 gives 1; one removed: s = 2.5, 1
        from_mean=Facts(removed=((0, 0, 0, 0.25, 0),), kept=((0.5, 0.5, 0.5, 0.25, 0),)),
        raised=((0, 0, 0, 0, 0),),
        pairs=(
            Pair((0, 1), "both", removed=1, kept=1),
            Pair((0, 2), "both", removed=1, kept=1),
            Pair((1, 2), "both", removed=1, kept=1),
        ),
    ),
    fools={
        # beyond two the slopes of relu(s - 1) and relu(s - 2) cancel. Guided drops the negative
        # one, and so finds all three for a wrong reason
        "a x gradient, zero": Wrong(missed=(0, 1, 2)),
        "a x gradient, averaged": Wrong(missed=(0, 1, 2)),
        "a x gradient, mean": Wrong(missed=(0, 1, 2)),
        "abs x abs": Wrong(missed=(0, 1, 2)),
        "remove": Wrong(missed=(0, 1, 2)),
        "keep": Wrong(missed=(0, 1, 2)),
        "raise": Wrong(missed=(0, 1, 2, 3)),
        "remove, keep and raise": Wrong(missed=(0, 1, 2)),
    },
)

SOMETIMES = Planted(
    name="part in some images",
    words="""t = a0 + relu(a1 + a2 - 1): a1 counts only where a2 gives it leave. On the first
    picture a2 is 0 and a1 does nothing, though it is as strong as on the second.""",
    make=lambda: hidden(
        middle=[[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]],
        biases=[0, -1, 0],
        target=[[1, 1, 0], [0, 0, 1]],
    ),
    pictures=lamps((1, 0.75, 0, 0.5), (0.5, 0.75, 1, 0.5)),
    data=lamps((1, 0.75, 0, 0.5), (0.5, 0.75, 1, 0.5), (0, 0, 0, 0.5), (0.5, 0.5, 1, 0.5)),
    truth=Truth(
        excites=(0, 1, 2),
        idle=(3,),
        mean=(0.5, 0.5, 0.5, 0.5),
        high=(1, 0.75, 1, 0.5),
        value=(1, 1.25),
        from_zero=Facts(
            removed=((1, 0, 0, 0), (0.5, 0.75, 0.75, 0)),
            kept=((1, 0, 0, 0), (0.5, 0, 0, 0)),
        ),
        # all at their means: .5 + relu(0) = .5
        from_mean=Facts(
            # first: a2 at .5 opens the gate by .25; second: .75 of the gate falls to .5 or .25
            removed=((0.5, 0, -0.25, 0), (0, 0.25, 0.5, 0)),
            kept=((0.5, 0.25, 0, 0), (0, 0.25, 0.5, 0)),
        ),
        raised=((0, 0, 0.75, 0), (0.5, 0, 0, 0)),
    ),
    fools={
        "keep": Wrong(missed=(1, 2)),  # each needs the other
        "raise": Wrong(missed=(1,)),  # at its highest on both pictures
    },
)

ALL = (TWO_PARTS, SATURATED, TWINS, AND, MAJORITY, SOMETIMES)
