"""How a study reaches another process: network and data once, then each job without them.

They go by value where they can be pickled, else by what says how they are made.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from phosphene.atlas import Excerpt
from phosphene.data import Example, load_data, read, resize_of
from phosphene.data.dataset import digest, length
from phosphene.errors import SpecError, WorkerError
from phosphene.network import Network, Spec, load_network
from phosphene.study.engines.engine import Task
from phosphene.study.plan import Study
from phosphene.study.vocabulary import agree

Dumps = Callable[[Any], bytes]

LOOKED_AT = 8
"""Pictures by which a worker shows that it has those that are meant."""


@dataclass(frozen=True)
class Made:
    """A network by how it is made, with the weights that it has."""

    spec: Spec
    name: str
    weights: dict[str, Tensor]

    def again(self) -> Network:
        """The network."""
        network = load_network(self.spec)
        network.module.load_state_dict(self.weights)
        network.name = self.name
        return network


@dataclass(frozen=True)
class Named:
    """Data by their name, as a command was given it."""

    data: str
    resize: str | None

    def again(self, network: Network) -> Dataset[Any]:
        """The data, with the network's numbers for labels."""
        size, channels = network.input.size, network.input.channels
        return agree(network, load_data(self.data, channels, size, resize=resize_of(self.resize)))[
            0
        ]


def packed_parts(study: Study, dumps: Dumps = pickle.dumps) -> bytes:
    """The network and the data of a study, with what is measured of the network once for all.

    Raises:
        SpecError: one of them cannot be pickled, and nothing says how it is made.
    """
    network, source = study.network, study.source
    network.fields, network.costs  # noqa: B018 - now they are known, and travel along
    made = data = None
    if network.spec is not None:
        made = Made(network.spec, network.name, network.module.state_dict())
    if "data" in source:
        data = Named(source["data"], source.get("resize"))
    apart = (_packed(network, made, network.name, dumps), _packed(study.data, data, "data", dumps))
    return pickle.dumps(apart)


def _packed(value: Any, told: Made | Named | None, what: str, dumps: Dumps) -> bytes:
    try:
        return dumps(value)
    except Exception as error:  # whatever the classes of others raise
        if told is not None:
            return pickle.dumps(told)
        raise SpecError(
            f"{what} cannot be sent to another process ({type(error).__name__}: {error}). Make it "
            "in a Python file or a package and name that, such as model.py:make, or build here, "
            "with --on here"
        ) from error


def parts(packed: bytes) -> tuple[Network, Dataset[Any]]:
    """The network and the data again; raises whatever tells that they cannot be made here."""
    network, data = (pickle.loads(part) for part in pickle.loads(packed))
    if isinstance(network, Made):
        network = network.again()
    if isinstance(data, Named):
        data = data.again(network)
    return network, data


def looked_at(data: Dataset[Any]) -> str:
    """A hash of some pictures, evenly spread: who has the same files finds the same."""
    count = length(data)
    seen: list[bytes | Tensor] = []
    for index in np.unique(np.linspace(0, count - 1, min(LOOKED_AT, count)).round().astype(int)):
        try:
            item = read(data[int(index)])
        except OSError:
            seen.append(b"missing")
        else:
            seen.append(item.picture.cpu() if isinstance(item, Example) else b"unreadable")
    return digest(str(count).encode(), *seen)


class _Packer(pickle.Pickler):
    """Pickles what refers to a study, but for the network and the data."""

    def __init__(self, file: io.BytesIO, study: Study) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.apart = {id(study.network): "network", id(study.data): "data"}

    def persistent_id(self, obj: Any) -> str | None:
        return self.apart.get(id(obj))


class _Unpacker(pickle.Unpickler):
    def __init__(self, packed: bytes, apart: dict[str, Any]) -> None:
        super().__init__(io.BytesIO(packed))
        self.apart = apart

    def persistent_load(self, pid: str) -> Any:
        return self.apart[pid]


def packed_task(task: Task) -> bytes:
    """A task without its network and data; raises `WorkerError` for one that cannot be sent."""
    file = io.BytesIO()
    assert not hasattr(task.given, "path"), "an atlas stays with who writes it"
    try:
        _Packer(file, task.job.study).dump((task.number, task.job, task.given, task.shard))
    except Exception as error:  # whatever the classes of others raise
        raise WorkerError(
            f"{task.job.title}: it cannot be sent to another process "
            f"({type(error).__name__}: {error}); build it here, with --on here"
        ) from error
    return file.getvalue()


def sent_task(packed: bytes, network: Network, data: Dataset[Any]) -> Task:
    """The task again, on the network and the data that are here."""
    number, job, given, shard = _Unpacker(packed, {"network": network, "data": data}).load()
    assert given is None or isinstance(given, Excerpt)
    return Task(number, job, given, shard)
