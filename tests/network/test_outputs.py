"""Which output has the classes, and what it means: seen if it can be, sayable if it cannot."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import gradient
from phosphene.errors import NetworkError, SettingError, UnknownLayerError
from phosphene.maximize import Recipe, draw
from phosphene.network import Input, Network
from phosphene.objectives import Channel, Logit, LogProbability, Probability
from phosphene.probes import fool
from phosphene.units import LOGITS, Unit

SIZE = Input(1, (8, 8))


class Net(nn.Module):
    """Convolution, features, a head of `classes`; what it gives back is `end`'s choice."""

    def __init__(self, end: Callable[[Tensor, Tensor], Any], classes: int = 4) -> None:
        super().__init__()
        self.conv, self.embed = nn.Conv2d(1, 6, 3), nn.Linear(6, 7)
        self.head, self.age = nn.Linear(7, classes), nn.Linear(7, 1)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        features = self.embed(torch.relu(self.conv(x)).mean((2, 3)))
        return self.end(features, self.head(torch.relu(features)))


def made(end: Callable[[Tensor, Tensor], Any], classes: int = 4, **said: Any) -> Network:
    return Network(tiny.seeded(lambda: Net(end, classes)).eval(), SIZE, **said)


@dataclass
class Out:
    features: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Frozen:
    z: Tensor
    scores: Tensor


class Named(NamedTuple):
    pooled: Tensor
    scores: Tensor


FORMS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "features first": lambda f, z: (f, z),
    "logits first": lambda f, z: (z, f),
    "a dictionary": lambda f, z: {"features": f, "out": z},
    "a dataclass": Out,
    "a frozen dataclass": Frozen,
    "a named tuple": Named,
    "a list in a tuple": lambda f, z: ([f], {"z": z}),
    "softmax of them": lambda f, z: (f, z.softmax(1)),
}


@pytest.mark.parametrize("form", FORMS)
def test_features_that_the_scores_are_made_of_are_not_the_scores(form: str) -> None:
    network = made(FORMS[form])
    assert network.logits.name == "head"
    pictures = tiny.pictures(network)
    expected = network.module.head(
        torch.relu(network.module.embed(torch.relu(network.module.conv(pictures)).mean((2, 3))))
    )
    torch.testing.assert_close(network.class_scores(pictures), expected)


def test_a_measure_beside_classes_is_no_class() -> None:
    class Heads(Net):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            features, z = super().forward(x)
            return {"age": self.age(features), "digit": z}

    network = Network(tiny.seeded(lambda: Heads(lambda f, z: (f, z))), SIZE)
    assert (network.logits.name, network.task) == ("head", "softmax")


class TwoHeads(Net):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features, z = super().forward(x)
        return {"shape": z, "colour": self.other(features)}

    def __init__(self) -> None:
        super().__init__(lambda f, z: (f, z))
        self.other = nn.Linear(7, 3)


def two_heads(**said: Any) -> Network:
    return Network(tiny.seeded(TwoHeads), SIZE, **said)


def test_of_two_heads_somebody_must_say_which() -> None:
    network = two_heads()
    assert not network.classifies
    assert network.task == "none"
    with pytest.raises(NetworkError, match=r"output\[shape\] \(4\), output\[colour\] \(3\); say"):
        network.class_scores(tiny.pictures(network))
    assert network.record(tiny.pictures(network), ["other"])["other"].shape == (3, 3)


@pytest.mark.parametrize("output", ["colour", "output[colour]", "other"])
def test_of_two_heads_one_is_named(output: str) -> None:
    network = two_heads(output=output)
    assert (network.logits.name, network.classes) == ("other", ("0", "1", "2"))
    assert network.reading.how == "told"


def test_labels_tell_which_of_two_heads_is_meant() -> None:
    assert two_heads(labels=("red", "green", "blue")).logits.name == "other"


def test_an_output_that_is_not_there() -> None:
    with pytest.raises(UnknownLayerError, match="no output 'colours'; nearest"):
        _ = two_heads(output="colours").logits
    with pytest.raises(SettingError, match=r"'conv' has the shape \(6, 6, 6\)"):
        _ = two_heads(output="conv").logits


# What the scores mean


def test_one_sigmoid_tells_two_classes_apart() -> None:
    network = made(lambda f, z: z.sigmoid(), 1)
    pictures = tiny.pictures(network)
    own = network.module(pictures)
    assert (network.task, network.reading.how, network.classes) == ("binary", "found", ("0", "1"))
    torch.testing.assert_close(network.probabilities(pictures), torch.cat([1 - own, own], 1))
    assert network.logits.name == "head[classes]"
    assert network.logits.units == 2
    assert network.layer("head").units == 1, "which is the module's own"
    assert [layer.name for layer in network.default_layers][-1] == "head[classes]"


@pytest.mark.parametrize("labels", [("cat", "dog"), ("dog",)])
def test_one_raw_score_with_labels_tells_two_classes_apart(labels: tuple[str, ...]) -> None:
    network = made(lambda f, z: z, 1, labels=labels)
    pictures = tiny.pictures(network)
    own = network.module(pictures).sigmoid()
    assert (network.task, network.reading.how) == ("binary", "assumed")
    assert len(network.classes) == 2
    assert network.classes[1] == "dog"
    torch.testing.assert_close(network.probabilities(pictures)[:, 1:], own)
    assert "assumed" in str(network.reading)


