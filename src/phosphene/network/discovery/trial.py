"""Ask once how a network is to be shown pictures: is it a function of one picture at all?

It is shown two pictures, one of them beside two others, and one alone. What it gives back for a
picture may not depend on the company. Where a batch size is written into the code, or a single
picture loses its batch axis, pictures are shown as the network needs it. Where chance or the rest
of the batch decides, there is no right answer, and the first layer that shows it is named.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn
from torch.ao.quantization import FakeQuantizeBase
from torch.nn.modules.batchnorm import _NormBase

from phosphene.errors import NetworkError
from phosphene.network.discovery.layers import Discovery, discover
from phosphene.network.discovery.observing import Place, Seen, seen_in
from phosphene.network.feed import ANY, Feed, shown
from phosphene.network.freezing import steady
from phosphene.network.sites import tensors

_BATCHES = (1, 4, 8, 16, 32, 64, 128, 3, 5, 6, 7, 9, 10, 12, 20, 24, 25, 48, 50, 100)
"""The batch sizes that are tried where two or three pictures at once fail."""

_ROUNDING = {torch.float64: 1e-8, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 0.1}
"""By how much of a layer's largest value batches of other sizes may differ: kernels vary.

Beyond that the network is asked again in double precision.
"""

_SURELY = {torch.float64: 1e-6, torch.float32: 1e-2, torch.float16: 0.2, torch.bfloat16: 0.5}
"""What is beyond rounding where it cannot be asked in double precision."""

_COMPANY = "what it answers to a picture depends on chance or on the rest of the batch"

Rows = Mapping[str, Tensor]
"""The first rows of layers' values."""

From = tuple[int, Rows]
"""Rows, and which of the pictures they begin at."""


@dataclass(frozen=True)
class Trial:
    """What the trial showed. `remarks` is what a user should be told of it.

    `moves` says that a pass changes buffers of the network, which are to be put back.
    """

    found: Discovery
    feed: Feed = ANY
    remarks: tuple[str, ...] = ()
    moves: bool = False


def trial_pictures(shape: tuple[int, int, int]) -> Tensor:
    """Three pictures of a shape, the third the first but for its left half.

    They are not constant, so that layers which only agree on flat pictures are told apart.
    """
    grey = torch.linspace(0.1, 0.9, 2 * prod(shape)).view(2, *shape)
    other = grey[0].clone()
    half = shape[2] // 2
    other[:, :, :half] = other[:, :, :half].flip(1) * 0.5 + 0.4
    return torch.cat([grey, other[None]])


def try_out(module: nn.Module, pictures: Tensor) -> Trial:
    """Show `pictures`, three that differ, to `module` and see how it takes them.

    The third is to be the first but for its left half. Random numbers that the network draws are
    taken from a stream of their own.

    Raises:
        NetworkError: its answer to a picture depends on chance or on the rest of the batch.
        Exception: what the network raises, where it runs on no number of pictures.
    """
    moved: list[str] = []
    with torch.random.fork_rng(devices=[]), steady(module, moved):
        trial = _try(module, pictures, moved)
    return replace(trial, moves=bool(moved))


def _try(module: nn.Module, pictures: Tensor, moved: list[str]) -> Trial:
    try:
        return _of_any_number(module, pictures, moved)
    except NetworkError:
        raise
    except Exception:
        size = _written_size(module, pictures)
        if size is None:
            raise
        return _of_one_number(module, _cycled(pictures, size))


def _of_any_number(module: nn.Module, pictures: Tensor, moved: list[str]) -> Trial:
    many, few = pictures[:3], pictures[:2]
    with steady(module, moved):
        more = seen_in(module, many)
    with steady(module):
        found = discover(module, few, more)
    first: Rows = {}
    second: Rows = {}
    with suppress(Exception):  # one picture alone may lose its batch axis
        first, second = (_shown(module, found, one) for one in few.split(1))
    if not found.ends and (size := _rowless(module, pictures, more)):
        return _of_one_number(module, _cycled(pictures, size))
    others = [(0, _rows(found, more)), (0, first), (1, second)]
    found, slightly = _settled(module, found, others, [few, many, few[:1], few[1:]])
    if slightly:
        return Trial(found, Feed(batch=1), (slightly, *_left(found)))
    said = _left(found)
    lost = next((n for n in found.layers if _lost(first.get(n), found.values[n])), None)
    if lost is None:
        return Trial(found, remarks=said)
    remark = (
        f"one picture alone loses its batch axis on the way to layer {lost!r}, as by .squeeze() "
        "without an axis; it is shown twice, and the second answer dropped. Write .flatten(1)"
    )
    return Trial(found, Feed(least=2), (remark, *said))


