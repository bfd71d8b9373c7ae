"""Pictures to study a network with: embedded digits, MNIST files, image folders, any Dataset."""

from phosphene.data.batching import Batch, batches, shard_length, shards, spans
from phosphene.data.dataset import ArrayDataset, ImageDataset, fingerprint
from phosphene.data.embedded import digits
from phosphene.data.example import Example, Unreadable, read
from phosphene.data.folder import ImageFolder
from phosphene.data.images import in_size, read_image
from phosphene.data.matching import (
    Match,
    Relabelled,
    count_labels,
    file_name,
    item_name,
    known_labels,
    match_classes,
    output_names,
    relabelled,
)
from phosphene.data.mnist_files import download_mnist, mnist
from phosphene.data.modes import plain
from phosphene.data.resize import Resize, resize_of
from phosphene.data.sources import SOURCES, Wanted, source
from phosphene.data.spec import load_data

__all__ = [
    "SOURCES",
    "ArrayDataset",
    "Batch",
    "Example",
    "ImageDataset",
    "ImageFolder",
    "Match",
    "Relabelled",
    "Resize",
    "Unreadable",
    "Wanted",
    "batches",
    "count_labels",
    "digits",
    "download_mnist",
    "file_name",
    "fingerprint",
    "in_size",
    "item_name",
    "known_labels",
    "load_data",
    "match_classes",
    "mnist",
    "output_names",
    "plain",
    "read",
    "read_image",
    "relabelled",
    "resize_of",
    "shard_length",
    "shards",
    "source",
    "spans",
]
