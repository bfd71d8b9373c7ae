"""A network's program, found by watching what PyTorch runs on one picture."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from phosphene.errors import NetworkError
from phosphene.live.mailed.interpreted import answers
from phosphene.live.mailed.program import Op, Program, needed
from phosphene.live.mailed.spelled import OPS, PARTS
from phosphene.network import Network
from phosphene.network.layouts import unit_axis
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
    names = [*network.layers, *([LOGITS] if network.classifies else [])]
    noise = torch.rand(_PICTURES, *network.input.shape, generator=torch.Generator().manual_seed(0))
    watching = Watching()
    with torch.no_grad(), _step_by_step(), watching:
        picture = watching.begin(noise[:1].clone())
        recording = network.record(picture, names, aside=True)
        found = {name: watching.number(_units_first(recording[name])) for name in names}
    unmade = [name for name, number in found.items() if number is None]
    if unmade:
        raise NetworkError(f"layer {unmade[0]} of {network.name} is not made of the picture")
    values = {name: number for name, number in found.items() if number is not None}
    ops, numbers = needed(tuple(watching.ops), set(values.values()))
    scores = numbers[values.pop(LOGITS)] if network.classifies else None
    layers = {name: numbers[value] for name, value in values.items()}
    program = Program(network.input, ops, layers, scores, network.task)
    return program, _difference(network, program, noise)


@contextmanager
def _step_by_step() -> Iterator[None]:
    """Attention as it is written, not as one operation of PyTorch's."""
    kept = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(kept)


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
        made = func(*args, **kwargs)
        outs = list(made) if isinstance(made, tuple | list) else [made]
        chains = self._spelled(_plain(func) if in_place else func, outs, args, kwargs)
        if not chains:
            called = ", as it is called here," if func in OPS or func in PARTS else ""
            raise NetworkError(f"{func}{called} is not among what a page runs by itself")
        if in_place:
            self._overwrite(args[0])
        for other in outs:
            self._know(other, None)
        for each, chain in zip(outs, chains, strict=False):
            self._know(each, self._written(chain))
        return made

    def _spelled(
        self, func: Any, outs: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[Sequence[Op]]:
        """The operations that give each of some results, as far as these can be used."""
        if func in PARTS:
            return [[op] for op in PARTS[func](self.number, outs, args, kwargs) or ()]
        if func not in OPS or not isinstance(outs[0], Tensor) or outs[0].ndim == 0:
            return []
        found = OPS[func](self.number, outs[0], args, kwargs)
        return [] if found is None else [[found] if isinstance(found, Op) else found]

    def _written(self, ops: Sequence[Op]) -> int:
        """The number of what the last of some operations gives."""
        numbers: list[int] = []
        for op in ops:
            takes = tuple(numbers[value] if value < 0 else value for value in op.takes)
            numbers.append(self._write(replace(op, takes=takes)))
        return numbers[-1]

    def _write(self, op: Op) -> int:
        """The number of what it gives: what is the same in the same shape is itself."""
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


def _units_first(value: Tensor) -> Tensor:
    """A recorded value with its units on the first axis of each picture: `b t d` as `b d 1 t`."""
    return value.transpose(1, 2).unsqueeze(2) if unit_axis(value.ndim) == 2 else value


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
            expected = _units_first(recording[name])[row]
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
