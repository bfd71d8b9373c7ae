"""Codes of a decoder: within reach, true to the decoder, and only for pictures of its shape."""

import json
from math import sqrt

import pytest
import torch
from torch import Tensor

import tiny
from laws import unchanged
from phosphene.canvas import Autoencoder, Decoded, Description
from phosphene.canvas.squash import to_logits, to_pictures
from phosphene.errors import ChannelError, InputError, SettingError, SizeError
from phosphene.streams import Streams

SHAPE = (2, 9, 7)


class Principal(Autoencoder):
    """The `codes` principal components of the logits of pictures: no training, known optimum."""

    def __init__(self, pictures: Tensor, codes: int) -> None:
        super().__init__(tuple(pictures.shape[1:]), codes)
        logits = to_logits(pictures).flatten(1)
        _, deviations, axes = torch.linalg.svd(logits - logits.mean(0), full_matrices=False)
        scale = deviations[:codes, None] / sqrt(len(pictures))
        self.register_buffer("level", logits.mean(0))
        self.register_buffer("axes", axes[:codes] * scale)
        self.register_buffer("inverse", (axes[:codes] / scale).T)

    def encode(self, pictures: Tensor) -> Tensor:
        return (to_logits(pictures).flatten(1) - self.level) @ self.inverse

    def decode(self, codes: Tensor) -> Tensor:
        return to_pictures((self.level + codes @ self.axes).view(-1, *self.shape))


def seeded(*names: object) -> Streams:
    return Streams.seeded(0, names)


def fit(canvas: Decoded, target: Tensor, steps: int = 300) -> Tensor:
    live = canvas.build(seeded(*range(len(target))), tuple(target.shape[1:]))
    optimizer = torch.optim.Adam(live.parameters, live.learning_rate)
    for _ in range(steps):
        loss = (live() - target).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        live.project_()
    return live().detach()


@pytest.mark.later
def test_it_can_fit_what_the_decoder_can_draw(digits: Tensor) -> None:
    decoder = Principal(digits, 40)
    target = decoder(digits[:4])
    assert float((target - digits[:4]).square().mean()) < 0.01, "40 components are a digit"
    canvas = Decoded(decoder=decoder, reach=3.0)
    start = canvas.build(seeded(*range(4)), (1, 28, 28))().detach()
    far, near = ((p - target).square().mean() for p in (start, fit(canvas, target)))
    assert far > 0.02
    assert near < 1e-4


@pytest.mark.later
def test_what_it_cannot_draw_it_does_not(digits: Tensor) -> None:
    noise = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    drawn = fit(Decoded(decoder=Principal(digits, 40)), noise, steps=100)
    assert float((drawn - noise).square().mean()) > 0.05


@pytest.mark.parametrize("reach", [0.5, 1.0, 2.0])
def test_codes_stay_within_reach(reach: float) -> None:
    decoder = tiny.decoder(SHAPE)
    live = Decoded(decoder=decoder, reach=reach, spread=9.0).build(seeded(*"abc"), SHAPE)
    (codes,) = live.parameters
    limit = reach * sqrt(5)
    torch.testing.assert_close(codes.detach().norm(dim=1), torch.full((3,), limit))
    with torch.no_grad():
        codes.copy_(torch.tensor([[0.1] * 5, [7.0] * 5, [0.0] * 5]))
    live.project_()
    expected = torch.tensor([[0.1] * 5, [limit / sqrt(5)] * 5, [0.0] * 5])
    torch.testing.assert_close(codes.detach(), expected)


def test_noise_is_standard_normal_codes() -> None:
    decoder = tiny.decoder(SHAPE)
    live = Decoded(decoder=decoder, reach=5.0, spread=0.5).build(seeded("a", "b"), SHAPE)
    (codes,) = live.parameters
    assert torch.equal(codes, 0.5 * seeded("a", "b").normal(5))
    assert torch.equal(live(), decoder.decode(codes))


@pytest.mark.parametrize(("start", "value"), [("black", 0.0), ("grey", 0.5)])
def test_flat_starts_and_given_pictures_are_encoded(start: str, value: float) -> None:
    decoder = tiny.decoder(SHAPE)
    flat = torch.full((1, *SHAPE), value)
    canvas = Decoded(decoder=decoder, start=start)
    (codes,) = canvas.build(seeded("a", "b"), SHAPE).parameters
    torch.testing.assert_close(codes, decoder.encode(flat).expand(2, -1))
    given = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    live = canvas.build(seeded("a", "b"), SHAPE, pictures=given)
    torch.testing.assert_close(live(), decoder(given))


def test_the_decoder_is_left_as_it_was() -> None:
    decoder = tiny.decoder(SHAPE)
    with unchanged(decoder):
        live = Decoded(decoder=decoder).build(seeded("a"), SHAPE)
        live().sum().backward()
        live.project_()
    assert live.parameters[0].grad is not None


def test_the_decoder_is_named_and_not_held_in_json() -> None:
    decoder, other = tiny.decoder(SHAPE), tiny.decoder(SHAPE, seed=1)
    canvas = Decoded(decoder=decoder, reach=1.5)
    value = json.loads(json.dumps(canvas.to_json()))
    assert value["decoder"] == decoder.fingerprint
    again = Decoded.from_json(value, tiny.decoder(SHAPE))
    assert again == canvas
    assert hash(again) == hash(canvas)
    assert Decoded(decoder=other, reach=1.5) != canvas
    assert Decoded(decoder=decoder) != canvas
    with pytest.raises(
        SettingError, match=rf"by the decoder {decoder.fingerprint}; {other.fingerprint}"
    ):
        Decoded.from_json(value, other)
    with pytest.raises(SettingError, match="'maco' is no decoded canvas; read it with Description"):
        Decoded.from_json({"canvas": "maco"}, decoder)
    with pytest.raises(SettingError, match="rech"):
        Decoded.from_json(value | {"rech": 1}, decoder)
    with pytest.raises(SettingError, match=r"needs its decoder; read it with Decoded\.from_json"):
        Description.from_json(value)


def test_fingerprints_tell_shapes_and_weights_apart() -> None:
    found = {
        tiny.decoder((1, 27, 28)).fingerprint,
        tiny.decoder((1, 28, 28)).fingerprint,  # the weights of both have the same shapes
        tiny.decoder((1, 28, 28), seed=1).fingerprint,
    }
    assert len(found) == 3
    assert tiny.decoder((1, 28, 28)).fingerprint in found


def test_what_does_not_fit_is_refused() -> None:
    decoder = tiny.decoder(SHAPE)
    canvas, streams = Decoded(decoder=decoder), seeded("a")
    with pytest.raises(SizeError, match=r"draws pictures of 2 x 9 x 7; the canvas is 2 x 5 x 5"):
        canvas.build(streams, (2, 5, 5))
    with pytest.raises(ChannelError, match=r"2 x 9 x 7; the canvas is 1 x 9 x 7"):
        canvas.build(streams, (1, 9, 7))
    with pytest.raises(SizeError, match=r"3 start pictures for 1 images"):
        canvas.build(streams, SHAPE, pictures=torch.rand(3, *SHAPE))
    with pytest.raises(InputError, match=r"a reach of 0\.0 leaves no codes"):
        Decoded(decoder=decoder, reach=0.0)
    with pytest.raises(InputError, match="no start is called 'gray'; nearest: grey"):
        Decoded(decoder=decoder, start="gray")
