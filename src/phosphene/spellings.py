"""What people write for a network, units, objectives and pictures, made into the values meant.

Whatever takes one of these takes its natural spellings, and asks here what is meant: a module for
its network, "conv2:17" or "dog" for a unit, a unit for its objective, an image, an array or a file
for pictures.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, SupportsIndex, TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from phosphene.data import in_size, plain, read_image
from phosphene.data.example import Example, Labelled
from phosphene.errors import InputError, NetworkError, ObjectiveError
from phosphene.naming import as_number, class_called, classes_called, nearest_class
from phosphene.network import Network, load_network
from phosphene.objectives import Channel, Logit, Neuron, Term, of_unit
from phosphene.units import Unit

Model: TypeAlias = Network | nn.Module | str
"""A network, a module whose input can be told, or what `load_network` takes."""

Meant: TypeAlias = Term | Unit | str | SupportsIndex | Sequence[Term | Unit | str | SupportsIndex]
"""An objective, a unit, its text, a class's name or number; or several units of one layer."""

Shown: TypeAlias = Tensor | NDArray[Any] | Image.Image | str | Path | Sequence[Any]
"""Pictures: a tensor, an array, an image, a file's path; one or several of them."""

Classes: TypeAlias = SupportsIndex | str | Sequence[SupportsIndex | str]
"""One or several classes, by name or number."""

P = ParamSpec("P")
R = TypeVar("R")


