"""Networks with parts that work against the target, and with units that only look like parts."""

from planted.setting import hidden, lamps
from planted.truth import Facts, Planted, Route, Truth, Wrong

QUIET_INHIBITOR = Planted(
    name="quiet inhibitor",
    words="""t = relu(a0 - a1): a1 forbids what a0 wants. On the unit's strongest pictures it
    is silent, as it must be, so all that multiplies by its value or takes it away is 0; only to
    raise it shows what it does. From its mean its silence is worth something.""",
    make=lambda: hidden(middle=[[1, -1, 0], [0, 0, 1]], target=[[1, 0], [0, 1]]),
    pictures=lamps((1, 0, 0.5)),
    data=lamps((1, 0, 0.5), (1, 1, 1), (0, 0, 0.5), (0, 0, 0)),
    truth=Truth(
        excites=(0,),
        inhibits=(1,),
        idle=(2,),
        mean=(0.5, 0.25, 0.5),
        high=(1, 1, 1),
        value=(1,),
        from_zero=Facts(removed=((1, 0, 0),), kept=((1, 0, 0),)),
        # all at their means: relu(.5 - .25) = .25
        from_mean=Facts(removed=((0.5, 0.25, 0),), kept=((0.5, 0.25, 0),)),
        raised=((0, -1, 0),),
    ),
    fools={
        "a x gradient, zero": Wrong(missed=(1,)),
        "a x gradient, averaged": Wrong(missed=(1,)),
        "abs x abs": Wrong(missed=(1,)),
        "integrated": Wrong(missed=(1,)),
        "guided": Wrong(missed=(1,)),
        "remove": Wrong(missed=(1,)),
        "keep": Wrong(missed=(1,)),
        "raise": Wrong(missed=(0,)),
    },
)

INHIBITOR = Planted(
    name="inhibitor at work",
    words="""t = a0 - relu(a1): a1 is there and holds the target down. Guided backpropagation
    drops what flows back negative into the gate, and the inhibitor with it.""",
    make=lambda: hidden(middle=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], target=[[1, -1, 0], [0, 0, 1]]),
    pictures=lamps((1, 0.5, 1)),
    data=lamps((1, 0.5, 1), (0, 0, 0), (1, 1, 1), (0, 0.5, 1)),
    truth=Truth(
        excites=(0,),
        inhibits=(1,),
        idle=(2,),
        mean=(0.5, 0.5, 0.75),
        high=(1, 1, 1),
        value=(0.5,),
        from_zero=Facts(removed=((1, -0.5, 0),), kept=((1, -0.5, 0),)),
        from_mean=Facts(removed=((0.5, 0, 0),), kept=((0.5, 0, 0),)),
        raised=((0, -0.5, 0),),
    ),
    fools={
        "a x gradient, mean": Wrong(missed=(1,)),  # it happens to be at its mean
        "guided": Wrong(missed=(1,)),
        # t is .5, 0, 0, -.5 over the data, and a1 is .5 at both ends
        "co-activation": Wrong(missed=(1,)),
        "raise": Wrong(missed=(0,)),
    },
)

