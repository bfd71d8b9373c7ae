"""Classes of data are found among a network's by name, by number, or in order, and said so."""

import pytest
import torch
from torch import nn
from torch.utils.data import Subset, TensorDataset

from phosphene.data import (
    ArrayDataset,
    count_labels,
    fingerprint,
    known_labels,
    match_classes,
)
from phosphene.network import Input, Network
from phosphene.study import Study, agree

IMAGENET = (
    "n01440764 tench, Tinca tinca",
    "n01443537 goldfish, Carassius auratus",
    "n02012849 crane",
    "n03126707 crane",
    "n02099601 golden retriever",
)


@pytest.mark.parametrize(
    ("folders", "numbers"),
    [
        (("goldfish", "tench"), (1, 0)),
        (("Golden_Retriever", "TENCH"), (4, 0)),
        (("golden-retriever", "n01443537"), (4, 1)),
        (("n01440764_tench", "Tinca tinca"), (0, 0)),
        (("n02012849", "n03126707_crane"), (2, 3)),
        (("crane", "tench"), (None, 0)),
        (("carassius auratus", "zebra"), (1, None)),
    ],
)
def test_by_name(folders: tuple[str, ...], numbers: tuple[int | None, ...]) -> None:
    match = match_classes(folders, IMAGENET, len(IMAGENET))
    assert (match.numbers, match.how) == (numbers, "name")
    missing = [name for name, number in zip(folders, numbers, strict=True) if number is None]
    assert all(name in match.words for name in missing)
    assert bool(match.words) == bool(missing)


def test_the_same_names_need_no_search_even_if_two_are_alike() -> None:
    assert match_classes(["crane", "crane"], ["crane", "crane"], 2).numbers == (0, 1)


def test_names_go_before_numbers_and_numbers_before_order() -> None:
    assert match_classes(["1", "7"], ["7", "1"], 2).numbers == (1, 0)
    assert match_classes(["0", "10", "2"], [], 12).numbers == (0, 10, 2)
    assert match_classes(["00", "01"], ["cat", "dog"], 2).how == "number"
    assert match_classes(["1", "2"], [], 2).how == "order", "the second output is number 1"


def test_order_is_said() -> None:
    unnamed = match_classes(["ant", "bee"], [], 2)
    assert unnamed.numbers == (0, 1)
    assert "taken in order (ant = 0, bee = 1)" in unnamed.words
    other = match_classes(["ant", "bee"], ["cat", "dog"], 2)
    assert "ant for cat, bee for dog" in other.words


def test_where_nothing_fits_nothing_is_told() -> None:
    match = match_classes(["a", "b"], [], 3)
    assert match.how is None
    assert match.numbers == (None, None)
    assert "2 classes (a, b) and the network 3 outputs, which has no names" in match.words


def data(classes: tuple[str, ...], labels: list[int]) -> ArrayDataset:
    pictures = torch.arange(len(labels) * 64, dtype=torch.uint8).reshape(-1, 1, 8, 8)
    return ArrayDataset(pictures, torch.tensor(labels), name="some", classes=classes)


def network(outputs: int, labels: tuple[str, ...] = ()) -> Network:
    return Network(nn.Sequential(nn.Flatten(), nn.Linear(64, outputs)), Input(1, (8, 8)), labels)


def test_a_study_knows_labels_as_the_networks() -> None:
    study = Study(network(3, ("zebra", "ant", "bee")), data(("ant", "zebra"), [0, 1, 1]))
    assert [study.data[i].label for i in range(3)] == [1, 0, 0]
    assert study.classes == ("zebra", "ant", "bee")
    assert study.data_fingerprint != fingerprint(data(("ant", "zebra"), [0, 1, 1]))


def test_folders_called_by_numbers() -> None:
    study = Study(network(12), data(("0", "10", "2"), [0, 1, 2]))
    assert [study.data[i].label for i in range(3)] == [0, 10, 2]
    assert study.classes[2] == "2"


def test_data_in_the_networks_order_stays_itself() -> None:
    own = data(("ant", "bee"), [0, 1])
    found, vocabulary = agree(network(2, ("ant", "bee")), own)
    assert found is own
    assert vocabulary.shared
    assert not vocabulary.words


def test_an_encoder_keeps_the_datas_own_labels() -> None:
    found, vocabulary = agree(network(32), data(("ant", "bee"), [0, 1]))
    assert not vocabulary.shared
    assert vocabulary.labels == ("ant", "bee")
    assert len(vocabulary.outputs) == 32
    assert found[1].label == 1


def test_labels_without_names() -> None:
    pictures, labels = torch.zeros(4, 1, 8, 8), torch.tensor([0, 3, 1, 2])
    plain = TensorDataset(pictures, labels)
    assert known_labels(Subset(plain, [0, 1])) == count_labels(plain) == 4
    assert count_labels(TensorDataset(pictures)) == 0
    conv = Network(nn.Conv2d(1, 2, 3), Input(1, (8, 8)))
    assert agree(conv, plain)[1].labels == ("0", "1", "2", "3")
    assert not agree(network(1), plain)[1].shared, "one output is no class of four"
    assert agree(network(1), plain)[1].labels == ("0", "1", "2", "3")
    assert agree(network(10), plain)[1].shared
