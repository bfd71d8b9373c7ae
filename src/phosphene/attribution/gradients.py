"""Which pixels matter to a unit: gradients of any objective, under any backward rule.

Every method takes a network, pictures and an objective, and gives back one signed map per
picture, `b c h w`, in picture space: the change of the score per unit of picture value. An
objective may carry b units for b pictures; `cross` pairs every picture with every unit,
and `each_gradient` does so in fewer passes.

With `at`, the name of a layer, all of them ask which values of that layer matter instead, and give
back the shape of its values: `b c h w`, `b t d` or `b d`, see `Recording`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.attribution.passes import gradients
from phosphene.attribution.pieces import Cut, cut_out, pieces_for
from phosphene.attribution.starts import Start
from phosphene.errors import InputError
from phosphene.network import DECONVNET, GUIDED, PLAIN, RELP, ZPLUS, Network, Rule, epsilon
from phosphene.objectives import Term
from phosphene.spellings import natural, natural_each

Maps = Float[Tensor, "b c h w"]

Values = Float[Tensor, "b ..."]
"""Pictures, or the values of a layer."""

Attribution = Callable[[Network, Tensor, Term], Tensor]
"""The signature all methods share: (network, pictures, objective) -> maps."""


@natural
def gradient(
    network: Network,
    pictures: Maps,
    objective: Term,
    rule: Rule = PLAIN,
    *,
    at: str | None = None,
) -> Values:
    """The gradient of each picture's score: map_i = ∂ score_i / ∂ picture_i.

    With a `rule` other than plain, rectifiers pass the gradient on by that rule instead. With `at`
    it is ∂ score_i / ∂ a_i, where a are the values of that layer.

    A map that is not a number, where the network has no slope, is left so and said in a warning.

    Raises:
        InputError: pictures outside [0, 1] or of the wrong shape.
        UnknownLayerError: no layer of the name `at`, with the nearest.
        RectifierError: the network has an activation that the rule cannot be applied to.
        ObjectiveError: the score does not depend on the pictures, or on the values of that layer.
        NetworkError: the network recomputes parts of itself, so that no layer can be held.

    *Source:* Simonyan et al. 2013, arXiv 1312.6034, sec. 3. Their figures show the magnitude;
    the sign is kept here.

    >>> from phosphene.network import Input
    >>> from phosphene.objectives import Channel
    >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.ReLU())
    >>> network = Network(module, Input(1, (2, 2)))
    >>> gradient(network, torch.rand(5, 1, 2, 2), Channel("2", 0), at="1").shape
    torch.Size([5, 3])
    """
    return _gradient(Start.at(network, pictures, at), objective, rule)


@natural_each
def each_gradient(
    network: Network,
    pictures: Maps,
    objective: Term,
    rule: Rule = PLAIN,
    *,
    at: str | None = None,
) -> Float[Tensor, "nm ..."]:
    """The gradients of n pictures for each of the objective's m units, in the order of `cross`.

    Equal to `gradient(network, *cross(pictures, objective), rule)`, in the memory that n pictures
    take, and the network runs forward once a picture and not once a map, or on small pieces.
    Raises what `gradient` does.
    """
    start = Start.at(network, pictures, at)
    units = objective.batch or 1
    pieces = pieces_for(network, pictures, objective, units * len(pictures)) if at is None else None
    cut = None if pieces is None else cut_out(pieces, *cross(pictures, objective))
    if cut is not None:
        parts = cut.parts(pixels=pictures[:, 0].numel())
        return torch.cat([_of_pieces(network, part, rule) for part in parts])
    terms = [objective.take([j] * len(pictures)) for j in range(units)]
    return torch.stack(gradients(start, terms, rule), dim=1).flatten(0, 1)


def _gradient(start: Start, objective: Term, rule: Rule = PLAIN) -> Tensor:
    """The gradient from where it starts, on pieces of the pictures where these are enough."""
    network, pictures = start.network, start.pictures
    if start.layer is None:
        pieces = pieces_for(network, pictures, objective, maps=len(pictures))
        cut = None if pieces is None else cut_out(pieces, pictures, objective)
        if cut is not None:
            return _of_pieces(network, cut, rule)
    (maps,) = gradients(start, [objective], rule)
    return maps


def _of_pieces(network: Network, cut: Cut, rule: Rule) -> Maps:
    (maps,) = gradients(Start(network, cut.pictures, None, cut.pictures), [cut.objective], rule)
    return cut.paste(maps)


@natural
def deconvnet(
    network: Network, pictures: Maps, objective: Term, *, at: str | None = None
) -> Values:
    """DeconvNet: rectifiers pass positive gradient only, whatever they did on the way forward.

    *Source:* Zeiler & Fergus 2013, arXiv 1311.2901, sec. 2.1. Max-pooling switches and filters
    are the gradient's; biases play no part, as there.
    """
    return gradient(network, pictures, objective, rule=DECONVNET, at=at)


@natural
def guided(network: Network, pictures: Maps, objective: Term, *, at: str | None = None) -> Values:
    """Guided backpropagation: positive gradient, through rectifiers that were open.

    *Source:* Springenberg et al. 2014, arXiv 1412.6806, sec. 3.4. Such maps depend little on
    the layers above and partly recover the picture (Nie et al. 2018; Adebayo et al. 2018).
    """
    return gradient(network, pictures, objective, rule=GUIDED, at=at)


@natural
def gradient_x_input(
    network: Network,
    pictures: Maps,
    objective: Term,
    baseline: Float[Tensor, "#b ..."] | None = None,
    *,
    rule: Rule = PLAIN,
    at: str | None = None,
) -> Values:
    """Gradient times input: map = (picture - baseline) · ∂ score / ∂ picture.

    The `baseline` is the level that the network sees as zero unless given, so this is the product
    with the normalised input; at a layer it is zero. In a ReLU network without biases the map sums
    to the score, at every layer that all of the score passes through. Under a `rule` of LRP or RelP
    it is what they call relevance.

    *Source:* Shrikumar et al. 2016, arXiv 1605.01713.
    """
    start = Start.at(network, pictures, at)
    zero = pictures.new_tensor(network.input.zero).view(1, -1, 1, 1)
    base = start.baseline(baseline, zero if at is None else torch.zeros_like(start.values))
    return _gradient(start, objective, rule) * (start.values - base)


@natural
def integrated_gradients(
    network: Network,
    pictures: Maps,
    objective: Term,
    baseline: Float[Tensor, "#b ..."] | None = None,
    steps: int = 50,
    *,
    at: str | None = None,
) -> Values:
    """Integrated gradients: map = (p - p₀) · ∫₀¹ ∂ score / ∂ picture at p₀ + α (p - p₀) dα.

    The integral is taken by Gauss-Legendre quadrature with `steps` points. Maps sum to
    score(p) - score(p₀) as the number of steps grows. The `baseline` p₀ is black unless given, or
    zero at a layer, whose values stand in p's place.

    *Source:* Sundararajan et al. 2017, arXiv 1703.01365, eq. 1; at a layer Leino et al. 2018,
    arXiv 1802.03788, and Dhamdhere et al. 2018, arXiv 1805.12233.
    """
    if steps < 1:
        raise InputError(f"integrated gradients with {steps} steps; at least 1 is needed")
    start = Start.at(network, pictures, at)
    base = start.baseline(baseline, torch.zeros_like(start.values))
    way = start.values - base
    positions, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(start.values)
    for position, weight in zip(positions, weights, strict=True):
        between = start.moved(base + way * float((1 + position) / 2))
        total += _gradient(between, objective) * float(weight / 2)
    return total * way


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
    "lrp epsilon": partial(gradient_x_input, rule=epsilon()),
    "lrp z+": partial(gradient_x_input, rule=ZPLUS),
    "relp": partial(gradient_x_input, rule=RELP),
}
"""Every method by the name it has in captions and on the command line."""
