"""Which of a network's outputs gives the class scores, and of what kind they are.

What can be seen is seen: a softmax or a sigmoid at the end, features that the scores are made of,
one output among others that can be class scores at all. What cannot be seen is said by whoever
knows the network (`Network(…, output=, task=)`), or assumed and called so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import SettingError, UnknownLayerError, nearest
from phosphene.network.discovery.layers import Discovery, Layer
from phosphene.network.layouts import TWO_SHARES, TWO_SIDED
from phosphene.network.sites import OUTPUT, Key, tensors
from phosphene.scores import log_probabilities, probabilities
from phosphene.tasks import TASKS, Task

_ROUNDING = 8
"""How many steps of its precision a softmax may be off, for each unit of its largest score."""

Relation = Literal["same", "softmax", "log-softmax", "sigmoid", "log-sigmoid"]
"""How a network's output follows from the values of a layer."""

How = Literal["told", "found", "assumed"]


@dataclass(frozen=True)
class Reading:
    """How the values of one layer are read as classes.

    `shares` says that the layer holds the probabilities themselves, as where two heads' are
    averaged; `how` where the knowledge comes from.
    """

    layer: str
    task: Task
    how: How
    shares: bool = False

    def scores(self, values: Float[Tensor, "b classes"]) -> Float[Tensor, "b classes"]:
        """The score of each class from the layer's values, such that `probabilities` fit them."""
        if not self.shares:
            return values
        smallest = torch.finfo(values.dtype).tiny
        if self.task == "sigmoid":
            return values.logit(torch.finfo(values.dtype).eps)
        return values.clamp_min(smallest).log()

    def probabilities(self, scores: Float[Tensor, "b classes"]) -> Float[Tensor, "b classes"]:
        """The probability of each class."""
        return probabilities(scores, self.task)

    def __str__(self) -> str:
        kind = {
            "softmax": "softmax over classes that exclude each other",
            "sigmoid": "sigmoid of labels that may hold together",
            "binary": "sigmoid of one score for the second of two classes",
            "none": "no classes",
        }[self.task]
        return f"Class scores are taken from {self.layer}: {kind} ({_HOW[self.how]})"


_HOW: Mapping[How, str] = {
    "told": "as was said",
    "found": "as was found in the network",
    "assumed": "assumed, since its output is raw scores",
}


@dataclass(frozen=True)
class Unread:
    """Why no output is read as classes, with the remedy, in words.

    `layer` has the one score that may be a class's, or a measure.
    """

    reason: str
    layer: str | None = None


@dataclass(frozen=True)
class Look:
    """One look at a network: what it showed, and how to look again with gradients."""

    found: Discovery
    module: nn.Module
    inputs: Tensor

    @cached_property
    def nodes(self) -> Mapping[tuple[Key, ...], Any]:
        """The autograd nodes of the parts of its output; none if it does not run with gradients."""
        try:
            with torch.enable_grad():
                output = self.module(self.inputs.detach().clone().requires_grad_())
        except Exception:  # a network's own code may fail in any way
            return {}
        return {keys: value.grad_fn for keys, value in tensors(output)}

    def node(self, end: str) -> Any:
        """That of one of the layers that the network gave back; None where it is not known."""
        return self.nodes.get(self.found.layers[end].site.keys)