def test_one_raw_score_may_be_a_measure() -> None:
    network = made(lambda f, z: z, 1)
    pictures = tiny.pictures(network)
    assert not network.classifies
    with pytest.raises(NetworkError, match=r"one of two classes or a measure; .*--task binary"):
        network.probabilities(pictures)
    torch.testing.assert_close(network.record(pictures, [LOGITS])[LOGITS], network.module(pictures))
    torch.testing.assert_close(
        gradient(network, pictures, Logit(0)), gradient(network, pictures, Channel("head", 0))
    )
    assert network.read_as("binary").classes == ("0", "1")


def test_five_sigmoids_are_labels_of_their_own() -> None:
    network = made(lambda f, z: z.sigmoid(), 5)
    pictures = tiny.pictures(network)
    assert (network.task, network.reading.how) == ("sigmoid", "found")
    torch.testing.assert_close(network.probabilities(pictures), network.module(pictures))


def test_raw_scores_may_be_said_to_be_labels() -> None:
    network = made(lambda f, z: z, 5, task="sigmoid")
    pictures = tiny.pictures(network)
    torch.testing.assert_close(network.probabilities(pictures), network.module(pictures).sigmoid())
    assert network.to_json()["task"] == "sigmoid"
    assert network.fingerprint != made(lambda f, z: z, 5).fingerprint


SHARES: dict[str, tuple[Callable[[Tensor, Tensor], Any], int, str]] = {
    "the mean of two softmaxes": (
        lambda f, z: (z.softmax(1) + (2 * z).softmax(1)) / 2,
        4,
        "softmax",
    ),
    "softmax in half": (lambda f, z: (z + f[:, :4]).softmax(1), 4, "softmax"),
    "log of a mean": (lambda f, z: ((z.softmax(1) + 0.25) / 2).log(), 4, "softmax"),
    "a sigmoid of a sum": (lambda f, z: (z + f[:, :4]).sigmoid(), 4, "sigmoid"),
    "one sigmoid of a sum": (lambda f, z: (z + f[:, :1]).sigmoid(), 1, "binary"),
}


@pytest.mark.parametrize("name", SHARES)
def test_probabilities_that_no_layer_makes_are_not_squashed_once_more(name: str) -> None:
    end, classes, task = SHARES[name]
    network = made(end, classes)
    own = network.module(tiny.pictures(network))
    own = own.exp() if "log" in name else own
    expected = torch.cat([1 - own, own], 1) if task == "binary" else own
    assert network.task == task
    torch.testing.assert_close(network.probabilities(tiny.pictures(network)), expected)


def test_features_may_be_said_to_be_none() -> None:
    network = made(lambda f, z: f, task="none")
    assert not network.classifies
    with pytest.raises(NetworkError, match=r"said to give back no classes"):
        network.probabilities(tiny.pictures(network))


@pytest.mark.parametrize(
    ("task", "classes", "words"),
    [
        ("softmax", 1, "whose softmax is always 1; say 'binary'"),
        ("binary", 4, "task 'binary' for the 4 outputs"),
    ],
)
def test_a_task_that_cannot_be(task: Any, classes: int, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        _ = made(lambda f, z: z, classes, task=task).reading


# What follows from it


def test_objectives_ask_by_the_task() -> None:
    for end, classes in ((lambda f, z: z.sigmoid(), 5), (lambda f, z: z.sigmoid(), 1)):
        network = made(end, classes)
        pictures = tiny.pictures(network)
        recording = network.record(pictures, [LOGITS])
        expected = network.probabilities(pictures)
        for index in range(len(network.classes)):
            torch.testing.assert_close(Probability(index)(recording), expected[:, index])
            torch.testing.assert_close(LogProbability(index)(recording), expected[:, index].log())


def test_the_two_sides_of_one_score() -> None:
    network = made(lambda f, z: z, 1, task="binary")
    pictures = tiny.pictures(network)
    z = network.module(pictures)
    torch.testing.assert_close(network.class_scores(pictures), torch.cat([-z / 2, z / 2], 1))
    first, second = (gradient(network, pictures, Logit(i)) for i in (0, 1))
    torch.testing.assert_close(first, -second)
    weights = network.weights("head[classes]")
    assert weights is not None
    torch.testing.assert_close(gradient(network, pictures, Channel("head", 0)), 2 * second)
    torch.testing.assert_close(weights[1], network.module.head.weight[0] / 2)


@pytest.mark.later
def test_both_sides_of_one_score_are_drawn() -> None:
    network = made(lambda f, z: f[:, :1], task="binary")
    pictures, name = tiny.pictures(network), network.logits.name
    for drawing in draw(network, [Unit(name, 0), Unit(name, 1)], Recipe(steps=24)):
        side = drawing.unit.index
        reached = float(network.class_scores(drawing.picture[None])[0, side])
        assert reached > float(network.class_scores(pictures)[:, side].max())


def test_fooling_does_not_end_before_it_began() -> None:
    network = made(lambda f, z: (z - 6).sigmoid(), 1)
    film = fool(network, steps=2)
    torch.testing.assert_close(
        film.probabilities[0, :, 1:], network.module(film.frames[0].to(network.device)).cpu()
    )


def test_a_record_survives_json() -> None:
    said = json.loads(json.dumps(two_heads(output="colour", task="softmax").to_json()))
    assert (said["output"], said["task"]) == ("colour", "softmax")
    assert "task" not in made(lambda f, z: z).to_json(), "what is found need not be kept"
