"""Which pixels matter to a unit: gradients of any objective, under any backward rule.

Every method takes a network, pictures and an objective, and gives back one signed map per
picture, `b c h w`, in picture space: the change of the score per unit of picture value. An
objective may carry b units for b pictures; `cross` pairs every picture with every unit,
and `each_gradient` does so in fewer passes.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.attribution.pieces import Cut, cut_out, pieces_for
from phosphene.errors import InputError, ObjectiveError
from phosphene.network import (
    DECONVNET,
    GUIDED,
    PLAIN,
    Network,
    Rule,
    backward_rule,
    frozen,
    refuse_uncaught,
)
from phosphene.objectives import Term

Maps = Float[Tensor, "b c h w"]

Attribution = Callable[[Network, Tensor, Term], Tensor]
"""The signature all methods share: (network, pictures, objective) -> maps."""


def gradient(network: Network, pictures: Maps, objective: Term, rule: Rule = PLAIN) -> Maps:
    """The gradient of each picture's score: map_i = ∂ score_i / ∂ picture_i.

    With a `rule` other than plain, rectifiers pass the gradient on by that rule instead.

    A map that is not a number, where the network has no slope, is left so and said in a warning.

    Raises:
        InputError: pictures outside [0, 1] or of the wrong shape.
        RectifierError: the network has an activation that the rule cannot be applied to.
        ObjectiveError: the score does not depend on the pictures.

    *Source:* Simonyan et al. 2013, arXiv 1312.6034, sec. 3. Their figures show the magnitude;
    the sign is kept here.
    """
    network.input.check_shape(pictures)
    network.input.check_values(pictures)
    pieces = pieces_for(network, pictures, objective, maps=len(pictures))
    cut = None if pieces is None else cut_out(pieces, pictures, objective)
    if cut is not None:
        return _of_pieces(network, cut, rule)
    (maps,) = _gradients(network, pictures, [objective], rule)
    return maps


def each_gradient(
    network: Network, pictures: Maps, objective: Term, rule: Rule = PLAIN
) -> Float[Tensor, "nm c h w"]:
    """The gradients of n pictures for each of the objective's m units, in the order of `cross`.

    Equal to `gradient(network, *cross(pictures, objective), rule)`, in the memory that n pictures
    take, and the network runs forward once a picture and not once a map, or on small pieces.
    Raises what `gradient` does.
    """
    network.input.check_shape(pictures)
    network.input.check_values(pictures)
    units = objective.batch or 1
    pieces = pieces_for(network, pictures, objective, maps=units * len(pictures))
    cut = None if pieces is None else cut_out(pieces, *cross(pictures, objective))
    if cut is not None:
        parts = cut.parts(pixels=pictures[:, 0].numel())
        return torch.cat([_of_pieces(network, part, rule) for part in parts])
    terms = [objective.take([j] * len(pictures)) for j in range(units)]
    return torch.stack(_gradients(network, pictures, terms, rule), dim=1).flatten(0, 1)


def _gradients(
    network: Network, pictures: Maps, objectives: Sequence[Term], rule: Rule
) -> list[Maps]:
    """The gradient of the pictures for each objective; what is not a number is said."""
    maps = _passes(network, pictures, objectives, rule)
    if rule.forward_gate and rule.backward_gate and any(_no_numbers(found) for found in maps):
        maps = _passes(network, pictures, objectives, rule, careful=True)
    for objective, found in zip(objectives, maps, strict=True):
        if bad := _no_numbers(found):
            warnings.warn(
                f"the gradient of {objective} is not a number for {len(bad)} of {len(found)} "
                f"pictures (number {', '.join(map(str, bad[:9]))}{', …' * (len(bad) > 9)}): the "
                "network has no slope there, as the root or the logarithm of 0 and 0 / 0 have "
                "none. Leave these pictures out; the maps of the others are right",
                stacklevel=4,
            )
    return maps


def _no_numbers(maps: Maps) -> list[int]:
    """Which maps hold what is not a number."""
    if not maps.sum().isnan():
        return []
    return maps.isnan().flatten(1).any(1).nonzero().flatten().tolist()


def _passes(
    network: Network,
    pictures: Maps,
    objectives: Sequence[Term],
    rule: Rule,
    careful: bool = False,
) -> list[Maps]:
    """The gradient of the pictures for each objective, after one pass forward for all."""
    leaf = pictures.detach().clone().requires_grad_()
    layers = {layer for objective in objectives for layer in objective.layers}
    maps: list[Maps] = []
    with torch.enable_grad(), frozen(network.module):  # checkpointing runs the module again
        with backward_rule(rule, careful):
            recording = network.record(leaf, layers)
        refuse_uncaught(rule, recording.values(), recording.pictures)
        for objective in objectives:
            score = objective(recording)
            last = objective is objectives[-1]
            found = _slope(score, leaf, last) if score.requires_grad else None
            if found is None:
                raise ObjectiveError(
                    f"the score of {objective} does not depend on the pictures; "
                    "the network detaches the values of this layer from its input"
                )
            maps.append(found)
    return maps


def _slope(score: Tensor, leaf: Tensor, last: bool) -> Maps | None:
    """The gradient of a score; None where it has none, as through quantised layers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*autograd kernel was not registered")
        try:
            return torch.autograd.grad(score.sum(), leaf, retain_graph=not last, allow_unused=True)[
                0
            ]
        except UserWarning:
            return None


