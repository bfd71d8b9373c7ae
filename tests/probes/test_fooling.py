"""Fooling: frames against a slow reference, what is said about them, and MNIST."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import tiny
from laws import unchanged
from mnist_cnn import trained
from phosphene.errors import (
    ChannelError,
    InputError,
    NetworkError,
    ObjectiveError,
    SizeError,
)
from phosphene.maximize import Optimizer
from phosphene.network import Input, Network
from phosphene.network.recorded import Recording
from phosphene.objectives import Logit, LogProbability, Probability
from phosphene.probes import against, fool
from phosphene.probes.film import CONVINCED, MOST
from phosphene.probes.fooling import Aim, usual_rate
from phosphene.units import LOGITS

CLASSIFIERS = ("rectified", "residual", "functional", "dense")


def log_probabilities(network: Network, picture: Tensor) -> Tensor:
    """The network's module by hand, in eval mode, on one picture."""
    low, high = network.input.value_range
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (network.input.mean, network.input.std))
    network.module.eval()
    scores = network.module(((low + picture * (high - low) - mean) / std)[None])
    return scores.log_softmax(1)[0]


def slow_steps(
    network: Network, start: Tensor, score: Callable[[Tensor], Tensor], rate: float, steps: int
) -> list[Tensor]:
    """Normalised steps on one picture, written out."""
    frames = [start]
    for _ in range(steps):
        x = frames[-1].clone().requires_grad_()
        (g,) = torch.autograd.grad(score(log_probabilities(network, x)), x)
        deviation = ((g - g.mean()) ** 2).mean().sqrt()
        frames.append((frames[-1] + rate * g / (deviation + 1e-8)).clamp(0, 1))
    return frames


AIMS: dict[str, tuple[Callable[[int], Aim], Callable[[Tensor, int], Tensor]]] = {
    "log probability": (lambda k: LogProbability, lambda logp, t: logp[t]),
    "probability": (lambda k: Probability, lambda logp, t: logp[t].exp()),
    "against all": (against, lambda logp, t: len(logp) * logp[t] - logp.sum()),
}


class TestFrames:
    @pytest.mark.parametrize("name", CLASSIFIERS)
    @pytest.mark.parametrize("aim", AIMS)
    @pytest.mark.slow
    def test_are_those_of_a_slow_reference(self, name: str, aim: str) -> None:
        network = tiny.network(name)
        make, score = AIMS[aim]
        film = fool(network, aim=make(len(network.classes)), optimizer=step(0.05), steps=3)
        for t in range(len(network.classes)):
            expected = slow_steps(
                network, film.frames[0, t], lambda logp, t=t: score(logp, t), 0.05, 3
            )
            torch.testing.assert_close(film.frames[:, t], torch.stack(expected), atol=1e-3, rtol=0)
            for frame, probabilities in zip(expected, film.probabilities[:, t], strict=True):
                torch.testing.assert_close(
                    log_probabilities(network, frame).exp(), probabilities, atol=1e-3, rtol=0
                )

    def test_with_adam_from_black(self) -> None:
        network = tiny.network("functional")
        film = fool(
            network, [2], "black", aim=against(7), optimizer=Optimizer("Adam", 0.1), steps=6
        )
        x = torch.zeros(1, 16, 16, requires_grad=True)
        adam = torch.optim.Adam([x], lr=0.1)
        for frame in film.frames[:, 0]:
            torch.testing.assert_close(frame, x.detach(), atol=1e-4, rtol=0)
            logp = log_probabilities(network, x)
            (x.grad,) = torch.autograd.grad(logp.sum() - 7 * logp[2], x)
            adam.step()
            x.data.clamp_(0, 1)

    @pytest.mark.later
    def test_stay_in_range_however_long_the_step(self) -> None:
        film = fool(tiny.network("residual"), optimizer=step(50.0))
        assert film.frames.min() == 0
        assert film.frames.max() == 1

    @pytest.mark.slow
    def test_do_not_depend_on_company(self) -> None:
        network = tiny.network("rectified")
        together = fool(network, seed=3)
        for t in range(4):
            alone = fool(network, [t], seed=3)
            torch.testing.assert_close(alone.frames[:, 0], together.frames[:, t], atol=1e-3, rtol=0)

    @pytest.mark.later
    def test_leave_the_network_as_it_was(self) -> None:
        network = tiny.network("residual")
        with unchanged(network.module):
            fool(network)


