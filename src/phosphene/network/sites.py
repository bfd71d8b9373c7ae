"""Where in a network a value is: a call of a module, and a place in what it gave back.

| name                 | what it names                                                        |
|----------------------|----------------------------------------------------------------------|
| `path`               | what the module at `path` gave back                                  |
| `path@1`             | what it gave back when it was called for the second time             |
| `path[0]`            | the first of the tuple or list that it gave back                     |
| `path[hidden]`       | what it gave back under that key or field; keys may follow each other|
| `path[class]`        | the class token of a sequence that has one before its patches        |
| `path[token0]`, …    | the leading tokens, where there are several                          |
| `output`             | the network's own output, unless a module has that name              |
"""

import copy
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from phosphene.errors import UnknownLayerError, nearest
from phosphene.network.layouts import AS_IT_IS, Grid, Layout

OUTPUT = "output"

Key = int | str
"""A place in a tuple or list, a field of a named tuple, or a key of a dictionary."""

_NAME = re.compile(r"^(?P<path>.+?)(?:@(?P<call>\d+))?(?P<keys>(?:\[[^\[\]]+\])*)$")


@dataclass(frozen=True)
class Site:
    """One place where values can be read and replaced.

    `path` is the module's ("" for the network itself), `call` the number of its call within a
    pass (None stands for every call), `keys` lead to the tensor in what it gives back.
    """

    name: str
    path: str
    call: int | None = None
    keys: tuple[Key, ...] = ()
    layout: Layout = AS_IT_IS

    @classmethod
    def parse(cls, name: str, module: nn.Module) -> "Site":
        """The site that `name` stands for, its values as they are.

        Raises:
            UnknownLayerError: no module of that name, with the nearest.
        """
        modules = dict(module.named_modules())
        match = _NAME.match(name)
        path, call, keys = match.group("path", "call", "keys") if match else (name, None, "")
        if name in modules:  # brackets and such may be part of a module's own name
            path, call, keys = name, None, ""
        if path == OUTPUT and OUTPUT not in modules:
            path = ""
        if path not in modules:
            known = filter(None, modules)
            raise UnknownLayerError(f"no layer {name!r} to replace; {nearest(path, known)}")
        found = [int(k) if k.isdigit() else k for k in re.findall(r"\[([^\[\]]+)\]", keys)]
        return cls(name, path, None if call is None else int(call), tuple(found))

    def read(self, output: Any, picture: Grid) -> Tensor:
        """The value in what the module gave back, as it is recorded."""
        return self.layout.read(_at(output, self.keys), picture)

    def write(self, output: Any, recorded: Tensor) -> Any:
        """A copy of what the module gave back, with `recorded` in the value's place."""
        value = self.layout.write(_at(output, self.keys), recorded)
        return _put(output, self.keys, value)


def call_names(paths: Sequence[str]) -> list[str]:
    """Name each call of a module, given the modules' paths in the order of the calls.

    >>> call_names(["conv", "relu", "fc", "relu", ""])
    ['conv', 'relu@0', 'fc', 'relu@1', 'output']
    """
    total = Counter(paths)
    seen: Counter[str] = Counter()
    names = []
    for path in paths:
        base = path or OUTPUT
        names.append(f"{base}@{seen[path]}" if total[path] > 1 else base)
        seen[path] += 1
    return names


def tensors(output: Any) -> Iterator[tuple[tuple[Key, ...], Tensor]]:
    """The tensors in what a module gave back, each with the keys that lead to it.

    >>> import torch
    >>> [keys for keys, _ in tensors((torch.zeros(1), {"a": torch.zeros(1), "b": None}))]
    [(0,), (1, 'a')]
    """
    if isinstance(output, Tensor):
        yield (), output
        return
    for key, part in _items(output):
        for keys, tensor in tensors(part):
            yield (key, *keys), tensor


def _items(output: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(output, Mapping):
        yield from ((key, part) for key, part in output.items() if isinstance(key, str | int))
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        yield from zip(output._fields, output, strict=True)
    elif isinstance(output, tuple | list):
        yield from enumerate(output)
    elif is_dataclass(output) and not isinstance(output, type):
        yield from ((field.name, getattr(output, field.name)) for field in fields(output))


def _at(output: Any, keys: tuple[Key, ...]) -> Tensor:
    for key in keys:
        parts = dict(_items(output))
        if key not in parts:
            raise UnknownLayerError(
                f"there is no [{key}] in the {type(output).__name__} that was given back; "
                f"{nearest(str(key), map(str, parts))}"
            )
        output = parts[key]
    tensor: Tensor = output
    return tensor


def _put(output: Any, keys: tuple[Key, ...], value: Tensor) -> Any:
    if not keys:
        return value
    key, *rest = keys
    items = dict(_items(output))
    part = _put(items[key], tuple(rest), value)
    if isinstance(output, Mapping):
        changed: Any = copy.copy(output)
        changed[key] = part
        return changed
    if is_dataclass(output) and not isinstance(output, type):
        changed = copy.copy(output)
        object.__setattr__(changed, str(key), part)  # frozen or not, without its __post_init__
        return changed
    parts = list((items | {key: part}).values())
    if hasattr(output, "_fields"):
        return type(output)(*parts)
    return parts if type(output) is list else type(output)(parts)