def read_output(
    look: Look, *, output: str | None = None, task: Task | None = None, labels: int = 0
) -> Reading | Unread:
    """How the network's output is read: as `output` and `task` say, else as can be seen.

    `output` names a layer, or a part of what the network gives back (`logits` or `1` for
    `output[logits]` or `output[1]`); `labels` is how many names of classes were given.

    1. The output is the one that is named; else the only vector; else the only one that is not
       made into another, can hold classes and has as many units as there are labels.
    2. Its layer is the last with weights whose values, or their softmax, sigmoid or logarithms of
       these, it is; a layer must give it bit by bit, since the layers of a network with random
       weights may resemble each other, and the others to rounding. Else it is itself.
    3. The task is softmax or sigmoid where that was seen, and binary where a sigmoid has one
       output; raw scores are assumed to be for a softmax. A single one may as well be a measure: it
       is a class only if that is said, or labels name one or two.

    The reading of a `binary` output is of its one score; see `two_sided`.

    Raises:
        SettingError: no such task, or one that does not go with the number of outputs.
        UnknownLayerError: no such output, with the nearest names.
    """
    if task is not None and task not in TASKS:
        raise SettingError(f"no task {task!r}; choose one of {', '.join(TASKS)}")
    if task == "none":
        return Unread("was said to give back no classes (task 'none')")
    if output is not None:
        return _read(look, _named(look.found, output), task, labels, told=True)
    vectors = [name for name in look.found.ends if len(look.found.layers[name].shape) == 1]
    if not vectors:
        return Unread(
            "gives back no (b, classes) scores, so it has no logits; name a layer and a unit "
            "instead of a class, or say which layer holds the class scores: "
            "output='LAYER', on the command line --output LAYER"
        )
    if len(vectors) > 1:
        vectors = _candidates(look, vectors, labels)
    if len(vectors) > 1:
        listed = ", ".join(f"{name} ({look.found.layers[name].units})" for name in vectors)
        return Unread(
            f"gives back {len(vectors)} vectors that may be class scores: {listed}; say which is: "
            f"output={vectors[0]!r}, on the command line --output '{vectors[0]}'"
        )
    return _read(look, vectors[0], task, labels)


def two_sided(layers: Mapping[str, Layer], reading: Reading) -> tuple[dict[str, Layer], Reading]:
    """The layers with one more behind that of a `binary` reading, and the reading of that one.

    `fc[classes]` has a unit for each class, -z/2 and z/2 of `fc`'s one score z, or 1 - p and p. It
    is looked at by default in the place of `fc`.
    """
    layout = TWO_SHARES if reading.shares else TWO_SIDED
    found: dict[str, Layer] = {}
    for name, layer in layers.items():
        if name != reading.layer:
            found[name] = layer
            continue
        found[name] = replace(layer, default=False)
        site = replace(layer.site, name=f"{name}[classes]", layout=layout)
        found[site.name] = replace(layer, name=site.name, shape=(2,), site=site, default=True)
    return found, replace(reading, layer=f"{reading.layer}[classes]")


def _named(found: Discovery, output: str) -> str:
    for name in (output, f"{OUTPUT}[{output}]"):
        if name in found.layers:
            if len(found.layers[name].shape) != 1:
                raise SettingError(
                    f"output {output!r} has the shape {found.layers[name].shape} for each picture; "
                    "class scores are a vector"
                )
            return name
    vectors = [layer.name for layer in found.layers.values() if len(layer.shape) == 1]
    raise UnknownLayerError(f"there is no output {output!r}; {nearest(output, vectors)}")


def _candidates(look: Look, names: Sequence[str], labels: int) -> list[str]:
    """Those of several outputs that may be the class scores."""
    layers = look.found.layers
    last = _unused(look, names)
    called = [name for name in last if layers[name].site.keys[-1:] == ("logits",)]
    fitting = [name for name in last if labels and layers[name].units == labels]
    several = [name for name in last if layers[name].units > 1]
    for chosen in (called, fitting, several):
        if len(chosen) == 1:
            return chosen
    return several or last


def _unused(look: Look, names: Sequence[str]) -> list[str]:
    """Those of the outputs that no other is made of, as far as gradients tell."""
    nodes = {name: look.node(name) for name in names}
    made_of = {name: _ancestors(node) for name, node in nodes.items()}
    return [
        name
        for name, node in nodes.items()
        if node is None or not any(node in made_of[other] for other in names if other != name)
    ]


def _ancestors(node: Any) -> set[Any]:
    """What a node of the autograd graph is made of, without itself."""
    seen: set[Any] = set()
    waiting = [node] if node is not None else []
    while waiting:
        for parent, _ in waiting.pop().next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return seen


