"""What is in a module's state: whether it can be studied at all, and what it is known by."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy

from phosphene.errors import NetworkError, WeightsError
from phosphene.values import identity


def check_state(module: nn.Module) -> None:
    """Refuse weights that are not there, not numbers, or out of reach of gradients.

    Infinite buffers are let through, since attention masks and observers hold them on purpose;
    whether the network's output stays finite with them, its trial shows.

    Raises:
        WeightsError: NaN anywhere, infinity in a parameter, weights not drawn yet or on no device.
        NetworkError: weights made in inference mode.
    """
    lazy = [name for name, p in _all(module) if is_lazy(p)]
    if lazy:
        raise WeightsError(
            f"{_listed(lazy)} of {type(module).__name__} are not drawn yet: it has lazy layers, "
            "whose shapes the first pictures decide. Run it once, module(torch.zeros(1, channels, "
            "height, width)), or load its weights, before it is studied"
        )
    meta = [name for name, p in _all(module) if p.is_meta]
    if meta:
        raise WeightsError(
            f"{_listed(meta)} of {type(module).__name__} are on the meta device, where tensors "
            "have a shape and no numbers. Make the network outside torch.device('meta'), or give "
            "it numbers: module.to_empty(device='cpu') and load_state_dict"
        )
    inference = [name for name, p in _all(module) if p.is_inference()]
    if inference:
        raise NetworkError(
            f"{_listed(inference)} of {type(module).__name__} were made under "
            "torch.inference_mode(), and no gradient can pass them. Make the network outside of "
            "it, or study a copy: copy.deepcopy(module), made outside"
        )
    check_finite(module.state_dict(), infinite_on_purpose(module))


def infinite_buffers(module: nn.Module) -> list[str]:
    """The names of the buffers that hold infinity."""
    return [name for name, b in module.named_buffers() if _unlike(b, torch.isinf)]


def check_finite(state: Mapping[str, Any], buffers: frozenset[str] = frozenset()) -> None:
    """Raise `WeightsError` naming the first tensors that hold NaN, or infinity beside `buffers`."""
    bad = []
    for name, value in state.items():
        fault = torch.isnan if name in buffers else _not_finite
        count = _unlike(value, fault) if isinstance(value, Tensor) else 0
        if count:
            bad.append(f"{name} ({count} of {value.numel()} values)")
    if bad:
        raise WeightsError(
            f"NaN or infinite weights in {', '.join(bad[:5])}"
            + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
            + "; training has diverged or the file is damaged. Use an earlier checkpoint"
        )


def fingerprint(module: nn.Module, *record: object) -> str:
    """A hash of the weights of `module`, and of what else is to be known about it."""
    digest = hashlib.blake2b("".join(map(identity, record)).encode(), digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        for part, tensor in _parts(name, value):
            if isinstance(tensor, Tensor):
                digest.update(f"{part} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(_bytes(tensor))
            else:
                digest.update(f"{part} {_plain(tensor)}".encode())
    return digest.hexdigest()


class Fingerprints:
    """The fingerprint of a module, worked out anew only where its state has changed since.

    Reading all weights takes long, so a change is told by the memory that they lie in and by how
    often PyTorch says that it was written. What is written behind its back, through `.data` or an
    array that shares the memory, is not seen. A copy, or what another process is sent, knows
    nothing yet.
    """

    def __init__(self) -> None:
        self._seen: list[Any] = []
        self._found = ""

    def __reduce__(self) -> tuple[type["Fingerprints"], tuple[()]]:
        return type(self), ()

    def of(self, module: nn.Module, *record: object) -> str:
        """`fingerprint(module, *record)`."""
        state = module.state_dict().items()
        now = [record, *((part, _mark(v)) for k, value in state for part, v in _parts(k, value))]
        if now != self._seen:
            self._seen, self._found = now, fingerprint(module, *record)
        return self._found


def _mark(value: Any) -> Any:
    """What is the same as before only if `value` is."""
    if not isinstance(value, Tensor):
        return _plain(value)
    if type(value) is not Tensor or value.layout != torch.strided or value.is_quantized:
        return object()  # the same as nothing: it has no memory of its own to be known by
    memory = ref(value.untyped_storage())
    place = (value.storage_offset(), value.shape, value.stride(), value.dtype)
    return memory, value._version, place


def _all(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def infinite_on_purpose(module: nn.Module) -> frozenset[str]:
    """The names of buffers that may hold infinity: all but the statistics of norms."""
    norms = tuple(f"{path}." for path, m in module.named_modules() if isinstance(m, _NormBase))
    return frozenset(name for name, _ in module.named_buffers() if not name.startswith(norms))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"the weights {', '.join(names[:3])}{more}"


def _not_finite(value: Tensor) -> Tensor:
    return ~value.isfinite()


def _unlike(value: Tensor, fault: Any) -> int:
    """How many numbers of a tensor have a fault."""
    if not value.is_floating_point() or value.is_quantized or value.is_meta or is_lazy(value):
        return 0
    return int(fault(value.detach()).sum())


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The tensors and plain values of one entry: quantised layers and extra state hold several."""
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _parts(f"{name}.{key}", value[key])
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _parts(f"{name}.{i}", part)
    else:
        yield name, value


def _bytes(tensor: Tensor) -> Any:
    tensor = tensor.detach().cpu()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.contiguous().flatten().view(torch.uint8).numpy()


def _plain(value: Any) -> str:
    """A value as text, the same on every run: without the place of an object in memory."""
    text = repr(value)
    return f"<{type(value).__qualname__}>" if " at 0x" in text else text