def _of_one_number(module: nn.Module, few: Tensor) -> Trial:
    found = discover(module, few)
    others = torch.cat([few[:1], few[1:].flip(-1)])
    rows = {name: value[:1] for name, value in _shown(module, found, others).items()}
    found, _ = _settled(module, found, [(0, rows)], [few, others])
    remark = (
        f"the number of {len(few)} is written into forward(): it runs on {_pictures(len(few))} at "
        "once and no others. So many are shown at once, the last of them repeated where some are "
        "missing. Write x.shape[0] in its place"
    )
    return Trial(found, Feed(batch=len(few)), (remark, *_left(found)))


def _left(found: Discovery) -> tuple[str, ...]:
    """What to say of layers that are no function of one picture, where the output is."""
    names = [repr(name) for name, said in found.left_out.items() if said == _COMPANY]
    if not names:
        return ()
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (
        f"left out: {', '.join(names[:5])}{more}; {_COMPANY}. Quantisers that still observe are "
        "stilled by module.apply(torch.ao.quantization.disable_observer)",
    )


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _cycled(pictures: Tensor, size: int) -> Tensor:
    return pictures[torch.arange(size) % len(pictures)]


def _written_size(module: nn.Module, pictures: Tensor) -> int | None:
    """The number of pictures on which a module runs and gives back a row for each."""
    for size in _BATCHES:
        with suppress(Exception), torch.no_grad():
            given_back = module(_cycled(pictures, size))
            if any(t.ndim > 1 and len(t) == size for _, t in tensors(given_back)):
                return size
    return None


def _rowless(module: nn.Module, pictures: Tensor, more: Mapping[Place, Seen]) -> int | None:
    """The number of pictures for which a network gives back rows, where it gave none for three."""
    given_back = more.get((max(call for call, _ in more), ())) if more else None
    rowless = given_back is not None and len(given_back.shape) > 1
    return _written_size(module, pictures) if rowless else None


def _shown(module: nn.Module, found: Discovery, pictures: Tensor) -> dict[str, Tensor]:
    sites = [layer.site for layer in found.layers.values()]
    with torch.no_grad(), steady(module):
        return shown(module, ANY, pictures, sites, module, stop=False, take=torch.clone)


def _rows(found: Discovery, more: Mapping[Place, Seen]) -> Rows:
    rows = {}
    for name, layer in found.layers.items():
        seen = more[found.places[name]]
        rows[name] = layer.site.layout.read(seen.value, found.picture)[:2]
    return rows


def _lost(alone: Tensor | None, value: Tensor) -> bool:
    """Whether a picture alone gave no value, or one without its axis."""
    return alone is None or alone.shape != value[:1].shape


def _differing(
    values: Rows, others: Iterable[From], tolerance: Mapping[torch.dtype, float]
) -> Iterator[str]:
    """The layers, in their order, whose rows are not the same in other company."""
    others = list(others)
    for name, value in values.items():
        allowed = tolerance.get(value.dtype, 1e-2)
        for start, rows in others:
            other = rows.get(name)
            if other is None or other.shape[1:] != value.shape[1:] or not len(other):
                continue
            one = value[start : start + len(other)]
            if _beyond(one, other[: len(one)], allowed):
                yield name
                break