def network_of(model: object) -> Network:
    """The network that is meant by itself, by a bare module, or by `file.py:make` and the like.

    A module's input is found by trial, anew at each call: who asks often makes a `Network` once.

    Raises:
        SpecError: the input cannot be told, or the text names no network.
        NetworkError: anything else was given.
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, str):
        return load_network(model)
    if not isinstance(model, nn.Module):
        raise NetworkError(
            f"{model!r:.80} is no network; give a Network, an nn.Module, or a text such as "
            "'model.py:make'"
        )
    return Network(model)


def units_of(network: Network, meant: object) -> list[Unit]:
    """The units that are meant by one or several units, texts, classes' names or objectives.

    Raises:
        UnknownLayerError, UnknownUnitError: there are none, with the nearest names.
        ObjectiveError: an objective that is of no unit, or no units at all.
    """
    if isinstance(meant, Term):
        return _of_term(network, meant)
    each = [meant] if isinstance(meant, Tensor) else each_of(meant)
    if len(each) == 1 and each[0] is meant:
        return [network.unit(meant)]
    found = [unit for one in each for unit in units_of(network, one)]
    if not found:
        raise ObjectiveError("no units were given; name at least one, such as 'conv2:17'")
    return found


def unit_of(network: Network, meant: object) -> Unit:
    """The one unit that is meant; raises as `units_of`, and `ObjectiveError` for several."""
    found = units_of(network, meant)
    if len(found) != 1:
        raise ObjectiveError(f"{len(found)} units were given; give one")
    return found[0]


def _of_term(network: Network, term: Term) -> list[Unit]:
    if isinstance(term, Logit | Channel):
        layer = network.logits.name if isinstance(term, Logit) else term.layer
        indices = [term.index] if isinstance(term.index, int) else term.index
        return [network.unit(Unit(layer, index)) for index in indices]
    if isinstance(term, Neuron) and isinstance(term.index, int):
        return [network.unit(str(term))]
    raise ObjectiveError(f"{term} is an objective and no unit; phosphene.probes.picture draws it")


def objective_of(network: Network, meant: object) -> Term:
    """The objective that is meant: itself, that of a unit, or one of several for as many pictures.

    Raises:
        UnknownLayerError, UnknownUnitError: with the nearest names.
        ObjectiveError: units of several layers, or some with a position and some without.
    """
    if isinstance(meant, Term):
        return meant
    units = units_of(network, meant)
    if len(units) == 1:
        return of_unit(units[0])
    layers = {unit.layer for unit in units}
    if len(layers) > 1 or any(unit.y is not None for unit in units):
        raise ObjectiveError(
            f"{', '.join(map(str, units[:5]))} are not all channels of one layer, so they are no "
            "one objective; ask for each layer by itself"
        )
    return Channel(layers.pop(), tuple(unit.index for unit in units))


def class_number(name: str, classes: Sequence[str]) -> int:
    """The class of that name, or of that number where no class has it as its name.

    Names may be written as in `numbers_of`: one of several, in any case.

    Raises:
        ObjectiveError: there is none, with the nearest names.
        UnknownUnitError: several are called so, with their numbers.

    >>> class_number("7", ["1", "7"]), class_number("1", ["cat", "dog"])
    (1, 1)
    """
    found = class_called(name, classes)
    if found is not None:
        return found
    raise ObjectiveError(f"no class {name!r}; {nearest_class(name, classes)}")


def class_numbers(text: str, classes: Sequence[str]) -> tuple[int, ...]:
    """The classes that are named in a text, separated by commas; raises as `class_number`.

    >>> class_numbers("tench, Tinca tinca", ["hen", "tench, Tinca tinca"])
    (1,)
    """
    found = classes_called(text, classes)
    if found is not None:
        return found
    return tuple(class_number(name.strip(), classes) for name in text.split(","))


def classes_of(network: Network, named: Classes | None) -> tuple[int, ...]:
    """The numbers of one or several classes, by their names or numbers; of all by None.

    Raises:
        ObjectiveError: there is no such class, with the nearest names; or none was given.
        NetworkError: the network does not classify.
    """
    known = network.classes
    if named is None:
        return tuple(range(len(known)))
    found = []
    for one in each_of(named):
        number = class_number(one, known) if isinstance(one, str) else as_number(one)
        if number is None:
            raise ObjectiveError(f"{one!r:.80} is no class; give a name or a number of one")
        if not 0 <= number < len(known):
            raise ObjectiveError(
                f"{network.name} has classes 0 to {len(known) - 1}; {number} was asked for"
            )
        found.append(number)
    if not found:
        raise ObjectiveError("no classes were given; name at least one")
    return tuple(found)


def each_of(meant: object) -> list[Any]:
    """What was given, as a list; a text, a number or one thing alone is a list of one."""
    alone = isinstance(meant, str) or as_number(meant) is not None
    return [meant] if alone or not isinstance(meant, Iterable) else list(meant)


def layers_of(network: Network, named: str | Sequence[str]) -> list[str]:
    """The names of one or several layers, in full; raises `UnknownLayerError`, `InputError`."""
    found = [network.layer(name).name for name in ([named] if isinstance(named, str) else named)]
    if not found:
        raise InputError("no layers were given; name at least one")
    return found


def layer_of(network: Network, named: str | Sequence[str]) -> str:
    """The name of one layer, in full, which may be alone in a list; raises as `layers_of`."""
    found = layers_of(network, named)
    if len(found) != 1:
        raise InputError(f"{len(found)} layers were given, {', '.join(found[:5])}; give one")
    return found[0]


def picture_of(network: Network, shown: object) -> Tensor:
    """The one picture, `c h w`, that is meant; raises as `pictures_of`."""
    found = pictures_of(network, shown)
    if len(found) != 1:
        raise InputError(f"{len(found)} pictures were given; give one")
    return found[0]


def pictures_of(network: Network, shown: object) -> Tensor:
    """Pictures `b c h w` in [0, 1], of one or several tensors, arrays, images or files.

    Images and files come to the network's size as `read_image` brings them. Arrays are `h w`,
    `h w c`, `c h w` or batches of the latter two; whole numbers of a byte mean 0 to 255. Of an item
    of a dataset, `data[3]`, it is the picture.

    Raises:
        InputError: the axes of an array cannot be told, or it is no picture at all.
        UnreadableImageError, DataError: as `read_image`.
    """
    channels, size = network.input.channels, network.input.size
    if isinstance(shown, Tensor):
        return _batch(shown[None] if shown.ndim == 2 and channels == 1 else shown)
    if _is_item(shown):
        return pictures_of(network, shown[0])  # type: ignore[index]
    if isinstance(shown, np.ndarray):
        return _batch(_channels_first(shown, channels))
    if isinstance(shown, Image.Image):
        return in_size(plain(shown), channels, size)[None]
    if isinstance(shown, str | Path):
        return read_image(shown, channels, size)[None]
    if isinstance(shown, Sequence) and shown:
        return torch.cat([pictures_of(network, one) for one in shown])
    raise InputError(
        f"{shown!r:.80} is no picture; give a tensor b c h w in [0, 1], an array, an image or a "
        "file's path, or several of them"
    )


def _is_item(shown: object) -> bool:
    """Whether it is what a dataset gives for a number: a picture and its label, or labels."""
    if isinstance(shown, Example | Labelled):
        return True
    if not isinstance(shown, tuple) or len(shown) != 2:
        return False
    label = shown[1]
    return label is None or as_number(label) is not None or getattr(label, "ndim", 2) == 1


def _batch(pictures: Tensor) -> Tensor:
    """`c h w` as a batch of one; bytes as shares of 255."""
    found = pictures[None] if pictures.ndim == 3 else pictures
    return found / 255 if found.dtype == torch.uint8 else found


def _channels_first(array: NDArray[Any], channels: int) -> Tensor:
    if array.ndim == 2 and channels == 1:
        array = array[None]
    elif array.ndim in (3, 4):
        first, last = array.shape[-3] == channels, array.shape[-1] == channels
        if first and last:
            raise InputError(
                f"an array of {array.shape} may have its {channels} channels first or last; "
                "give a tensor, whose channels come first"
            )
        array = np.moveaxis(array, -1, -3) if last else array
    found = torch.from_numpy(np.require(array, requirements=("C", "W")))
    return found if found.dtype in (torch.uint8, torch.float32) else found.float()


def natural(
    method: Callable[Concatenate[Network, Tensor, Term, P], R],
) -> Callable[Concatenate[Model, Shown, Meant, P], R]:
    """Let a method of (network, pictures, objective) take what people write for each.

    One picture is that of each of several units.
    """
    return _reading(method, _paired)


def natural_each(
    method: Callable[Concatenate[Network, Tensor, Term, P], R],
) -> Callable[Concatenate[Model, Shown, Meant, P], R]:
    """As `natural`, of a method that takes each picture with each unit."""
    return _reading(method, lambda pictures, objective: pictures)


def _reading(
    method: Callable[Concatenate[Network, Tensor, Term, P], R],
    given: Callable[[Tensor, Term], Tensor],
) -> Callable[Concatenate[Model, Shown, Meant, P], R]:
    @wraps(method)
    def run(
        network: Model, pictures: Shown, objective: Meant, *args: P.args, **settings: P.kwargs
    ) -> R:
        found = network_of(network)
        shown, meant = pictures_of(found, pictures), objective_of(found, objective)
        return method(found, given(shown, meant), meant, *args, **settings)

    return cast(Callable[Concatenate[Model, Shown, Meant, P], R], run)


def _paired(pictures: Tensor, objective: Term) -> Tensor:
    """A picture for each unit of the objective; raises `ObjectiveError` where that is not so."""
    units = objective.batch
    if units is None or units == len(pictures) or pictures.ndim != 4:
        return pictures
    if len(pictures) == 1:
        return pictures.expand(units, -1, -1, -1)
    raise ObjectiveError(
        f"an objective for {units} images was given {len(pictures)}; give one picture for all "
        "units or one for each; attribution.each_gradient takes each picture with each unit"
    )
