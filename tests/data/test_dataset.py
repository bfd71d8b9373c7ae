"""In-memory pictures, subsets of them, and fingerprints that follow the content."""

import pickle

import pytest
import torch
from torch.utils.data import TensorDataset

from phosphene.data import ArrayDataset, batches, fingerprint
from phosphene.data.fitted import Fitted
from phosphene.errors import DataError

CLASSES = ("circle", "square", "star")


@pytest.fixture
def shapes() -> ArrayDataset:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (30, 3, 5, 4), generator=generator, dtype=torch.uint8)
    return ArrayDataset(pictures, torch.arange(30) % 3, name="shapes test", classes=CLASSES)


def test_items_are_scaled_pictures(shapes: ArrayDataset) -> None:
    example = shapes[7]
    assert torch.equal(example.picture, shapes.pictures[7] / 255)
    assert example.label == 1
    with pytest.raises(IndexError):
        shapes[30]
    assert len(list(shapes)) == 30


def test_subset_relabels_in_the_order_given(shapes: ArrayDataset) -> None:
    part = shapes.subset(["star", "circle"])
    assert part.classes == ("star", "circle")
    wanted = [i for i in range(30) if i % 3 in (2, 0)]
    assert torch.equal(part.pictures, shapes.pictures[wanted])
    assert part.labels.tolist() == [{2: 0, 0: 1}[i % 3] for i in wanted]
    assert part.name == "shapes test, classes star circle"


def test_subset_names_what_is_not_there(shapes: ArrayDataset) -> None:
    with pytest.raises(DataError, match=r"no class 'squares' .*nearest: square"):
        shapes.subset(["squares"])
    with pytest.raises(DataError, match="named twice"):
        shapes.subset(["star", "star"])


def test_take_slices_and_positions(shapes: ArrayDataset) -> None:
    assert torch.equal(shapes.take(slice(2, 9, 3)).pictures, shapes.pictures[2:9:3])
    for chosen in ([5, 0, 5], torch.tensor([5, 0, 5])):
        part = shapes.take(chosen)
        assert torch.equal(part.pictures, shapes.pictures[[5, 0, 5]])
        assert part.labels.tolist() == [2, 0, 2]
    assert shapes.take(slice(4)).name == "shapes test, 4 of 30"
    assert len(shapes.take([])) == 0


def test_labels_must_fit() -> None:
    pictures = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(DataError, match="3 pictures but 2 labels"):
        ArrayDataset(pictures, torch.tensor([0, 1]), name="bad")
    with pytest.raises(DataError, match=r"label 5 .*3 classes"):
        ArrayDataset(pictures, torch.tensor([0, 1, 5]), name="bad", classes=CLASSES)
    assert ArrayDataset(pictures, name="bare")[0].label is None


def test_fingerprint_follows_pixels_labels_and_classes(shapes: ArrayDataset) -> None:
    def made(pixel: int = 0, label: int = 0, classes: tuple[str, ...] = CLASSES) -> str:
        pictures, labels = shapes.pictures.clone(), shapes.labels.clone()
        pictures[3, 0, 0, 0] += pixel
        labels[4] = (labels[4] + label) % 3
        return fingerprint(ArrayDataset(pictures, labels, name="any", classes=classes))

    assert made() == shapes.fingerprint()
    versions = {made(), made(pixel=1), made(label=1), made(classes=("a", "b", "c"))}
    assert len(versions) == 4
    assert shapes.take(slice(None)).fingerprint() == shapes.fingerprint()
    columns_first = shapes.pictures.transpose(2, 3).contiguous().transpose(2, 3)
    moved = ArrayDataset(columns_first, shapes.labels, name="any", classes=CLASSES)
    assert moved.fingerprint() == shapes.fingerprint()
    assert len(shapes.take([]).fingerprint()) == 32


def test_any_dataset_has_a_fingerprint(shapes: ArrayDataset) -> None:
    pictures = shapes.pictures / 255
    whole = fingerprint(TensorDataset(pictures, shapes.labels))
    assert whole == fingerprint(TensorDataset(pictures.clone(), shapes.labels))
    assert whole != fingerprint(TensorDataset(pictures[:-1], shapes.labels[:-1]))
    assert whole != fingerprint(TensorDataset(pictures, shapes.labels.roll(1)))
    assert whole != fingerprint(TensorDataset(pictures))
    assert fingerprint(TensorDataset(pictures[:0])) != whole


def test_survives_pickling(shapes: ArrayDataset) -> None:
    again = pickle.loads(pickle.dumps(shapes))
    assert again.fingerprint() == shapes.fingerprint()
    assert (again.name, again.classes, again.note) == (shapes.name, shapes.classes, shapes.note)


@pytest.mark.later
def test_workers_read_arrays(shapes: ArrayDataset) -> None:
    read = torch.cat([batch.pictures for batch in batches(shapes, size=8, workers=2)])
    assert torch.equal(read, shapes.pictures / 255)


def test_fitted_repeats_grey_and_stretches() -> None:
    ramp = torch.arange(0, 160, 10, dtype=torch.uint8).reshape(1, 1, 4, 4)
    grey = ArrayDataset(ramp, torch.tensor([1]), name="ramp", note="one ramp")
    fitted = Fitted(grey, channels=3, size=(2, 2))
    example = fitted[0]
    assert isinstance(example, tuple)
    assert example.label == 1
    assert torch.equal(example.picture[0], example.picture[2])
    # Halving with antialiased bilinear weights 1 3 3 1, cut off and renormalised at the border.
    weights = torch.tensor([[3.0, 3, 1, 0], [0, 1, 3, 3]]) / 7
    expected = weights @ (ramp[0, 0] / 255) @ weights.T
    torch.testing.assert_close(example.picture[0], expected)
    assert fitted.note == "one ramp, shown as 3 x 2 x 2"
    assert fitted.fingerprint() != Fitted(grey, channels=1, size=(2, 2)).fingerprint()
    assert [len(batch.indices) for batch in batches(fitted)] == [1]


def test_fitted_cannot_add_channels_to_colour(shapes: ArrayDataset) -> None:
    with pytest.raises(DataError, match="has 3 channels, the network takes 4"):
        Fitted(shapes, channels=4, size=(5, 4))[0]
