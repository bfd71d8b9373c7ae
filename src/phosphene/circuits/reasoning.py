"""Why a picture is read as it is, and what would change that: each found by score, then run."""

from collections.abc import Sequence

import torch

from phosphene.circuits.baseline import baselines_of
from phosphene.circuits.flips import FLIPPING, flip_of
from phosphene.circuits.reasons import Why
from phosphene.circuits.staging import stages
from phosphene.circuits.target import Case, Target
from phosphene.circuits.ways import ways_to
from phosphene.errors import InputError
from phosphene.network import Network
from phosphene.objectives import Channel, Term
from phosphene.progress import telling
from phosphene.spellings import Model, Shown, layers_of, network_of, picture_of, unit_of
from phosphene.units import Unit


@telling("asking why")
def why(
    network: Model,
    picture: Shown,
    answer: object = None,
    instead: object = None,
    layers: str | Sequence[str] | None = None,
    *,
    k: int = 6,
    depth: int = 3,
    data: object = None,
    baseline: str | None = None,
) -> Why:
    """Find the strongest ways from a picture's pixels to a class, and what would change the answer.

    Args:
        network: a network, a module, or what `load_network` takes; it gives classes.
        picture: one picture, in any spelling.
        answer: the class, by name or number; what the picture is read as unless given.
        instead: a class that the answer is compared with: then all is about its lead over that.
        layers: what ways lead through, nearest to the class first; otherwise the stages below it.
        k: how many ways that speak for the answer; half as many that speak against it are kept.
        depth: how many stages, where `layers` are not named.
        data: pictures or a dataset, for what is usual of each unit.
        baseline: what a unit is when it is not there: its "mean", as where there are data, or
            "zero", as where there are none.

    Raises:
        NetworkError: the network gives no classes.
        InputError: k or depth below 1, or a class compared with itself.
        UnknownLayerError, UnknownUnitError: with the nearest names.

    *Source:* for ways Achtibat et al. 2023, arXiv 2206.03208; for patching along one of them
    Wang et al. 2022, arXiv 2211.00593.
    """
    net = network_of(network)
    shown = picture_of(net, picture)[None]
    net.input.check_shape(shown)
    net.input.check_values(shown)
    if k < 1 or depth < 1:
        raise InputError(f"{k} ways through {depth} stages: expected at least 1 of each")
    logits = net.logits.name
    with torch.no_grad():
        scores = net.record(shown, [logits])[logits].flatten(1)
    read = _class(net, answer) if answer is not None else int(scores[0].argmax())
    other = None if instead is None else _class(net, instead)
    if read == other:
        raise InputError(
            f"{net.called(Unit(logits, read))} was to be compared with itself; name another class, "
            "or the answer too"
        )
    term: Term = Channel(logits, read)
    if other is not None:
        term = Channel(logits, read) - Channel(logits, other)
    below = stages(net, logits)[:depth] if layers is None else tuple(layers_of(net, layers))
    below = tuple(net.layer(name).name for name in below)
    absent = baselines_of(net, below, baseline, data)
    case = Case(net, shown, Target(term))
    ways = ways_to(case, below, absent, k)
    flips = [flip_of(case, layer, absent[layer], read) for layer in below]
    return Why(
        net.name,
        shown[0].cpu(),
        net.called(Unit(logits, read)),
        None if other is None else net.called(Unit(logits, other)),
        float(scores[0, read] - (0 if other is None else scores[0, other])),
        below,
        absent[below[0]].name,
        ways,
        tuple(flip for flip in flips if flip is not None),
        FLIPPING,
    )


def _class(network: Network, meant: object) -> int:
    """A class by its name or number."""
    return meant if isinstance(meant, int) else unit_of(network, meant).index