TURNCOAT = Planted(
    name="turncoat",
    words="""t = 1 + relu(a0 + a1 - 1) - relu(a0 - a1): where a1 is there a0 excites, where it
    is not a0 inhibits, by as much. The mean of its signed scores over pictures is 0.""",
    make=lambda: hidden(
        middle=[[1, 1, 0], [1, -1, 0], [0, 0, 1]],
        biases=[-1, 0, 0],
        target=[[1, -1, 0], [0, 0, 1]],
        bias=1,
    ),
    pictures=lamps((0.5, 1, 0.5), (0.5, 0, 0.5)),
    data=lamps((0.5, 1, 0.5), (0.5, 0, 0.5), (0, 1, 0.5), (0, 0, 0.5)),
    truth=Truth(
        excites=(1,),
        mixed=(0,),
        idle=(2,),
        mean=(0.25, 0.5, 0.5),
        high=(0.5, 1, 0.5),
        value=(1.5, 0.5),
        # t is 1.5 and .5; without a0 it is 1. a0 alone: 1 - .5
        from_zero=Facts(
            removed=((0.5, 1, 0), (-0.5, 0, 0)),
            kept=((-0.5, 0, 0), (-0.5, 0, 0)),
        ),
        # all at their means: 1 + relu(-.25) - relu(-.25) = 1. First: a0 at .25 leaves 1.25, a1 at
        # .5 leaves 1 + 0 - 0; second: 1 - .25 and 1. Kept, first: a0 alone 1, a1 alone 1.25;
        # second: a0 alone 1, the absence of a1 alone 1 - .25
        from_mean=Facts(
            removed=((0.25, 0.5, 0), (-0.25, -0.5, 0)),
            kept=((0, 0.25, 0), (0, -0.25, 0)),
        ),
        raised=((0, 0, 0), (0, 1, 0)),
    ),
    fools={
        "a x gradient, averaged": Wrong(missed=(0,)),
        # a0 goes along with t on one half of the data, against it on the other
        "co-activation": Wrong(missed=(0,)),
        "keep": Wrong(missed=(1,)),  # without a0 there is nothing to turn
        "raise": Wrong(missed=(0,)),
    },
)

DECOY = Planted(
    name="correlated decoy",
    words="""t = a0. Unit 1 sees the same thing as unit 0 and is as strong on every picture,
    but only another unit reads it.""",
    make=lambda: hidden(see=[[1], [1]], middle=[[1, 0], [0, 1]], target=[[1, 0], [0, 1]]),
    pictures=lamps((1,), (0.5,)),
    data=lamps((1,), (0.5,), (0.5,), (0,)),
    truth=Truth(
        excites=(0,),
        idle=(1,),
        mean=(0.5, 0.5),
        high=(1, 1),
        value=(1, 0.5),
        from_zero=Facts(removed=((1, 0), (0.5, 0)), kept=((1, 0), (0.5, 0))),
        from_mean=Facts(removed=((0.5, 0), (0, 0)), kept=((0.5, 0), (0, 0))),
        raised=((0, 0), (0.5, 0)),
    ),
    fools={"co-activation": Wrong(called=(1,))},
)

CLOSED_GATE = Planted(
    name="gate that never opens",
    words="""t = a0 + relu(a1 - 2), and a1 is never above 1. There are weights from unit 1 to
    the target, and nothing has ever passed along them.""",
    make=lambda: hidden(middle=[[1, 0], [0, 1]], biases=[0, -2], target=[[1, 1]]),
    pictures=lamps((1, 1)),
    data=lamps((1, 1), (0.5, 0), (0, 1), (0.5, 0)),
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
    fools={"wires": Wrong(called=(1,)), "raise": Wrong(missed=(0,))},
)

CANCELLING = Planted(
    name="cancelling routes",
    words="""t = a0 + relu(a1) - relu(a1): unit 1 reaches the target on two routes that undo
    each other. Nothing that happens to unit 1 moves the target; what happens on one route does.""",
    make=lambda: hidden(middle=[[1, 0], [0, 1], [0, 1]], target=[[1, 1, -1]]),
    pictures=lamps((1, 1)),
    data=lamps((1, 1), (0.5, 0), (0, 1), (0.5, 0)),
    truth=Truth(
        excites=(0,),
        idle=(1,),
        mean=(0.5, 0.5),
        high=(1, 1),
        value=(1,),
        from_zero=Facts(removed=((1, 0),), kept=((1, 0),)),
        from_mean=Facts(removed=((0.5, 0),), kept=((0.5, 0),)),
        raised=((0, 0),),
        routes=(Route(1, "middle", (2,), removed=(1,)), Route(1, "middle", (1,), removed=(-1,))),
    ),
    fools={
        "guided": Wrong(called=(1,)),  # of the two routes only the positive one is left
        "wires": Wrong(called=(1,)),
        "raise": Wrong(missed=(0,)),
    },
)

ALL = (QUIET_INHIBITOR, INHIBITOR, TURNCOAT, DECOY, CLOSED_GATE, CANCELLING)
