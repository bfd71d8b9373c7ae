"""Which class of a network each class of the data is: by name, by number, or in order.

Folders sort by their names, a network's outputs by whatever order it was trained in. Taking the one
for the other silently calls a daisy a tench.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils.data import Dataset, Subset, TensorDataset

from phosphene.data.dataset import ImageDataset, digest, fingerprint, items_of, length
from phosphene.data.example import Example, Labelled, Unreadable, read
from phosphene.naming import spellings_of
from phosphene.words import plural

Way = Literal["name", "number", "order"]


_TOLD = 5
"""So many names are told of a list."""


@dataclass(frozen=True)
class Match:
    """The network's class of each of the data's, None for one that it has not.

    `how` is None where nothing fits: the data then keeps labels of its own. `words` says what
    people should know about it, and is empty where all is as expected.
    """

    numbers: tuple[int | None, ...]
    how: Way | None
    words: str = ""


def match_classes(classes: Sequence[str], labels: Sequence[str], outputs: int) -> Match:
    """Find each of the data's `classes` among a network's `outputs`, called `labels` if at all.

    1. By name where any name agrees. A name is compared as it is; then without regard to case,
       underscores and hyphens; then with a label's synset number or the first of its several
       names; then with any of these. What agrees with two labels agrees with none.
    2. By number where all classes are numbers of outputs.
    3. In order where there are as many classes as outputs.

    >>> match_classes(["daisy", "n01440764"], ["n01440764 tench, Tinca tinca", "Daisy"], 2).numbers
    (1, 0)
    >>> match_classes(["0", "10", "2"], [], 12).numbers, match_classes(["a", "b"], [], 3).how
    ((0, 10, 2), None)
    """
    if tuple(classes) == tuple(labels):
        return Match(tuple(range(outputs)), "name")  # also where two are called the same
    named = tuple(_by_name(classes, labels)) if labels else ()
    if any(number is not None for number in named):
        missing = [name for name, number in zip(classes, named, strict=True) if number is None]
        return Match(named, "name", _not_there(missing, outputs))
    if classes and all(name.isdecimal() and int(name) < outputs for name in classes):
        words = "The data's classes were taken by their numbers" if labels else ""
        return Match(tuple(int(name) for name in classes), "number", words)
    if len(classes) == outputs:
        return Match(tuple(range(outputs)), "order", _in_order(classes, labels))
    names = "has no names" if not labels else f"has others, such as {_some(labels)}"
    return Match(
        (None,) * len(classes),
        None,
        f"The data has {plural(len(classes), 'class', 'classes')} ({_some(classes)}) and the "
        f"network {outputs} outputs, which {names}: which is which cannot be told, so nothing is "
        "said of how well it reads them. Give the outputs' names with --labels, or call the "
        "folders by their numbers; --task none says that they are no classes",
    )


class Relabelled(ImageDataset):
    """`dataset` with each label replaced by a network's number of its class, or by none."""

    def __init__(
        self, dataset: Dataset[Any], numbers: Sequence[int | None], classes: Sequence[str]
    ) -> None:
        self.dataset = dataset
        self.numbers = tuple(numbers)
        self.classes = tuple(classes)
        self.name = str(getattr(dataset, "name", type(dataset).__name__))
        self.note = str(getattr(dataset, "note", ""))

    def __len__(self) -> int:
        return length(self.dataset)

    def __getitem__(self, index: int) -> Example | Unreadable:
        return self._renamed(self.dataset[index])

    def __getitems__(self, indices: Sequence[int]) -> list[Example | Unreadable]:
        """Several items, which `dataset` may read together."""
        return [self._renamed(item) for item in items_of(self.dataset, indices)]

    def _renamed(self, found: object) -> Example | Unreadable:
        item = read(found)
        if isinstance(item, Unreadable):
            return item
        if item.members is not None:
            held = [self.numbers[i] for i in item.members.nonzero().flatten().tolist()]
            members = torch.zeros(len(self.classes), dtype=torch.bool)
            members[[number for number in held if number is not None]] = True
            return Labelled(item.picture, members)
        known = item.label is not None and item.label < len(self.numbers)
        return Example(item.picture, self.numbers[item.label or 0] if known else None)

    def fingerprint(self) -> str:
        """That of `dataset`, with what its labels became."""
        return digest(repr((fingerprint(self.dataset), self.numbers)).encode())


