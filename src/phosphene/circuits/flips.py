"""What would change the answer: units of a stage without which a picture is read otherwise."""

import torch
from torch import Tensor

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import spread
from phosphene.circuits.reasons import Flip
from phosphene.circuits.staging import called
from phosphene.circuits.target import Case
from phosphene.network import Intervention, Network
from phosphene.scores import probabilities
from phosphene.units import Unit

FLIPPING = 32
"""So many units of a stage are removed, alone and together, to see what changes the answer."""


def flip_of(case: Case, layer: str, absent: Baseline, read: int) -> Flip | None:
    """The smallest set found of a layer's units without which the class is not `read`.

    Of the `FLIPPING` units that add most to the target each is removed alone; where none of them
    changes the class, they are removed together, those first whose own removal takes most, until
    it does. None where it does not, or where the picture is not read as that class to begin with.
    """
    network, picture = case.network, case.pictures
    found, _ = spread(case, layer, absent)
    order = found.score[0].argsort(descending=True)[:FLIPPING]
    order = order[found.score[0, order] > 0]
    alone = torch.zeros(1 + len(order), found.score.shape[1], dtype=torch.bool)
    alone[torch.arange(1, len(alone)), order] = True
    run = Intervention(network, layer, absent.values)
    whole = network.logits.name
    scores = _scores(run, picture, alone, whole)
    before = float(probabilities(scores[:1], network.task)[0, read])
    if int(scores[0].argmax()) != read:
        return None
    lost = _margin(scores[:1], read) - _margin(scores[1:], read)
    for rank in lost.argsort(descending=True, stable=True).tolist():
        if int(scores[1 + rank].argmax()) != read:
            return _flip(network, (Unit(layer, int(order[rank])),), scores[1 + rank], read, before)
    ordered = order[lost.argsort(descending=True, stable=True)]
    together = torch.zeros(len(ordered), found.score.shape[1], dtype=torch.bool)
    for count in range(len(ordered)):
        together[count, ordered[: count + 1]] = True
    if not len(together):
        return None
    scores = _scores(run, picture, together, whole)
    flipped = (scores.argmax(1) != read).nonzero().flatten()
    if not len(flipped):
        return None
    count = int(flipped[0])
    units = tuple(Unit(layer, index) for index in ordered[: count + 1].tolist())
    return _flip(network, units, scores[count], read, before)


@torch.no_grad()
def _scores(run: Intervention, picture: Tensor, masks: Tensor, logits: str) -> Tensor:
    return run.record(picture, masks, [logits])[logits].flatten(1)


def _margin(scores: Tensor, read: int) -> Tensor:
    """How far a class is ahead of the best other one."""
    others = scores.clone()
    others[:, read] = -torch.inf
    return scores[:, read] - others.amax(1)


def _flip(
    network: Network, units: tuple[Unit, ...], scores: Tensor, read: int, before: float
) -> Flip:
    sure, now = probabilities(scores[None], network.task)[0], int(scores.argmax())
    return Flip(
        units[0].layer,
        units,
        tuple(called(network, unit) for unit in units),
        network.called(Unit(network.logits.name, now)),
        float(sure[now]),
        before,
        float(sure[read]),
    )
