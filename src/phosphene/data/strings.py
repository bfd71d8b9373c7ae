"""Many texts in little memory: names of a million files are one array of bytes."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray

from phosphene.data.cache import Arrays


class Strings(Sequence[str]):
    """Texts one after another in one array; names of files may hold bytes that are no UTF-8.

    >>> some = Strings.of(["a.png", "", "ü"])
    >>> len(some), some[2], list(some), some[-1:]
    (3, 'ü', ['a.png', '', 'ü'], ['ü'])
    """

    def __init__(self, content: UInt8[ndarray, "bytes"], ends: Int[ndarray, "texts"]) -> None:
        self.content, self.ends = content, ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Strings":
        """Those texts."""
        parts = [text.encode("utf-8", "surrogateescape") for text in texts]
        content = np.frombuffer(b"".join(parts), np.uint8)
        return cls(content, np.cumsum([len(part) for part in parts], dtype=np.int64))

    @classmethod
    def joined(cls, several: Sequence["Strings"]) -> "Strings":
        """The texts of each, one after another."""
        if not several:
            return cls.of(())
        starts = np.cumsum([0, *(len(some.content) for some in several)])
        ends = [some.ends + start for some, start in zip(several, starts, strict=False)]
        return cls(np.concatenate([some.content for some in several]), np.concatenate(ends))

    @classmethod
    def told(cls, arrays: Arrays, name: str) -> "Strings":
        """The texts that `arrays` were given under a name."""
        return cls(arrays[name], arrays[f"{name} ends"])

    def arrays(self, name: str) -> Arrays:
        """What holds them, as arrays to be kept."""
        return {name: self.content, f"{name} ends": self.ends}

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        start = int(self.ends[index - 1]) if index else 0
        return (
            self.content[start : int(self.ends[index])].tobytes().decode("utf-8", "surrogateescape")
        )