class TestStarts:
    def test_noise_is_uniform_and_new_for_each_picture(self) -> None:
        noise = fool(tiny.network("residual"), [1] * 40 + [2], steps=0).frames[0]
        assert len({tuple(p.flatten().tolist()) for p in noise}) == 41
        counts = torch.histc(noise, 10, 0, 1) / noise.numel()
        torch.testing.assert_close(counts, torch.full((10,), 0.1), atol=0.01, rtol=0)

    def test_seeds(self) -> None:
        network = tiny.network("dense")
        first, again, other = (fool(network, steps=1, seed=s).frames for s in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    @pytest.mark.parametrize(("name", "level"), [("black", 0.0), ("grey", 0.5)])
    def test_flat(self, name: str, level: float) -> None:
        frame = fool(tiny.network("dense"), start=name, steps=0).frames[0]
        assert frame.shape == (3, 1, 6, 8)
        assert (frame == level).all()

    @pytest.mark.slow
    def test_pictures_one_for_all_or_one_for_each(self) -> None:
        network = tiny.network("rectified")
        pictures = tiny.pictures(network, 2)
        assert torch.equal(fool(network, [0, 3], pictures).frames[0], pictures)
        one = fool(network, [0, 3, 1], pictures[:1]).frames[0]
        assert torch.equal(one, pictures[:1].expand(3, -1, -1, -1))

    def test_what_cannot_be_a_start(self) -> None:
        network = tiny.network("rectified")
        with pytest.raises(InputError, match=r"no start is called 'nose'; nearest: noise; or give"):
            fool(network, start="nose")
        with pytest.raises(InputError, match=r"range from 0 to 255"):
            fool(network, [0], 255 * torch.eye(8).expand(1, 2, 8, 8))
        with pytest.raises(SizeError, match="2 start pictures for 3 images"):
            fool(network, [0, 1, 2], tiny.pictures(network, 2))
        with pytest.raises(SizeError, match="Resize"):
            fool(network, [0], torch.zeros(1, 2, 5, 5))
        with pytest.raises(ChannelError):
            fool(network, [0], torch.zeros(1, 3, 10, 8))

    def test_targets_that_are_none(self) -> None:
        with pytest.raises(ObjectiveError, match="classes 0 to 3; 4 was asked for"):
            fool(tiny.network("rectified"), [1, 4])
        with pytest.raises(ObjectiveError, match="no classes were given"):
            fool(tiny.network("rectified"), [])
        with pytest.raises(NetworkError, match="no logits"):
            fool(tiny.network("maps"))


class TestFigures:
    def test_distances_and_first_crossings(self) -> None:
        film = fool(tiny.network("functional"), optimizer=step(0.3), steps=6)
        low, high = film.towards[3].aminmax()
        crossings = {t: film.reached(t) for t in (0.0, float(low), float(high), 1.1)}
        assert all(crossings[float(low)])
        assert any(crossings[float(high)])
        assert not all(crossings[float(high)])
        for i, target in enumerate(film.targets):
            for threshold, found in crossings.items():
                expected = None
                for s, (frame, p) in enumerate(
                    zip(film.frames[:, i], film.probabilities[:, i, target], strict=True)
                ):
                    change = (frame - film.frames[0, i]).flatten()
                    l2, linf = sum(c**2 for c in change.tolist()) ** 0.5, change.abs().max()
                    assert film.l2[s, i] == pytest.approx(l2, abs=1e-5)
                    assert film.linf[s, i] == linf
                    if p >= threshold and expected is None:
                        expected = (s, p, film.l2[s, i], film.linf[s, i])
                assert (found[i] and tuple(vars(found[i]).values())) == expected

    def test_first_pictures_of_a_certainty(self) -> None:
        film = fool(tiny.network("functional"), optimizer=step(0.3), steps=6)
        threshold = float(film.towards[2].median())
        pictures, targets = film.first(threshold)
        certain = tiny.network("functional").probabilities(pictures)
        assert (certain[range(len(targets)), list(targets)] >= threshold - 1e-4).all()
        kept = [t for t in film.targets if (film.towards[:, t] >= threshold).any()]
        assert list(targets) == kept
        nothing, nobody = film.first(1.1)
        assert nothing.shape == (0, 1, 16, 16)
        assert nobody == ()

    @pytest.mark.later
    def test_difference_and_last_picture(self) -> None:
        film = fool(tiny.network("dense"))
        torch.testing.assert_close(film.frames[0] + film.difference, film.pictures)

    def test_json(self) -> None:
        network = tiny.network("dense")
        network.labels = ("cat", "dog", "cow")
        film = fool(network, [2, 0], steps=2)
        value = json.loads(json.dumps(film.to_json(), allow_nan=False))
        assert value["targets"] == ["cow", "cat"]
        assert torch.tensor(value["probabilities"]).shape == (3, 2, 3)
        assert value["reached"].keys() == {"0.5", "0.9", "0.99"}
        assert value["objective"] == LogProbability((2, 0)).to_json() | {"index": [2, 0]}


def test_the_score_against_all_is_in_logits_without_saturation() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)) * 20
    recording = Recording(torch.zeros(3, 1, 1, 1), {LOGITS: logits})
    expected = 5 * Logit((4, 0, 2))(recording) - logits.sum(1)
    torch.testing.assert_close(against(5)((4, 0, 2))(recording), expected, atol=1e-3, rtol=0)


