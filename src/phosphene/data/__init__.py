"""Pictures to study a network with: embedded digits, MNIST files, image folders, any Dataset."""

from phosphene.data.batches import Batch, batches
from phosphene.data.dataset import ArrayDataset, ImageDataset, fingerprint
from phosphene.data.digits import digits
from phosphene.data.example import Example, Unreadable, read
from phosphene.data.folder import ImageFolder
from phosphene.data.images import read_image
from phosphene.data.mnist import download_mnist, mnist
from phosphene.data.spec import load_data

__all__ = [
    "ArrayDataset",
    "Batch",
    "Example",
    "ImageDataset",
    "ImageFolder",
    "Unreadable",
    "batches",
    "digits",
    "download_mnist",
    "fingerprint",
    "load_data",
    "mnist",
    "read",
    "read_image",
]
