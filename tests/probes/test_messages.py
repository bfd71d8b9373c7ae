"""Messages come back whole from the network they were made for, or not at all."""

import json
import zlib
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from laws import unchanged
from mnist_cnn import trained
from phosphene.data import mnist
from phosphene.errors import MessageError, UnreadableImageError
from phosphene.network import Input, Network
from phosphene.probes import Message, hide, load_message, reveal, save_message
from phosphene.probes.messages import MAGIC, frame, from_symbols, to_symbols, unframe
from tiny import network, seeded

TEXT = "Was siehst du? 猫"


def steep(channels: int, classes: int = 5, seed: int = 0) -> Network:
    """A network that noise can easily persuade."""

    def build() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 6 * 8, classes)
        )

    return Network(seeded(build, seed), Input(channels, (8, 10), mean=0.5, std=0.1))


@pytest.fixture(scope="module", params=[1, 2, 3])
def hidden(request: pytest.FixtureRequest) -> tuple[Network, Message]:
    net = steep(request.param)
    return net, hide(net, TEXT, confidence=0.9)


@pytest.mark.parametrize("base", [2, 4, 8, 16, 512])
@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\x00\x81", bytes(range(256))])
def test_symbols_hold_the_bytes(base: int, data: bytes) -> None:
    symbols = to_symbols(data, base)
    assert all(0 <= symbol < base for symbol in symbols)
    # As one number written in this base, the last digit filled up.
    width = base.bit_length() - 1
    number = int.from_bytes(data, "big") << (-8 * len(data) % width)
    expected = []
    for _ in range(-(-8 * len(data) // width)):
        number, digit = divmod(number, base)
        expected.insert(0, digit)
    assert symbols == expected
    # What is left over after the last whole byte may make one more byte of zeros.
    assert from_symbols(symbols, base)[: len(data)] == data


def test_frames_are_magic_length_checksum_and_text() -> None:
    body = TEXT.encode()
    whole = frame(body)
    expected = MAGIC + len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body
    assert whole == expected
    assert unframe(whole + b"rest") == TEXT
    assert unframe(frame(b"")) == ""


def test_every_damage_to_a_frame_is_named() -> None:
    whole = frame(TEXT.encode())
    with pytest.raises(MessageError, match=r"5 bytes were read.*cut short"):
        unframe(whole[:5])
    with pytest.raises(MessageError, match="no message"):
        unframe(b"QH" + whole[2:])
    with pytest.raises(MessageError, match=r"17 of the message's 18 bytes"):
        unframe(whole[:-1])
    for place in range(2, len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            with pytest.raises(MessageError):
                unframe(bytes(damaged))


@pytest.mark.later
def test_a_message_comes_back(hidden: tuple[Network, Message]) -> None:
    net, message = hidden
    assert message.base == 4
    assert len(message.pictures) == (10 + len(TEXT.encode())) * 4
    assert reveal(net, message.pictures) == TEXT
    assert reveal(net, message.pictures, batch=7) == TEXT
    assert torch.equal((message.pictures * 255).round() / 255, message.pictures)
    scores = net.probabilities(message.pictures)[range(len(message.symbols)), message.symbols]
    assert torch.equal(scores, message.confidence)
    assert scores.min() >= 0.9
    json.dumps(message.to_json())


@pytest.mark.parametrize("name", ["sheet.png", "folder"])
def test_files_hold_the_pictures_exactly(
    hidden: tuple[Network, Message], tmp_path: Path, name: str
) -> None:
    net, message = hidden
    save_message(message.pictures, tmp_path / name)
    read = load_message(tmp_path / name, net.input)
    assert torch.equal(read[: len(message.pictures)], message.pictures)
    assert not read[len(message.pictures) :].any()
    assert reveal(net, read) == TEXT


def test_lost_changed_and_reordered_pictures_are_noticed(hidden: tuple[Network, Message]) -> None:
    net, message = hidden
    pictures, symbols = message.pictures, message.symbols
    with pytest.raises(MessageError, match="cut short"):
        reveal(net, pictures[:30])
    with pytest.raises(MessageError, match="of the message's"):
        reveal(net, pictures[:-1])
    with pytest.raises(MessageError, match="no message"):
        reveal(net, pictures.flip(0))
    other = next(i for i in range(50, 90) if symbols[i] != symbols[49])
    order = list(range(len(symbols)))
    order[49], order[other] = order[other], order[49]
    with pytest.raises(MessageError, match="checksum"):
        reveal(net, pictures[order])
    with pytest.raises(MessageError, match="0 bytes were read"):
        reveal(net, pictures[:0])


def test_another_network_reads_nothing(hidden: tuple[Network, Message]) -> None:
    net, message = hidden
    with pytest.raises(MessageError):
        reveal(steep(net.input.channels, seed=1), message.pictures)


@pytest.mark.slow
def test_a_picture_depends_on_seed_and_place_alone() -> None:
    net = steep(1)
    whole = hide(net, "ab", confidence=0.9, seed=3)
    parts = hide(net, "ab", confidence=0.9, seed=3, batch=5)
    assert (whole.pictures - parts.pictures).abs().max() <= 1.01 / 255
    assert not torch.equal(whole.pictures, hide(net, "ab", confidence=0.9).pictures)


def test_the_network_is_given_back_as_it_was() -> None:
    net = steep(2)
    with unchanged(net.module):
        reveal(net, hide(net, "", confidence=0.9).pictures)


def test_what_cannot_be_hidden_or_found_is_refused(tmp_path: Path) -> None:
    one = steep(1, classes=1)
    with pytest.raises(MessageError, match="1 class; a message needs at least two"):
        hide(Network(one.module, one.input, task="sigmoid"), "no")
    with pytest.raises(MessageError, match=r"stay below p = 0.99 after 0 steps.*more steps"):
        hide(network("rectified"), "no", steps=0)
    with pytest.raises(MessageError, match="no PNG file"):
        load_message(tmp_path, Input(1, (8, 8)))
    with pytest.raises(UnreadableImageError, match="missing"):
        load_message(tmp_path / "missing.png", Input(1, (8, 8)))
    Image.new("L", (16, 15)).save(tmp_path / "cut.png")
    with pytest.raises(MessageError, match="15 x 16, no whole number of 8 x 8"):
        load_message(tmp_path / "cut.png", Input(1, (8, 8)))


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 12 * 12, 10)
    )


@pytest.mark.slow
def test_two_hundred_characters_for_one_trained_network_and_no_other(
    shared_data: Path, tmp_path: Path
) -> None:
    net = trained(shared_data)
    text = ("What does a unit of a trained vision network really look for? " * 4)[:200]
    message = hide(net, text)
    assert (len(message.symbols), message.base) == (560, 8)
    save_message(message.pictures, tmp_path / "noise.png")
    read = load_message(tmp_path / "noise.png", net.input)
    assert reveal(net, read) == text

    other = Network(seeded(small), net.input)
    train = mnist(shared_data / "mnist", "train").take(slice(0, 6000))
    inputs, labels = net.input.normalise(train.pictures / 255), train.labels
    optimizer = torch.optim.Adam(other.module.parameters(), lr=2e-3)
    for step in range(200):
        part = slice(step % 40 * 150, step % 40 * 150 + 150)
        optimizer.zero_grad()
        F.cross_entropy(other.module(inputs[part]), labels[part]).backward()
        optimizer.step()
    test = mnist(shared_data / "mnist", "test").take(slice(0, 1000))
    accuracy = (other.class_scores(test.pictures / 255).argmax(1) == test.labels).float().mean()
    assert accuracy > 0.9  # it does read digits
    agreed = other.class_scores(message.pictures).argmax(1) == torch.tensor(message.symbols)
    # Measured 58 %: it guesses more than half of the pictures, and a message needs them all.
    assert 0.2 < agreed.float().mean() < 0.9
    with pytest.raises(MessageError):
        reveal(other, read)