def item_name(dataset: Dataset[Any], index: int) -> str:
    """What to call an item: its file, where it has one, else its number."""
    if isinstance(dataset, Relabelled):
        return item_name(dataset.dataset, index)
    return dataset.called(index) if isinstance(dataset, ImageDataset) else f"picture {index}"


def file_name(dataset: Dataset[Any], index: int) -> str | None:
    """The name of an item's file within the data; None where it has none of its own."""
    if isinstance(dataset, Relabelled):
        return file_name(dataset.dataset, index)
    return dataset.file(index) if isinstance(dataset, ImageDataset) else None


def relabelled(dataset: Dataset[Any], match: Match, classes: Sequence[str]) -> Dataset[Any]:
    """`dataset` with a network's labels; itself where they are the same already."""
    if match.numbers == tuple(range(len(match.numbers))):
        return dataset
    return Relabelled(dataset, match.numbers, classes)


def output_names(classes: Sequence[str], labels: Sequence[str], match: Match | None) -> list[str]:
    """What to call a network's outputs: by its `labels`, else by the data's names where they fit.

    >>> output_names(["cat", "dog"], ["0", "1"], match_classes(["cat", "dog"], [], 2))
    ['cat', 'dog']
    """
    names = list(labels)
    if match is not None and match.how == "order":
        for name, number in zip(classes, match.numbers, strict=True):
            if number is not None:
                names[number] = name
    return names


def known_labels(dataset: Dataset[Any]) -> int | None:
    """One more than the largest label, where a dataset has its labels at hand; else None.

    PyTorch's `TensorDataset` has, `Subset` of such, and torchvision's, which call them `targets`.
    """
    if isinstance(dataset, Subset):
        return known_labels(dataset.dataset)
    if isinstance(dataset, TensorDataset):
        held = dict(enumerate(dataset.tensors)).get(1)
    else:
        held = getattr(dataset, "targets", None)
    try:
        labels = torch.as_tensor(held)
    except (TypeError, ValueError, RuntimeError):
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:  # zeros and ones
        return int(labels.shape[1])
    whole = labels.ndim == 1 and len(labels) > 0 and not labels.is_floating_point()
    return int(labels.max()) + 1 if whole else None


def count_labels(dataset: Dataset[Any]) -> int:
    """One more than the largest label; 0 for data without. May have to read every item.

    >>> count_labels(TensorDataset(torch.zeros(2, 1, 4, 4), torch.tensor([0, 3])))
    4
    """
    known = known_labels(dataset)
    if known is not None:
        return max(0, known)
    largest = -1
    for index in range(length(dataset)):
        item = read(dataset[index])
        if isinstance(item, Unreadable):
            continue
        if item.members is not None:
            return len(item.members)
        label = item.label
        if label is None and index == 0:
            return 0
        largest = max(largest, -1 if label is None else label)
    return largest + 1


def _by_name(classes: Sequence[str], labels: Sequence[str]) -> Iterator[int | None]:
    levels: list[dict[str, set[int]]] = [{}, {}, {}, {}]
    for number, label in enumerate(labels):
        for level, spellings in zip(levels, spellings_of(label), strict=True):
            for spelling in spellings:
                level.setdefault(spelling, set()).add(number)
    for name in classes:
        found: set[int] = set()
        for level, spellings in zip(levels, spellings_of(name), strict=True):
            found = set().union(*(level.get(spelling, set()) for spelling in spellings))
            if found:
                break
        yield found.pop() if len(found) == 1 else None


def _not_there(missing: Sequence[str], outputs: int) -> str:
    if not missing:
        return ""
    return (
        f"{_some(missing)}: no class, or more than one, of the network's {outputs} is called so; "
        "these pictures count as unlabelled. Call their folders as its labels do"
    )


def _in_order(classes: Sequence[str], labels: Sequence[str]) -> str:
    if not labels:
        said = ", ".join(f"{name} = {i}" for i, name in enumerate(classes[:_TOLD]))
        more = ", …" if len(classes) > _TOLD else ""
        return (
            f"The network's outputs have no names: the data's classes were taken in order ({said}"
            f"{more}). Was it trained in this order? --labels names the outputs"
        )
    pairs = [f"{name} for {label}" for name, label in zip(classes, labels, strict=True)]
    return (
        "None of the data's classes is called as any of the network's; they were taken in order: "
        f"{_some(pairs)}. Call the folders as the labels do if that is wrong"
    )


def _some(names: Sequence[str]) -> str:
    more = f", … ({len(names):,} in all)" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
