"""The one loop: what its steps hold, when images stop, and that they do not see each other."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from phosphene.canvas import Description, Fourier, Maco, Pixels, Spectrum
from phosphene.errors import NetworkError, ObjectiveError
from phosphene.maximize import Above, NormalizedGradient, Optimizer, Plateau, Step, ascend
from phosphene.maximize.loop import _update
from phosphene.network import Input, Network
from phosphene.objectives import L2, Channel, Logit, Neuron, Term
from phosphene.streams import Streams
from phosphene.transforms import Compose, Identity, RandomAffine, Transform
from phosphene.units import Unit

OPTIMIZERS = ("Adam", "AdamW", "NAdam", "RMSprop", "SGD", "NormalizedGradient")


def climb(
    network: Network, objective: Term, names: list[object], canvas: Description, **settings: object
) -> list[Step]:
    streams = Streams.seeded(4, names)
    easel = canvas.build(streams, network.input.shape)
    options: dict[str, object] = {"steps": 5, "optimizer": Optimizer()} | settings
    return list(ascend(network, objective, easel, streams, **options))  # type: ignore[arg-type]


class TestBatchesAreIndependent:
    units = (0, 4, 2, 3)

    def check(self, network: Network, canvas: Description, **settings: object) -> None:
        names: list[object] = [Unit("conv2", u) for u in self.units]
        together = climb(network, Channel("conv2", self.units), names, canvas, **settings)
        assert len(together) == 6
        for i, name in enumerate(names):
            alone = climb(network, Channel("conv2", self.units[i]), [name], canvas, **settings)
            for one, all_of_them in zip(alone, together, strict=True):
                torch.testing.assert_close(
                    one.pictures[0], all_of_them.pictures[i], atol=2e-4, rtol=0
                )
                torch.testing.assert_close(one.scores[0], all_of_them.scores[i], atol=2e-3, rtol=0)

    @pytest.mark.parametrize("kind", Description.named())
    @pytest.mark.parametrize(
        "transform",
        [
            None,
            Identity(),
            RandomAffine(),
            RandomAffine(shift=0.2, fill="zeros"),
            Compose((RandomAffine(rotate=0), RandomAffine(shift=0))),
        ],
        ids=repr,
    )
    @pytest.mark.slow
    def test_for_every_canvas_and_transform(
        self, kind: str, transform: Transform | None, network: Network
    ) -> None:
        self.check(network, Description.named()[kind](), transform=transform)

    @pytest.mark.parametrize("name", OPTIMIZERS)
    @pytest.mark.slow
    def test_for_every_optimizer(self, name: str, make_network: Callable[..., Network]) -> None:
        optimizer = Optimizer(name, 0.01)
        self.check(make_network(3), Pixels(spread=0.5), optimizer=optimizer)

    @pytest.mark.later
    def test_when_some_stop(self, make_network: Callable[..., Network]) -> None:
        network = make_network()
        self.units = (0, 4, 2, 3)
        names: list[object] = list(self.units)
        settings = {"steps": 12, "stop": Plateau(2), "transform": RandomAffine()}
        together = climb(network, Channel("conv2", self.units), names, Maco(), **settings)
        for i, unit in enumerate(self.units):
            alone = climb(network, Channel("conv2", unit), [unit], Maco(), **settings)
            torch.testing.assert_close(
                alone[-1].pictures[0], together[-1].pictures[i], atol=2e-4, rtol=0
            )


@pytest.mark.parametrize("canvas", [Pixels(spread=0.5), Fourier(), Maco()], ids=repr)
def test_seeded_and_repeatable(canvas: Description, network: Network) -> None:
    settings = {"transform": RandomAffine()}
    torch.manual_seed(0)
    first = climb(network, Logit((0, 1)), ["a", "b"], canvas, **settings)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    again = climb(network, Logit((0, 1)), ["a", "b"], canvas, **settings)
    other = climb(network, Logit((0, 1)), ["a", "c"], canvas, **settings)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first[-1].pictures, again[-1].pictures)
    assert torch.equal(first[-1].scores, again[-1].scores)
    assert not torch.allclose(first[-1].pictures[1], other[-1].pictures[1])


class TestSteps:
    def test_first_is_the_start_and_last_the_result(self, network: Network) -> None:
        streams = Streams.seeded(0, ["a", "b"])
        canvas = Pixels().build(streams, network.input.shape)
        start = canvas().detach()
        objective = Channel("conv2", (0, 3))
        steps = list(ascend(network, objective, canvas, streams, steps=7, optimizer=Optimizer()))
        assert [step.index for step in steps] == list(range(8))
        assert torch.equal(steps[0].pictures, start)
        assert torch.equal(steps[-1].pictures, canvas().detach())
        for step in steps:  # scores are the network's own answers to the pictures beside them
            expected = objective(network.record(step.pictures, ["conv2"])).detach()
            torch.testing.assert_close(step.scores, expected)
            assert not step.pictures.requires_grad
            assert 0 <= step.pictures.min() <= step.pictures.max() <= 1
        assert (steps[-1].scores > steps[0].scores).all()
        assert not torch.equal(steps[0].pictures, steps[1].pictures)

    @pytest.mark.parametrize("canvas", [Pixels(spread=0.5), Fourier(), Maco()], ids=repr)
    def test_the_gradient_is_that_of_the_score_by_the_picture(
        self, canvas: Description, network: Network
    ) -> None:
        objective = Channel("conv2", (0, 3))
        for step in climb(network, objective, ["a", "b"], canvas, steps=2):
            leaf = step.pictures.clone().requires_grad_()
            score = objective(network.record(leaf, ["conv2"])).sum()
            (expected,) = torch.autograd.grad(score, leaf)
            torch.testing.assert_close(step.gradient, expected)
            assert expected.abs().max() > 0

    def test_no_steps_show_the_start(self, network: Network) -> None:
        (only,) = climb(network, Logit(0), ["a"], Pixels(), steps=0)
        assert only.index == 0

    def test_waiting_is_counted_from_the_last_best(self, network: Network) -> None:
        settings = {"steps": 25, "transform": RandomAffine(shift=0.3, rotate=40)}
        steps = climb(network, Logit((0, 1)), ["a", "b"], Maco(), **settings)
        best, waited = [-float("inf")] * 2, [0, 0]
        for step in steps:
            for i, score in enumerate(step.scores.tolist()):
                waited[i] = 0 if score > best[i] else waited[i] + 1
                best[i] = max(best[i], score)
            assert step.waited.tolist() == waited
        assert any(step.waited.max() > 1 for step in steps)

    def test_gradients_may_be_off_outside(self, network: Network) -> None:
        expected = climb(network, Logit(0), ["a"], Pixels())
        with torch.no_grad():
            found = climb(network, Logit(0), ["a"], Pixels())
        assert torch.equal(found[-1].pictures, expected[-1].pictures)


class TestStopping:
    @pytest.mark.parametrize("canvas", [Pixels(spread=0.5), Fourier(), Maco()], ids=repr)
    @pytest.mark.parametrize("optimizer", [Optimizer("Adam"), Optimizer("SGD", 5.0)], ids=repr)
    def test_a_stopped_picture_never_changes_again(
        self, canvas: Description, optimizer: Optimizer, make_network: Callable[..., Network]
    ) -> None:
        network, objective = make_network(3), Channel("conv2", (0, 2, 3, 4))
        settings = {"steps": 15, "optimizer": optimizer, "transform": RandomAffine()}
        free = climb(network, objective, [0, 2, 3, 4], canvas, **settings)
        threshold = float(free[4].scores.median())  # some reach it soon, others late or never
        steps = climb(network, objective, [0, 2, 3, 4], canvas, stop=Above(threshold), **settings)
        stopped_at: dict[int, int] = {}
        for step in steps:
            for i in range(4):
                assert bool(step.stopped[i]) == (i in stopped_at)
                if i in stopped_at:
                    then = steps[stopped_at[i]].pictures[i]
                    assert torch.equal(step.pictures[i], then)
                elif step.scores[i] >= threshold:
                    stopped_at[i] = step.index
        assert stopped_at
        assert min(stopped_at.values()) < steps[-1].index, "others went on"

    def test_the_loop_ends_when_all_have_stopped(self, network: Network) -> None:
        steps = climb(network, Logit((0, 1)), ["a", "b"], Pixels(), stop=Above(-1e9))
        assert len(steps) == 1
        steps = climb(network, Logit((0, 1)), ["a", "b"], Pixels(), stop=Above(1e9))
        assert len(steps) == 6

    def test_plateau_waits_for_its_patience(self, network: Network) -> None:
        flat = 0.0 * L2()
        steps = climb(network, flat, ["a"], Pixels(), steps=30, stop=Plateau(4))
        assert len(steps) == 5
        assert steps[-1].waited.tolist() == [4]


class TestOptimizers:
    def test_normalized_gradient_is_its_formula(self) -> None:
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(3, 2, 4, 5, generator=generator)
        slope = torch.randn(3, 2, 4, 5, generator=generator) * torch.tensor([1e-6, 1.0, 1e6]).view(
            3, 1, 1, 1
        )
        p = nn.Parameter(start.clone())
        p.grad = slope.clone()
        NormalizedGradient([p], lr=0.25).step()
        for i in range(3):
            values = slope[i].flatten().tolist()
            mean = sum(values) / len(values)
            deviation = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
            expected = start[i] - 0.25 * slope[i] / (deviation + 1e-8)
            torch.testing.assert_close(p.data[i], expected, rtol=1e-4, atol=1e-5)
            assert (start - p.data)[i].std(unbiased=False).item() == pytest.approx(0.25, rel=0.02)

    def test_no_gradient_no_step(self) -> None:
        p, q = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
        p.grad = torch.zeros(2, 3)
        NormalizedGradient([p, q]).step()
        assert torch.equal(p.data, torch.ones(2, 3))
        assert torch.equal(q.data, torch.ones(2, 3))

    def test_loop_takes_normalized_steps_and_cuts_to_pictures(self, network: Network) -> None:
        rate = 0.05
        steps = climb(
            network,
            Logit((0, 1)),
            ["a", "b"],
            Pixels(start="grey"),
            optimizer=Optimizer("NormalizedGradient", rate),
            steps=1,
        )
        change = steps[1].pictures - steps[0].pictures
        torch.testing.assert_close(
            change.flatten(1).std(1, unbiased=False), torch.full((2,), rate), rtol=1e-3, atol=1e-4
        )

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_every_name_ascends(self, name: str, network: Network) -> None:
        rate = {"SGD": 5.0}.get(name, 0.01)
        steps = climb(
            network, Logit((0, 1)), ["a", "b"], Pixels(), optimizer=Optimizer(name, rate), steps=8
        )
        assert (steps[-1].scores > steps[0].scores).all()

    def test_the_canvas_suggests_a_rate(self) -> None:
        p = [nn.Parameter(torch.ones(1))]
        assert Optimizer().bind(p, 0.125).param_groups[0]["lr"] == 0.125
        assert Optimizer("SGD", 3.0).bind(p, 0.125).param_groups[0]["lr"] == 3.0

    @pytest.mark.parametrize("name", ["adam", "Addam", "LBFGS", ""])
    def test_unknown_names(self, name: str) -> None:
        with pytest.raises(ObjectiveError, match=f"no optimiser {name!r}; .*Adam"):
            Optimizer(name)

    def test_json(self) -> None:
        assert Optimizer("SGD", 0.5).to_json() == {"name": "SGD", "learning_rate": 0.5}


class TestRefusals:
    def test_nan_scores_name_image_and_step(self) -> None:
        class Blow(nn.Module):
            """A square root, which is NaN once its argument turns negative."""

            def forward(self, x: Tensor) -> Tensor:
                return (x.mean((2, 3)) - 0.5).sqrt()

        module = nn.Sequential(nn.Conv2d(1, 2, 1), Blow())
        module[0].weight.data.fill_(1.0)
        module[0].bias.data[:] = torch.tensor([1.0, -0.9])
        network = Network(module, Input(1, (4, 4)))
        with pytest.raises(NetworkError, match="image 1 became NaN at step 0 of 1:0,1"):
            climb(network, Channel("1", (0, 1)), ["a", "b"], Pixels())

    def test_another_number_of_images(self, network: Network) -> None:
        with pytest.raises(ObjectiveError, match="for 3 images; the canvas has 2"):
            climb(network, Logit((0, 1, 2)), ["a", "b"], Pixels())

    def test_layers_cut_off_from_the_picture(self) -> None:
        class Detached(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.detach() * 2

        network = Network(nn.Sequential(nn.Conv2d(1, 2, 3), Detached()), Input(1, (4, 4)))
        with pytest.raises(ObjectiveError, match="does not depend on the pictures"):
            climb(network, Neuron("1", 0), ["a"], Pixels())

    def test_layers_cut_off_that_depend_on_something_else(self) -> None:
        class Rounded(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.detach() * torch.ones(1, requires_grad=True)

        network = Network(nn.Sequential(nn.Conv2d(1, 2, 3), Rounded()), Input(1, (4, 4)))
        with pytest.raises(ObjectiveError, match="does not follow the pictures"):
            climb(network, Neuron("1", 0), ["a"], Pixels())


def test_a_loop_left_midway_gives_the_model_back(make_network: Callable[..., Network]) -> None:
    network = make_network()
    module = network.module.train()
    module.get_parameter("fc.bias").requires_grad_(False)
    state = {name: value.clone() for name, value in module.state_dict().items()}

    def untouched() -> None:
        assert all(m.training for m in module.modules())
        assert all(not m._forward_hooks and not m._backward_hooks for m in module.modules())
        still = [n for n, p in module.named_parameters() if not p.requires_grad]
        assert still == ["fc.bias"]
        assert all(p.grad is None for p in module.parameters())
        assert all(torch.equal(v, state[n]) for n, v in module.state_dict().items())

    streams = Streams.seeded(0, ["a"])
    canvas = Maco().build(streams, network.input.shape)
    steps = ascend(network, Logit(0), canvas, streams, steps=50, optimizer=Optimizer())
    for _ in range(3):
        next(steps)
        untouched()  # even between two steps
    steps.close()  # type: ignore[attr-defined]
    untouched()
    with pytest.raises(ObjectiveError):
        climb(network, Channel("conv2", 99), ["a"], Pixels())
    untouched()


def test_a_step_does_not_depend_on_how_a_gradient_lies() -> None:
    """A fused optimiser goes through memory as the parameter lies."""
    torch.manual_seed(0)
    pictures, slope = torch.rand(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    found = []
    for order in (torch.contiguous_format, torch.channels_last):
        canvas = Pixels().hold(pictures, Spectrum.natural(3, (4, 5)))
        optimizer = Optimizer().bind(canvas.parameters, 0.1)
        nothing = torch.zeros(2, dtype=torch.bool)
        _update(canvas, optimizer, [slope.contiguous(memory_format=order)], nothing)
        found.append(canvas().detach())
    assert torch.equal(*found)
    assert torch.allclose(found[0], (pictures - 0.1 * slope.sign()).clamp(0, 1), atol=1e-5)
