"""A network's program, found by watching what PyTorch runs on one picture."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from phosphene.errors import NetworkError
from phosphene.live.mailed.interpreted import answers
from phosphene.live.mailed.program import Op, Program, needed
from phosphene.live.mailed.spelled import OPS
from phosphene.network import Network
from phosphene.units import LOGITS

TOLERANCE = 1e-4
"""Of the largest value of a layer on any picture: what a program may differ by."""

_PICTURES = 4


def program_of(network: Network) -> tuple[Program, float]:
    """The program of a network on the CPU, and by how much its class scores differ at most.

    What PyTorch runs on one picture is written down, then run by itself on pictures of a trial:
    all layers have to come out the same.

    Raises:
        NetworkError: it runs something that no program has, named; or the program, run by itself,
            answers otherwise, as where what runs depends on the picture.
    """
    if network.input.channels not in {1, 3}:
        raise NetworkError(
            f"a page draws in grey or colour, and {network.name} takes {network.input.channels} "
            "channels"
        )
    names = [*network.layers, *([LOGITS] if network.classifies else [])]
    noise = torch.rand(_PICTURES, *network.input.shape, generator=torch.Generator().manual_seed(0))
    watching = Watching()
    with torch.no_grad(), watching:
        picture = watching.begin(noise[:1].clone())
        recording = network.record(picture, names)
        found = {name: watching.number(recording[name]) for name in names}
    unmade = [name for name, number in found.items() if number is None]
    if unmade:
        raise NetworkError(f"layer {unmade[0]} of {network.name} is not made of the picture")
    values = {name: number for name, number in found.items() if number is not None}
    ops, numbers = needed(tuple(watching.ops), set(values.values()))
    scores = numbers[values.pop(LOGITS)] if network.classifies else None
    layers = {name: numbers[value] for name, value in values.items()}
    program = Program(network.input, ops, layers, scores, network.task)
    return program, _difference(network, program, noise)


class Watching(TorchDispatchMode):
    """Writes down what is run of a value that begins as a picture.

    All else, as what is made of weights alone, is a constant.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[Op] = []
        self._values: dict[int, tuple[Tensor, int | None]] = {}

    def begin(self, picture: Tensor) -> Tensor:
        """Value 0."""
        return self._know(picture, 0)

    def number(self, tensor: Tensor) -> int | None:
        """The number of a value; None for a constant.

        Raises:
            NetworkError: it was overwritten, or is a part of a result that no program has.
        """
        if id(tensor) not in self._values:
            return None
        number = self._values[id(tensor)][1]
        if number is None:
            raise NetworkError("a value is used that was overwritten, or that is no number")
        return number

    def _know(self, tensor: Tensor, number: int | None) -> Tensor:
        self._values[id(tensor)] = tensor, number  # held, so that its identity stays its own
        return tensor

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        if not any(id(each) in self._values for each in given):
            return func(*args, **kwargs)
        in_place = func._schema.name.endswith("_")
        spell = OPS.get(_plain(func) if in_place else func)
        made = func(*args, **kwargs)
        out, *others = made if isinstance(made, tuple | list) else (made,)
        op = None
        if spell is not None and isinstance(out, Tensor) and len(out) == 1:
            op = spell(self.number, out, args, kwargs)
        if op is None:
            raise NetworkError(f"{func} is not among what a page runs by itself")
        if in_place:
            self._overwrite(args[0])
        for other in others:
            self._know(other, None)
        self._know(out, self._written(op))
        return made

    def _written(self, op: Op) -> int:
        """The number of what an operation gives: what is the same in the same shape is itself."""
        if op.kind == "same":
            (value,) = op.takes
            if value and self.ops[value - 1].shape == op.shape:
                return value
        self.ops.append(op)
        return len(self.ops)

    def _overwrite(self, tensor: Tensor) -> None:
        """What lies in the same memory as a tensor that is written to is no value any more."""
        memory = tensor.untyped_storage().data_ptr()
        for other, _ in list(self._values.values()):
            if other is not tensor and other.untyped_storage().data_ptr() == memory:
                self._know(other, None)


def _plain(func: Any) -> Any:
    """The operation that gives what another writes in place."""
    name = func._schema.name.removeprefix("aten::").removesuffix("_")
    packet = getattr(torch.ops.aten, name, None)
    return getattr(packet, func._overloadname, None)


def _difference(network: Network, program: Program, noise: Tensor) -> float:
    """How much scores differ at most, on noise, black, white and grey."""
    plain = torch.stack([torch.full_like(noise[0], tone) for tone in (0.0, 0.5, 1.0)])
    pictures = torch.cat([noise, plain])
    with torch.no_grad():
        recording = network.record(pictures, list(program.layers))
        expected_scores = network.class_scores(pictures) if program.scores is not None else None
    largest = 0.0
    for row, picture in enumerate(pictures):
        values = answers(program, picture)
        for name, number in program.layers.items():
            expected = recording[name][row]
            most = TOLERANCE * (1e-6 + float(recording[name].abs().max()))
            found = values[number]
            if found.shape != expected.shape or not torch.allclose(
                found, expected, rtol=0, atol=most
            ):
                raise NetworkError(
                    f"layer {name} of {network.name} answers otherwise when it is run operation "
                    "by operation, as where what runs depends on the picture"
                )
        if expected_scores is not None and program.scores is not None:
            off = (values[program.scores] - expected_scores[row]).abs().max()
            largest = max(largest, float(off))
    return largest