@pytest.mark.later
def test_log_probability_moves_where_probability_vanishes() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        module[1].weight.copy_(torch.linspace(-1, 1, 32).view(2, 16))
        module[1].bias.copy_(torch.tensor([60.0, 0.0]))
    network = Network(module, Input(1, (4, 4)))
    still = fool(network, [1], aim=Probability)
    moved = fool(network, [1])
    assert still.linf.max() < 1e-6
    assert moved.linf.max() > 0.1


@pytest.mark.slow
class TestMnist:
    @pytest.fixture
    def mnist_cnn(self, shared_data: Path) -> Network:
        return trained(shared_data)

    @pytest.mark.parametrize("seed", range(3))
    def test_noise_becomes_every_class_in_a_few_steps(self, seed: int, mnist_cnn: Network) -> None:
        film = fool(mnist_cnn, steps=8, seed=seed)
        reached = film.reached(0.99)
        assert all(reached)
        assert sum(r.step <= 5 for r in reached if r) >= 9
        assert all(r.l2 < 9 for r in reached if r)  # two noises are 11 apart

    def test_black_becomes_every_class_by_adam(self, mnist_cnn: Network) -> None:
        film = fool(
            mnist_cnn, start="black", aim=against(10), optimizer=Optimizer("Adam", 0.1), steps=50
        )
        assert (film.towards[-1] > 0.99).all()


def step(rate: float) -> Optimizer:
    return Optimizer("NormalizedGradient", rate)


class TestUntilConvinced:
    """Without a number of steps pictures go on until they convince, and then stay as they are."""

    @staticmethod
    def certain() -> Network:
        """A network that is as sure of itself as a trained one."""
        module = nn.Sequential(nn.Flatten(), nn.Linear(64, 7))
        weights = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            module[1].weight.copy_(weights * torch.linspace(0.2, 1, 7)[:, None])
            module[1].bias.zero_()
        return Network(module, Input(1, (8, 8)))

    def test_each_stops_when_it_convinces(self) -> None:
        film = fool(self.certain(), optimizer=step(0.05))
        assert 1 < len(film.frames) < MOST + 1
        assert (film.towards[-1] >= CONVINCED).all()
        reached = [found.step for found in film.reached(CONVINCED) if found]
        assert len(set(reached)) > 1
        for i, at in enumerate(reached):
            assert torch.equal(film.frames[-1, i], film.frames[at, i])
            assert film.towards[:at, i].max() < CONVINCED
        assert "all 7 convince the network (p ≥ 0.99)" in film.summary
        assert "at best" not in film.summary

    @pytest.mark.later
    def test_what_cannot_convince_is_given_up_and_told(self) -> None:
        module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
        with torch.no_grad():
            module[1].weight.mul_(0.01)
            module[1].bias.copy_(torch.tensor([1.0, 0.0]))
        film = fool(Network(module, Input(1, (4, 4)), ["cat", "dog"]), [1])
        assert len(film.frames) == MOST + 1
        assert "it does not convince the network" in film.summary
        assert "least convincing, to dog, comes to 2" in film.summary

    def test_one_that_goes_too_far_is_told(self) -> None:
        film = fool(self.certain(), optimizer=step(0.3), steps=6)
        film.probabilities[-1] = 0.25
        reached = sum(found is not None for found in film.reached(CONVINCED))
        assert reached > 1
        assert f"{reached} of these go too far and end lower, at 25" in film.summary

    def test_a_step_goes_as_far_in_larger_pictures(self) -> None:
        for channels, side in ((1, 28), (3, 32), (3, 224)):
            network = Network(nn.Flatten(), Input(channels, (side, side)))
            length = usual_rate(network) * (channels * side * side) ** 0.5
            assert length == pytest.approx(5.6)


def test_one_target_may_be_a_number() -> None:
    network = tiny.network("dense")
    one, many = fool(network, 1, steps=2), fool(network, [1], steps=2)
    assert one.targets == (1,)
    assert torch.equal(one.frames, many.frames)