def _beyond(one: Tensor, two: Tensor, allowed: float) -> bool:
    """Whether finite values differ by more than `allowed` of the largest."""
    if one.numel() == 0:
        return False
    one, two = (value if value.dtype == torch.float64 else value.float() for value in (one, two))
    largest, gap = one.abs().max(), (one - two).abs().max()
    if not (largest.isfinite() and gap.isfinite()):
        both = one.isfinite() & two.isfinite()
        if not both.any():
            return False
        largest, gap = one[both].abs().max(), (one - two)[both].abs().max()
    return bool(gap > allowed * largest)


def _settled(
    module: nn.Module, found: Discovery, others: list[From], shown_as: list[Tensor]
) -> tuple[Discovery, str]:
    """What was found, without the layers that are no function of one picture.

    Also what is to be said if the batch matters a little, as pictures are then shown one by one.
    Raises `NetworkError` if what the network itself gives back is none.
    """
    suspects = list(_differing(found.values, others, _ROUNDING))
    if not suspects:
        return found, ""
    exact = _in_double(module, found, suspects, shown_as)
    changed = (
        list(_differing(found.values, others, _SURELY))
        if exact is None
        else list(_differing(exact[0], _as_before(exact[1:], others), _SURELY))
    )
    if not changed:
        return found, _slightly(suspects[0]) if exact is None else ""
    if {*found.ends} & {*changed} or not found.ends:
        raise NetworkError(_refusal(module, found, changed[0], shown_as[0]))
    kept = {name: layer for name, layer in found.layers.items() if name not in changed}
    left_out = found.left_out | dict.fromkeys(changed, _COMPANY)
    return replace(found, layers=kept, left_out=left_out), ""


def _slightly(name: str) -> str:
    return (
        f"what layer {name!r} answers to a picture depends a little on the other pictures of the "
        "batch, as with dynamic quantisation, whose steps follow the whole batch; pictures are "
        "shown one by one"
    )


def _in_double(
    module: nn.Module, found: Discovery, names: list[str], shown_as: list[Tensor]
) -> list[Rows] | None:
    """The values of some layers in double precision, for each of the batches; None if it fails."""
    some = replace(found, layers={name: found.layers[name] for name in names})
    values: list[Rows] = []
    with suppress(Exception):
        exact = copy.deepcopy(module).to("cpu", torch.float64)
        for pictures in shown_as:
            try:
                values.append(_shown(exact, some, pictures.to("cpu", torch.float64)))
            except Exception:
                if not values:
                    raise
        return values
    return None


def _as_before(exact: list[Rows], others: list[From]) -> list[From]:
    """Each with the row that it begins at; one that failed is not there."""
    return [(start, rows) for (start, _), rows in zip(others, exact, strict=False)]


def _refusal(module: nn.Module, found: Discovery, name: str, few: Tensor) -> str:
    layer = found.layers[name]
    again = [_shown(module, found, few) for _ in range(2)]
    chance = name in set(_differing(again[0], [(0, again[1])], _SURELY))
    submodule = module.get_submodule(layer.site.path)
    named = f"layer {name!r} ({layer.kind})"
    if isinstance(submodule, FakeQuantizeBase):
        return (
            f"{named} still observes in eval mode: what it answers to a picture depends on all "
            "that were shown before. Still it: "
            "module.apply(torch.ao.quantization.disable_observer)"
        )
    if chance:
        return (
            f"{type(module).__name__} answers the same picture in another way each time, in eval "
            f"mode too: {named} is the first to show it. Random numbers are drawn before it, as by "
            "F.dropout without training=self.training, or noise that is added; what a unit "
            "answers to a picture would be chance. Switch them off in eval mode"
        )
    if isinstance(submodule, _NormBase) and submodule.running_mean is None:
        return (
            f"{named} normalises with the pictures that happen to be in the batch, in eval mode "
            "too, since it was made with track_running_stats=False; so what a unit answers to a "
            "picture depends on the others. Give it running statistics (train with "
            "track_running_stats=True, or set running_mean and running_var from the training "
            "data), or replace it by GroupNorm or InstanceNorm"
        )
    return (
        f"{named} is the first whose answer to a picture depends on the other pictures of the "
        "batch, in eval mode too (a deviation or a mean over the batch, batch statistics); a unit "
        "of it answers no picture by itself. Let forward() look at each picture alone, or wrap "
        "the part before it"
    )
