"""Say before a study begins that its network can hardly be the one that was meant."""

from typing import Any

from torch.utils.data import Dataset

from phosphene.cli.output import warn
from phosphene.errors import PhospheneError
from phosphene.evaluation import Plausibility, plausible
from phosphene.network import Input, Network
from phosphene.words import literal, percent, plural


def warn_implausible(network: Network, data: Dataset[Any], *, others: bool) -> None:
    """Warn where labelled pictures are read about as well as by chance, or far better otherwise.

    With `others`, where nothing was said of mean, deviation and range, other usual ones are tried.
    """
    try:
        found = plausible(network, data, others=others)
    except PhospheneError:
        return  # the study itself will say what is wrong, if it is in its way
    if found is not None and found.better is not None:
        warn(_better(found, *found.better))
    elif found is not None and found.by_chance:
        warn(
            f"{_told(found)}, which is chance. Are these the trained weights (--weights), is the "
            "input normalised as in training (--mean, --std, --range), are the classes in order?"
        )


def _told(found: Plausibility) -> str:
    return (
        f"{percent(found.accuracy)} of {plural(found.count, 'picture')} of "
        f"{plural(found.classes, 'class', 'classes')} are read right"
    )


def _better(found: Plausibility, input: Input, accuracy: float) -> str:
    return (
        f"{_told(found)}; with {as_options(input)} it is {percent(accuracy)}. If the network was "
        "trained so, stop here and say so"
    )


def as_options(input: Input) -> str:
    """How an input's normalisation is typed.

    >>> as_options(Input(3, (8, 8), mean=(0.485, 0.456, 0.406), std=0.5))
    '--mean 0.485,0.456,0.406 --std 0.5'
    >>> as_options(Input(1, (8, 8), value_range=(0.0, 255.0)))
    '--range 0,255'
    """
    low, high = input.value_range
    said = [f"--range {literal(low)},{literal(high)}"] if (low, high) != (0.0, 1.0) else []
    for name, values, usual in (("mean", input.mean, 0.0), ("std", input.std, 1.0)):
        numbers = values if isinstance(values, tuple) else (values,)
        if set(numbers) != {usual}:
            shown = numbers[:1] if len(set(numbers)) == 1 else numbers
            said.append(f"--{name} {','.join(map(literal, shown))}")
    return " ".join(said) or "--mean 0 --std 1"
