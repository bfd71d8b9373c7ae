"""Hide a text in pictures that look like noise, and that one network alone can read.

Each picture stands for one symbol: the class the network reads. A network of K classes has an
alphabet of the largest power of two up to K, so each picture carries log2 of that in bits.

This is a demonstration of how much a network sees in what is noise to us, and of how little of it
another network shares. Others may guess more than half of the pictures; a message needs all of
them, or its checksum fails. It is not security: whoever has the network reads the message, and
nothing here is keyed or was ever attacked in earnest.
"""

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log, prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from phosphene.canvas import PixelCanvas
from phosphene.data import read_image
from phosphene.errors import MessageError, PhospheneError
from phosphene.maximize import Above, Optimizer, ascend, on_screen
from phosphene.network import Input, Network
from phosphene.objectives import LogProbability
from phosphene.probes import options
from phosphene.probes.question import HIDE, Question
from phosphene.probes.subject import Subject
from phosphene.progress import tell, telling
from phosphene.results import Result
from phosphene.spellings import Model, Shown, network_of, pictures_of
from phosphene.streams import Streams
from phosphene.words import number, plural

MAGIC = b"PH"
HEADER = struct.Struct(">2sII")
"""Magic bytes, length of the text in bytes, its CRC-32."""

RATE = 0.02
"""Step of the normalised gradient: small, so that noise stays noise."""


@dataclass(frozen=True, eq=False)
class Message(Result):
    """A text as pictures of 256 levels, one for each symbol.

    `confidence` is the probability the network gives each picture's symbol.
    """

    pictures: Float[Tensor, "b c h w"]
    symbols: tuple[int, ...]
    base: int
    confidence: Float[Tensor, "b"]

    @property
    def summary(self) -> str:
        """How many pictures the text took, and how surely they are read."""
        return (
            f"{plural(len(self.symbols), 'picture')} of noise, one for each symbol of an alphabet "
            f"of {self.base}; the network is sure of each at p ≥ "
            f"{number(float(self.confidence.min()))}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "pictures": len(self.symbols),
            "base": self.base,
            "least_confidence": float(self.confidence.min()),
            "mean_confidence": float(self.confidence.mean()),
        }


@telling("hiding a message")
def hide(
    network: Model,
    text: str,
    *,
    seed: int = 0,
    confidence: float = 0.99,
    steps: int = 200,
    batch: int = 1024,
) -> Message:
    """Turn `text` into noise, each picture pushed until the network reads its symbol.

    The pictures start as uniform noise and follow the gradient of log p(symbol) until it passes
    `confidence`, which is checked again after rounding to the 256 levels of a file. A picture
    depends on the seed, its place and its symbol, not on `batch`.

    Raises:
        NetworkError: the network does not classify.
        MessageError: fewer than two classes, or a picture that stays unread after `steps`.
    """
    network = network_of(network)
    base = _base(network)
    symbols = to_symbols(frame(text.encode()), base)
    parts = []
    for start in range(0, len(symbols), batch):
        streams = Streams.seeded(seed, range(start, min(start + batch, len(symbols))))
        part = symbols[start : start + batch]
        parts.append(_push(network, part, streams, confidence, steps))
        tell(start + len(part), len(symbols))
    message = Message(
        torch.cat([pictures for pictures, _ in parts]),
        tuple(symbols),
        base,
        torch.cat([reached for _, reached in parts]),
    )
    unread = int((message.confidence < confidence).sum())
    if unread:
        raise MessageError(
            f"{unread} of {len(symbols)} pictures stay below p = {confidence} after {steps} steps; "
            "give more steps or a lower confidence"
        )
    return message


def reveal(network: Model, pictures: Shown, *, batch: int = 1024) -> str:
    """The text that `hide` put into `pictures`, read by the same network.

    Pictures beyond the end of the text are passed over.

    Raises:
        MessageError: the pictures hold no message for this network, or a damaged one.
    """
    network = network_of(network)
    shown = pictures_of(network, pictures)
    parts = [network.class_scores(part).argmax(1) for part in shown.split(batch)]
    symbols = torch.cat(parts).tolist() if parts else []
    return unframe(from_symbols(symbols, _base(network)))


def frame(body: bytes) -> bytes:
    """`body` behind a header of magic bytes, length and checksum."""
    return HEADER.pack(MAGIC, len(body), zlib.crc32(body)) + body


def unframe(data: bytes) -> str:
    """The text in a frame; what follows its end is passed over.

    >>> unframe(frame("déjà vu".encode()) + bytes(3))
    'déjà vu'

    Raises:
        MessageError: no frame, one cut short, or one whose checksum is wrong.
    """
    if len(data) < HEADER.size:
        raise MessageError(
            f"{len(data)} bytes were read, too few for the {HEADER.size} of a header; "
            "the set of pictures is cut short"
        )
    magic, length, checksum = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise MessageError(
            f"the pictures begin with {magic!r}, not with {MAGIC!r}: they hold no message, "
            "or one for another network"
        )
    body = data[HEADER.size : HEADER.size + length]
    if len(body) < length:
        raise MessageError(
            f"{len(body)} of the message's {length} bytes are there; pictures at its end are "
            "missing, or its length was misread by another network than wrote it"
        )
    if zlib.crc32(body) != checksum:
        raise MessageError(
            f"the checksum of {length} bytes is {zlib.crc32(body):08x}, not {checksum:08x}: "
            "pictures were changed or reordered, or read by another network than wrote them"
        )
    return body.decode()


