"""A decoder for pictures of any shape, its loss, and training that can be cut short anywhere."""

import math
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.utils.data import TensorDataset

from phosphene.canvas import Decoded
from phosphene.data import digits
from phosphene.errors import DataError, SettingError, SizeError, WeightsError
from phosphene.streams import Streams
from phosphene.training import Training, seeded
from phosphene.training import loop as training
from phosphene.zoo import DecoderStep, VariationalAutoencoder, train_decoder
from phosphene.zoo.decoder import bound

SHAPE = (2, 7, 10)
STEPS = 23
RECIPE = Training("Adam", 0.01, batch=8, steps=STEPS)


def small(shape: tuple[int, int, int] = SHAPE, codes: int = 3) -> VariationalAutoencoder:
    return seeded(lambda: VariationalAutoencoder(shape, codes, widths=(4, 6)), 0)


def same(one: VariationalAutoencoder, other: VariationalAutoencoder) -> bool:
    theirs = other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in one.state_dict().items())


@pytest.fixture(scope="module")
def data() -> TensorDataset:
    return TensorDataset(torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(autouse=True)
def _save_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 5)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 27, 40), (4, 1, 1), (2, 3, 17), (1, 5, 2)])
@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 5)])
def test_any_shape_is_encoded_and_decoded(
    shape: tuple[int, int, int], widths: tuple[int, ...]
) -> None:
    autoencoder = VariationalAutoencoder(shape, 6, widths)
    codes = autoencoder.encode(torch.rand(2, *shape))
    assert codes.shape == (2, 6)
    pictures = autoencoder.decode(50 * codes)
    assert pictures.shape == (2, *shape)
    assert 0 <= float(pictures.detach().min()) <= float(pictures.detach().max()) <= 1
    convolutions = [m for m in autoencoder.encoder if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == list(widths)


def test_the_loss_is_that_of_kingma_and_welling() -> None:
    autoencoder = small()
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(3, *SHAPE, generator=generator)
    noise = torch.randn(3, 3, generator=generator)
    pixels = codes = 0.0
    with torch.no_grad():
        reconstruction, divergence = bound(autoencoder, pictures, noise)
        for x, n in zip(pictures, noise, strict=True):
            mean, log_variance = (v[0] for v in autoencoder.distribution(x[None]))
            posterior = Normal(mean, torch.exp(0.5 * log_variance))
            drawn = autoencoder.decode((posterior.mean + posterior.stddev * n)[None])[0]
            for p, q in zip(x.flatten().tolist(), drawn.flatten().tolist(), strict=True):
                pixels -= p * math.log(q) + (1 - p) * math.log(1 - q)
            codes += float(kl_divergence(posterior, Normal(0.0, 1.0)).sum())
    assert float(reconstruction) == pytest.approx(pixels / 3, rel=1e-4)
    assert float(divergence) == pytest.approx(codes / 3, rel=1e-4)
    assert DecoderStep(1, 2.0, 3.0).loss == 5.0


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(data: TensorDataset, tmp_path: Path) -> None:
    whole = small()
    steps = list(train_decoder(whole, data, tmp_path / "whole.safetensors", RECIPE))
    assert [step.index for step in steps] == list(range(1, STEPS + 1))
    path = tmp_path / "cut.safetensors"
    for stop in (3, 7, 11):
        torch.manual_seed(stop)
        unfinished = train_decoder(small(), data, path, RECIPE)
        seen = []
        for step in unfinished:
            seen.append(step)
            if step.index == stop:
                break
        unfinished.close()  # type: ignore[attr-defined]
        assert seen == steps[seen[0].index - 1 : stop]
        assert not path.exists()
    resumed = small()
    rest = list(train_decoder(resumed, data, path, RECIPE))
    assert rest == steps[10:]
    assert same(resumed, whole)
    assert path.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    again = small()
    assert list(train_decoder(again, data, path, RECIPE)) == []
    assert again.fingerprint == whole.fingerprint
    assert not again.training


@pytest.mark.later
def test_weights_of_another_shape_are_refused(data: TensorDataset, tmp_path: Path) -> None:
    path = tmp_path / "w"
    list(train_decoder(small(), data, path, RECIPE))
    other = small((2, 8, 10))  # its weights have the same shapes
    with pytest.raises(WeightsError, match=r"shape 2, 8, 10 where the file has 2, 7, 10"):
        list(train_decoder(other, data, path, RECIPE))


def test_pictures_that_do_not_fit_are_refused(data: TensorDataset, tmp_path: Path) -> None:
    with pytest.raises(SizeError, match=r"of \(2, 7, 10\) were given to .* of \(2, 10, 7\)"):
        list(train_decoder(small((2, 10, 7)), data, tmp_path / "w", RECIPE))
    with pytest.raises(DataError, match="no pictures"):
        list(train_decoder(small(), TensorDataset(torch.rand(0, *SHAPE)), tmp_path / "w", RECIPE))
    with pytest.raises(SettingError, match="0 codes"):
        VariationalAutoencoder(SHAPE, 0)
    with pytest.raises(SettingError, match=r"widths \(\)"):
        VariationalAutoencoder(SHAPE, 4, ())


@pytest.fixture(scope="module")
def of_digits(tmp_path_factory: pytest.TempPathFactory) -> VariationalAutoencoder:
    """Trained for a few seconds on the embedded digits, 8 x 8."""
    made = seeded(lambda: VariationalAutoencoder((1, 8, 8), 10, (16, 32)), 0)
    recipe = Training("Adam", 4e-3, batch=64, steps=400)
    path = tmp_path_factory.mktemp("decoder") / "w"
    steps = list(train_decoder(made, digits("train", (8, 8)), path, recipe))
    assert steps[-1].loss < 0.7 * steps[0].loss
    return made


@pytest.mark.slow
def test_a_trained_one_redraws_pictures_it_has_not_seen(of_digits: VariationalAutoencoder) -> None:
    data = digits("test", (8, 8))
    pictures = torch.stack([data[i].picture for i in range(200)])
    with torch.no_grad():
        error = (of_digits(pictures) - pictures).square().mean()
        codes = of_digits.encode(pictures)
    varied = (pictures - pictures.mean(0)).square().mean()
    assert error < 0.6 * varied
    assert 0.3 < float(codes.norm(dim=1).mean()) / math.sqrt(10) < 1.2


@pytest.mark.slow
def test_a_canvas_of_it_can_fit_a_digit_from_noise(of_digits: VariationalAutoencoder) -> None:
    data = digits("test", (8, 8))
    pictures = torch.stack([data[i].picture for i in range(8)])
    live = Decoded(decoder=of_digits, reach=1.5).build(Streams.seeded(0, range(8)), (1, 8, 8))
    optimizer = torch.optim.Adam(live.parameters, live.learning_rate)
    start = live().detach()
    for _ in range(200):
        loss = (live() - pictures).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        live.project_()
    with torch.no_grad():
        fitted, first, redrawn = (
            float((p - pictures).square().mean()) for p in (live(), start, of_digits(pictures))
        )
    assert fitted < 0.5 * first
    assert fitted < redrawn, "no worse than what the encoder finds in one look"