def _of_pieces(network: Network, cut: Cut, rule: Rule) -> Maps:
    (maps,) = _gradients(network, cut.pictures, [cut.objective], rule)
    return cut.paste(maps)


def deconvnet(network: Network, pictures: Maps, objective: Term) -> Maps:
    """DeconvNet: rectifiers pass positive gradient only, whatever they did on the way forward.

    *Source:* Zeiler & Fergus 2013, arXiv 1311.2901, sec. 2.1. Max-pooling switches and filters
    are the gradient's; biases play no part, as there.
    """
    return gradient(network, pictures, objective, rule=DECONVNET)


def guided(network: Network, pictures: Maps, objective: Term) -> Maps:
    """Guided backpropagation: positive gradient, through rectifiers that were open.

    *Source:* Springenberg et al. 2014, arXiv 1412.6806, sec. 3.4. Such maps depend little on
    the layers above and partly recover the picture (Nie et al. 2018; Adebayo et al. 2018).
    """
    return gradient(network, pictures, objective, rule=GUIDED)


def gradient_x_input(network: Network, pictures: Maps, objective: Term) -> Maps:
    """Gradient times input: map = (picture - zero) · ∂ score / ∂ picture.

    `zero` is the level that the network sees as zero, so this is the product with the
    normalised input. In a ReLU network without biases the map sums to the score.

    *Source:* Shrikumar et al. 2016, arXiv 1605.01713.
    """
    zero = pictures.new_tensor(network.input.zero).view(1, -1, 1, 1)
    return gradient(network, pictures, objective) * (pictures - zero)


def integrated_gradients(
    network: Network,
    pictures: Maps,
    objective: Term,
    baseline: Maps | None = None,
    steps: int = 50,
) -> Maps:
    """Integrated gradients: map = (p - p₀) · ∫₀¹ ∂ score / ∂ picture at p₀ + α (p - p₀) dα.

    The integral is taken by Gauss-Legendre quadrature with `steps` points. Maps sum to
    score(p) - score(p₀) as the number of steps grows. The `baseline` p₀ is black unless given.

    *Source:* Sundararajan et al. 2017, arXiv 1703.01365, eq. 1.
    """
    if steps < 1:
        raise InputError(f"integrated gradients with {steps} steps; at least 1 is needed")
    start = torch.zeros_like(pictures) if baseline is None else baseline
    positions, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(pictures)
    for position, weight in zip(positions, weights, strict=True):
        between = start + (pictures - start) * float((1 + position) / 2)
        total += gradient(network, between, objective) * float(weight / 2)
    return total * (pictures - start)


def cross(pictures: Maps, objective: Term) -> tuple[Float[Tensor, "nm c h w"], Term]:
    """Pair each of n pictures with each of the objective's m units: n·m pictures, one objective.

    Result i·m + j belongs to picture i and unit j.
    """
    units = objective.batch or 1
    images = [j for _ in range(len(pictures)) for j in range(units)]
    return pictures.repeat_interleave(units, dim=0), objective.take(images)


METHODS: dict[str, Attribution] = {
    "gradient": gradient,
    "gradient x input": gradient_x_input,
    "deconvnet": deconvnet,
    "guided": guided,
    "integrated gradients": partial(integrated_gradients, baseline=None),
}
"""Every method by the name it has in captions and on the command line."""