def _read(
    look: Look, end: str, told_task: Task | None, labels: int, *, told: bool = False
) -> Reading | Unread:
    units = look.found.layers[end].units
    layer, relation = _source(look.found, end)
    seen, shares = _seen(look, end, relation)
    if units == 1 and not (told_task or seen or labels in {1, 2}):
        return Unread(
            f"has one output, {layer}, which may be a score for one of two classes or a measure; "
            "if it tells two classes apart, say so: task='binary', on the command line "
            "--task binary, "
            "or give their names as labels",
            layer,
        )
    task = told_task or seen or ("binary" if units == 1 else "softmax")
    _check_units(task, end, units)
    how: How = "told" if told_task or told else "found" if seen else "assumed"
    return Reading(layer, task, how, shares)


def _check_units(task: Task, end: str, units: int) -> None:
    if task == "softmax" and units == 1:
        raise SettingError(
            f"task 'softmax' for the one output of {end}, whose softmax is always 1; "
            "say 'binary' for one of two classes, 'sigmoid' for one label"
        )
    if task == "binary" and units != 1:
        raise SettingError(
            f"task 'binary' for the {units} outputs of {end}; it is for one score that tells two "
            "classes apart. Say 'softmax' for one class of several, 'sigmoid' for labels"
        )


def _seen(look: Look, end: str, relation: Relation) -> tuple[Task | None, bool]:
    """The task as far as an output shows it, and whether its layer holds the probabilities."""
    values = look.found.values[end]
    one_by_one: Task = "binary" if values.shape[1] == 1 else "sigmoid"
    if relation in {"softmax", "log-softmax"}:
        return "softmax", False
    if relation in {"sigmoid", "log-sigmoid"}:
        return one_by_one, False
    if _are_shares(values):
        return "softmax", True
    if bool((values <= 0).all()) and _are_shares(values.exp()):
        return "softmax", False  # their softmax are they themselves
    inside = bool(((values > 0) & (values < 1)).all())
    if inside and end in look.found.ends and "Sigmoid" in _called(look.node(end)):
        return one_by_one, True
    return None, False


def _called(node: Any) -> str:
    return "" if node is None else str(node.name())


def _source(found: Discovery, end: str) -> tuple[str, Relation]:
    """The layer that an output comes from, and how; the output itself where there is no other."""
    output = found.values[end]
    related = {name: _relation(output, value) for name, value in found.values.items()}
    matching = [name for name, relation in related.items() if relation]
    weighted = [name for name in matching if found.layers[name].default]
    name = weighted[-1] if weighted else [*matching, end][0]  # NaN equals nothing
    return name, related[name] or "same"


def _relation(output: Tensor, scores: Tensor) -> Relation | None:
    """How `output` follows from `scores`; None if it does not."""
    if scores.shape != output.shape:
        return None
    scores = scores.to(output.dtype)
    if torch.equal(scores, output):
        return "same"
    precision = torch.finfo(output.dtype)
    largest = float(scores.nan_to_num(0, 0, 0).abs().max())
    rounding = _ROUNDING * precision.eps * (1 + largest)
    kinds: tuple[tuple[Relation, Relation, Task], ...] = (
        ("softmax", "log-softmax", "softmax"),
        ("sigmoid", "log-sigmoid", "sigmoid"),
    )
    for plain, logarithm, task in kinds:
        if task == "softmax" and output.shape[1] == 1:
            continue  # always 1
        if torch.allclose(output, probabilities(scores, task), rounding, precision.tiny):
            return plain
        if torch.allclose(output, log_probabilities(scores, task), 0.0, rounding):
            return logarithm
    return None


def _are_shares(values: Tensor) -> bool:
    """Whether every row is a distribution over at least two classes."""
    if values.shape[1] < 2 or not bool((values >= 0).all()):
        return False
    rounding = _ROUNDING * values.shape[1] ** 0.5 * torch.finfo(values.dtype).eps
    return bool(((values.double().sum(1) - 1).abs() <= rounding).all())
