"""The smallest set of units that keeps a target's response on each picture, found by running it."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import Edges, edges
from phosphene.circuits.growth import greedy
from phosphene.circuits.sets import Sets
from phosphene.circuits.subset import Circuit, first
from phosphene.errors import InputError
from phosphene.network import PLAIN, Rule
from phosphene.spellings import Model, Shown, layers_of, network_of
from phosphene.streams import Streams
from phosphene.words import plural

ORDERS = ("greedy", "score", "random")
"""In what order units join a circuit."""

_ROUNDING = 1e-5  # of faithfulness


def circuit(
    network: Model,
    pictures: Shown,
    target: object,
    sources: str | Sequence[str],
    *,
    keep: float = 0.95,
    order: str = "greedy",
    candidates: int | None = 16,
    baseline: str | Tensor | Baseline = "mean",
    data: object = None,
    rule: Rule = PLAIN,
    seed: int = 0,
) -> Circuit:
    """Find on each picture the smallest set of units that keeps `keep` of the target's response.

    Units join one after the other, in one of the `ORDERS`:

    - "greedy": next comes the unit that raises the response most beside those that are in. Tried
      are the `candidates` that promised most, when they were tried last or else by the largest of
      score, removal and keeping. Where none of them does anything, as one of two that need one
      another, the promise decides. Once all pictures' circuits are large enough, the rest follow
      as they promised.
    - "score": by their score alone, from one gradient, in the direction of the response.
    - "random": as `seed` says, for comparison.

    Whatever the order, what the circuits keep is measured: the network runs on every set.

    Args:
        network: a network, a module, or what `load_network` takes.
        pictures: b pictures, in any spelling.
        target: a unit, a class, an objective or one unit for each picture, see `target_of`.
        sources: an earlier layer, or several, whose units are chosen from together.
        keep: the share of the response to keep, above 0 and up to 1.
        order: as above.
        candidates: how many units greedy tries at each step; None for all.
        baseline, data, rule: as of `edges`, the same for all sources.
        seed: of the random order.

    Raises:
        InputError: another order, nothing to keep or to try, a source named twice; pictures or a
            baseline that do not fit.
        ObjectiveError: the target does not depend on a source.
        RectifierError: a rule for looking only.

    *Source:* faithfulness and completeness: Wang et al. 2022, arXiv 2211.00593, and Marks et al.
    2024, arXiv 2403.19647; CPR and CMD: Mueller et al. 2025, arXiv 2504.13151, whose integrals are
    over shares of edges, here over shares of units, by the trapezoid rule. Greedy tries late, as
    Minoux 1978 does, without his guarantee: effects are not submodular.

    >>> from torch import nn
    >>> from phosphene.network import Input, Network
    >>> module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    >>> found = circuit(Network(module, Input(1, (8, 8))), torch.rand(2, 1, 8, 8), "3:1", "1",
    ...                 baseline="zero")
    >>> found.curve[:, 0].tolist(), found.curve[:, -1].tolist()
    ([0.0, 0.0], [1.0, 1.0])
    """
    _check(keep, order, candidates)
    net = network_of(network)
    names = layers_of(net, sources)
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"sources {sorted(twice)} were named twice; give each layer once")
    found = [
        edges(net, pictures, target, name, baseline=_of(baseline, names), data=data, rule=rule)
        for name in names
    ]
    run = Sets.over(found)
    score = torch.cat([one.score for one in found], 1)
    ends = _ends(run, score)
    if order == "random":
        numbers = Streams.seeded(seed, range(len(score))).uniform(score.shape[1])
        ranking = numbers.argsort(dim=1)
    elif order == "score":
        ranking = (score * (ends[1] - ends[0]).sign()[:, None]).argsort(
            dim=1, descending=True, stable=True
        )
    else:
        ranking = greedy(run, score, ends, keep - _ROUNDING, candidates)
    return _measured(found, run, ranking, keep, order)


def _measured(
    found: Sequence[Edges], run: Sets, ranking: Tensor, keep: float, order: str
) -> Circuit:
    """The circuits of an order: the network runs on its beginnings, and on what these leave."""
    units = ranking.shape[1]
    places = ranking.argsort(dim=1)
    m = run(places[:, None] < torch.arange(units + 1)[:, None])
    curve = _faithfulness(m, m)
    enough = curve >= keep - _ROUNDING
    sizes = torch.where(enough.any(1), enough.int().argmax(1), units)
    left = _faithfulness(run(~first(ranking, sizes)[:, None]), m)[:, 0]
    edge = found[0]
    return Circuit(
        network=edge.network,
        pictures=edge.pictures,
        term=edge.term,
        sources=tuple(one.source for one in found),
        baselines=tuple(one.baseline for one in found),
        keep=keep,
        order=order,
        values=m[:, -1],
        without=m[:, 0],
        ranking=ranking,
        curve=curve,
        sizes=sizes,
        left=left,
        remarks=edge.remarks + _nothing(m[:, -1] - m[:, 0]),
    )


def _faithfulness(of: Float[Tensor, "b k"], m: Float[Tensor, "b n"]) -> Float[Tensor, "b k"]:
    """(of - none) / (all - none), the first and last of m; nan where the units change nothing."""
    none, change = m[:, :1], m[:, -1:] - m[:, :1]
    return torch.where(change == 0, torch.nan, (of - none) / change) + 0.0  # no share is -0


def _nothing(change: Float[Tensor, "b"]) -> tuple[str, ...]:
    none = int((change == 0).sum())
    if not none:
        return ()
    return (
        f"on {plural(none, 'picture')} the target is the same with all units at their baseline, so "
        "there is nothing to keep",
    )


def _ends(run: Sets, score: Tensor) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
    """The target with none of the units and with all of them."""
    ends = torch.tensor([False, True])[None, :, None].expand(len(score), 2, score.shape[1])
    none, all_ = run(ends).unbind(1)
    return none, all_


def _of(baseline: str | Tensor | Baseline, names: Sequence[str]) -> str | Tensor | Baseline:
    if len(names) > 1 and not isinstance(baseline, str):
        raise InputError(
            f"one baseline's values were given for {len(names)} sources; give 'mean' with data=, "
            "or 'zero'"
        )
    return baseline


def _check(keep: float, order: str, candidates: int | None) -> None:
    if not 0 < keep <= 1:
        raise InputError(f"keep={keep} was given; give the share to keep, above 0 and up to 1")
    if order not in ORDERS:
        raise InputError(f"order {order!r} was given; there are {', '.join(ORDERS)}")
    if candidates is not None and candidates < 1:
        raise InputError(f"candidates={candidates} were given; give at least 1, or None for all")