def to_symbols(data: bytes, base: int) -> list[int]:
    """`data` as digits of log2(base) bits each, the last filled up with zeros.

    >>> to_symbols(b"\\xe1", 8), from_symbols([7, 0, 2], 8)
    ([7, 0, 2], b'\\xe1')
    """
    width = base.bit_length() - 1
    bits = "".join(f"{byte:08b}" for byte in data)
    digits = [bits[i : i + width].ljust(width, "0") for i in range(0, len(bits), width)]
    return [int(digit, 2) for digit in digits]


def from_symbols(symbols: Sequence[int], base: int) -> bytes:
    """The whole bytes in `symbols`.

    A class beyond the alphabet counts as its remainder, which the checksum finds out.
    """
    width = base.bit_length() - 1
    bits = "".join(f"{symbol % base:0{width}b}" for symbol in symbols)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8))


def save_message(pictures: Float[Tensor, "b c h w"], path: str | Path) -> None:
    """Write the pictures into one PNG file of tiles, or into a folder of PNG files.

    A path that ends in .png is a file, any other a folder. Pictures of 3 channels are in colour;
    of any other number each channel is a grey tile of its own.
    """
    path = Path(path)
    levels = (pictures * 255).round().byte()
    tiles = levels if levels.shape[1] == 3 else levels.flatten(0, 1)[:, None]
    if path.suffix.lower() != ".png":
        path.mkdir(parents=True, exist_ok=True)
        for place, tile in enumerate(tiles):
            _image(tile).save(path / f"{place:06d}.png")
        return
    count, _, height, width = tiles.shape
    columns = max(1, round((count * height / width) ** 0.5))
    empty = tiles.new_zeros(-count % columns, *tiles.shape[1:])
    grid = torch.cat([tiles, empty]).unflatten(0, (-1, columns))
    _image(grid.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)).save(path)


def load_message(path: str | Path, input: Input) -> Float[Tensor, "b c h w"]:
    """The pictures that `save_message` wrote, for a network with this input.

    A file's tiles that were left empty come back as black pictures.

    Raises:
        UnreadableImageError: a file that cannot be decoded.
        MessageError: nothing there, or no whole number of tiles.
    """
    path = Path(path)
    files = sorted(path.glob("*.png")) if path.is_dir() else [path]
    if not files:
        raise MessageError(f"no PNG file in {path}; give the folder or file a message was saved to")
    height, width = input.size
    tiles = []
    for file in files:
        sheet = read_image(file, 3 if input.channels == 3 else 1)
        if sheet.shape[1] % height or sheet.shape[2] % width:
            raise MessageError(
                f"{file} is {sheet.shape[1]} x {sheet.shape[2]}, no whole number of "
                f"{height} x {width} pictures; it was scaled or cut, or made for another network"
            )
        cut = sheet.unflatten(1, (-1, height)).unflatten(3, (-1, width))
        tiles.append(cut.permute(1, 3, 0, 2, 4).flatten(0, 1))
    planes = torch.cat(tiles).flatten(0, 1)
    whole = len(planes) // input.channels * input.channels
    return planes[:whole].view(-1, *input.shape)


def _base(network: Network) -> int:
    classes = len(network.classes)
    if classes < 2:
        raise MessageError(
            f"{network.name} has {classes} class; a message needs at least two to tell apart"
        )
    return 1 << (classes.bit_length() - 1)


def _push(
    network: Network, symbols: Sequence[int], streams: Streams, confidence: float, steps: int
) -> tuple[Tensor, Tensor]:
    """Pictures of 256 levels and the probabilities of their symbols."""
    shape = network.input.shape
    noise = streams.uniform(prod(shape)).view(-1, *shape).to(network.device)
    *_, last = ascend(
        network,
        LogProbability(tuple(symbols)),
        PixelCanvas(noise, RATE),
        streams,
        steps=steps,
        optimizer=Optimizer("NormalizedGradient"),
        stop=Above(log((1 + confidence) / 2)),  # rounding to 256 levels costs a little
    )
    pictures = on_screen(last.pictures)
    return pictures.cpu(), network.probabilities(pictures).cpu()[range(len(symbols)), symbols]


def _image(tile: Tensor) -> Image.Image:
    array = tile.permute(1, 2, 0).numpy()
    return Image.fromarray(array if len(tile) == 3 else array[:, :, 0])


@dataclass(frozen=True)
class Hiding(Question):
    """Hide a text in noise that this network reads back. A demonstration, not security."""

    name, panel = "hide", HIDE
    text: str = options.option("text", "What to hide.", argument=True)
    into: str = options.option(
        "file", "The message: a .png file, or a folder of pictures.", "message.png", key=None
    )
    confidence: float = options.option(
        "number", "How sure the network must be of each picture.", 0.99
    )
    steps: int = options.steps(200)

    def title(self, subject: Subject) -> str:
        """How long it is."""
        return f"A hidden message of {plural(len(self.text), 'character')}"

    def ask(self, subject: Subject) -> Message:
        """The message, which is written to its file."""
        message = hide(
            subject.network,
            self.text,
            seed=subject.seed,
            confidence=self.confidence,
            steps=self.steps,
        )
        save_message(message.pictures, self.into)
        subject.tell(f"The message itself: {self.into}")
        return message

    def complete(self, subject: Subject) -> bool:
        """Whether the file is there and holds this text."""
        with suppress(PhospheneError):
            pictures = load_message(self.into, subject.network.input)
            return reveal(subject.network, pictures) == self.text
        return False
