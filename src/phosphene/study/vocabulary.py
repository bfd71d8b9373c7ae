"""What the classes of a network and of data are called, and whether they are the same."""

from dataclasses import dataclass
from typing import Any

from torch.utils.data import Dataset

from phosphene.data import (
    count_labels,
    known_labels,
    match_classes,
    output_names,
    relabelled,
)
from phosphene.network import Network
from phosphene.words import plural


@dataclass(frozen=True)
class Vocabulary:
    """Names of a network's `outputs` and of the data's `labels`.

    `shared` says that both are the same, so that it can be told how well the network reads the
    data; `words` what people should know about how that was found.
    """

    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    shared: bool
    words: str = ""


def decided(network: Network, data: Dataset[Any]) -> Network:
    """`network`, its one score taken to tell the data's two classes apart where that is open."""
    two = len(getattr(data, "classes", ()) or ()) == 2
    return network.read_as("binary") if network.undecided and two else network


def agree(network: Network, data: Dataset[Any]) -> tuple[Dataset[Any], Vocabulary]:
    """The data with the network's numbers for its labels, and what all is called.

    Data that does not name its classes is taken to have the network's, by number. Where none of
    the data's classes can be told to be one of the network's, the data keeps labels of its own.

    Raises:
        NetworkError: as many labels of the network as classes are expected.
    """
    names = tuple(str(name) for name in getattr(data, "classes", ()) or ())
    if not network.classifies:
        return data, Vocabulary((), names or _numbers(count_labels(data)), shared=False)
    outputs = network.classes
    if not names:
        count = known_labels(data) or 0
        if count > len(outputs) and network.reading.how == "assumed":
            words = (
                f"The data has labels up to {count - 1}, the network "
                f"{plural(len(outputs), 'class', 'classes')} if it has any: these are not the "
                "same, so nothing is said of how well it reads them"
            )
            return data, Vocabulary(outputs, _numbers(count), shared=False, words=words)
        return data, Vocabulary(outputs, outputs, shared=True)
    match = match_classes(names, network.labels and outputs, len(outputs))
    if match.how is None:
        return data, Vocabulary(outputs, names, shared=False, words=match.words)
    called = tuple(output_names(names, outputs, None if network.labels else match))
    return relabelled(data, match, called), Vocabulary(called, called, True, match.words)


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))
