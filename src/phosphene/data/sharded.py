"""Images packed many to a file: what each file holds is looked up once and kept."""

from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from phosphene.data.cache import Arrays, keep, kept
from phosphene.data.dataset import digest
from phosphene.data.remote import THREADS, Piece, is_url
from phosphene.data.resize import Resize, told
from phosphene.data.stored import Stored, unlabelled
from phosphene.data.strings import Strings
from phosphene.errors import DataError
from phosphene.progress import tell, telling
from phosphene.words import plural, printable

LABELS, TEXTS, SEAL = "labels", "texts", "seal"
"""What the index of each file has besides: a number of each image (-1 for none) and, where labels
are texts, these texts; and bytes that change with what the file holds."""


class Sharded(Stored):
    """Images in files of many, numbered through in the order of the files.

    What a file holds is looked up once, in all files that are not known yet, and kept in the
    person's cache until the file has another size or mark. Two copies of the same files have the
    same fingerprint wherever they lie.

    Raises:
        DataError: a file cannot be read, or none holds an image.
    """

    called_file = "file"

    def __init__(
        self, pieces: Sequence[Piece], channels: int, size: tuple[int, int], resize: Resize | None
    ) -> None:
        self.pieces = list(pieces)
        self.channels, self.size, self.resize = channels, size, resize
        indices = self._looked_up()
        counts = [len(index[LABELS]) for index in indices]
        self._starts = np.cumsum([0, *counts])
        self.targets, self.classes = self._labelled(indices)
        self._seals = [index[SEAL].tobytes() for index in indices]
        if not len(self.targets):
            raise DataError(
                f"no image in {plural(len(self.pieces), 'file')} from "
                f"{printable(self.pieces[0].place)} on; {self._expected()}"
            )
        self._take_in(indices)
        files = plural(len(self.pieces), self.called_file)
        self.name = printable(_name(self.pieces))
        self.note = f"{len(self):,} images in {files}, {told(resize, size)}"

    def fingerprint(self) -> str:
        """BLAKE2 of what the files are called and of what their indices say, and how it is read."""
        parts: list[bytes] = [repr(self.as_read).encode()]
        for piece, seal in zip(self.pieces, self._seals, strict=True):
            parts += [repr((piece.name, piece.size)).encode(), seal]
        return digest(*parts)

    @abstractmethod
    def _look_up(self, piece: Piece) -> Arrays:
        """The index of a file: `LABELS`, `TEXTS` and `SEAL`, and whatever finds an image in it."""

    @abstractmethod
    def _take_in(self, indices: Sequence[Arrays]) -> None:
        """Hold what the indices say of all files."""

    @abstractmethod
    def _expected(self) -> str:
        """What such files hold, for who gave others."""

    def _class_names(self) -> tuple[str, ...]:
        """The classes' names where the files say them apart from the labels."""
        return ()

    @telling("looking up what the files of the data hold")
    def _looked_up(self) -> list[Arrays]:
        known = {piece: kept(self._about(piece), piece.mark) for piece in self.pieces}
        missing = [piece for piece, index in known.items() if index is None]
        threads = THREADS if is_url(self.pieces[0].place) else 1
        with ThreadPoolExecutor(threads) as pool:
            for done, (piece, index) in enumerate(
                zip(missing, pool.map(self._look_up, missing), strict=True)
            ):
                tell(done, len(missing), piece.name)
                keep(self._about(piece), piece.mark, index)
                known[piece] = index
        return [index for index in map(known.get, self.pieces) if index is not None]

    def _about(self, piece: Piece) -> str:
        return f"{type(self).__name__} {piece.place} {piece.size}"

    def _labelled(self, indices: Sequence[Arrays]) -> tuple[Int[ndarray, "n"], tuple[str, ...]]:
        """All labels as numbers, and the names of the classes where there are any."""
        texts = [Strings.told(index, TEXTS) for index in indices]
        labels = [index[LABELS] for index in indices]
        if not any(len(some) for some in texts):
            return np.concatenate([*labels, unlabelled(0)]), self._class_names()
        classes = sorted({text for some in texts for text in some})
        numbers = {text: number for number, text in enumerate(classes)}
        for place, some in enumerate(texts):
            new = np.array([*(numbers[text] for text in some), -1], np.int64)
            labels[place] = new[labels[place]]
        return np.concatenate(labels), tuple(map(printable, classes))

    def _where(self, indices: Sequence[int]) -> Int[ndarray, "n"]:
        """In which file each item is."""
        return np.searchsorted(self._starts, indices, side="right") - 1


def texts_numbered(labels: Sequence[int | str | None]) -> Arrays:
    """`LABELS` and `TEXTS` of an index: texts count where no label is a number."""
    if any(isinstance(label, int) for label in labels):
        found = [label if isinstance(label, int) and label >= 0 else -1 for label in labels]
        return {LABELS: np.array(found, np.int64), **Strings.of(()).arrays(TEXTS)}
    texts = sorted({label for label in labels if isinstance(label, str)})
    numbers = {text: number for number, text in enumerate(texts)}
    found = [numbers.get(str(label), -1) if label is not None else -1 for label in labels]
    return {LABELS: np.array(found, np.int64), **Strings.of(texts).arrays(TEXTS)}


def _name(pieces: Sequence[Piece]) -> str:
    """What the data are called: their file, or the folder that several lie in."""
    if len(pieces) == 1:
        return pieces[0].name
    return pieces[0].place.rstrip("/").rpartition("/")[0].rpartition("/")[2] or pieces[0].name
