"""A new objective, canvas, transform or method is declared anywhere, and works everywhere."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

import tiny
from phosphene.atlas import Atlas
from phosphene.attribution import METHODS, called, method
from phosphene.canvas import Description, PixelCanvas, Spectrum
from phosphene.cli import main
from phosphene.maximize import Optimizer, Recipe, ascend, draw, paint
from phosphene.network.recorded import Recording
from phosphene.objectives import L2, Channel, Term
from phosphene.objectives.algebra import LayerTerm
from phosphene.streams import Streams
from phosphene.training import seeded
from phosphene.transforms import Compose, RandomAffine, Transform
from phosphene.zoo import hvass

MODEL = (
    "from phosphene.zoo import hvass\n\ndef make():\n    return hvass(widths=(2, 3), dense=(8,))"
)


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares is known to that test alone."""
    for family in (Term, Description, Transform):
        monkeypatch.setattr(family, "members", dict(family.members))


@pytest.fixture
def stripes() -> type[Description]:
    @dataclass(frozen=True, kw_only=True)
    class Stripes(Description):
        kind: ClassVar[str] = "stripes"
        learning_rate: float = 0.05
        every: int = 2

        def hold(self, pictures: Float[Tensor, "b c h w"], spectrum: Spectrum) -> PixelCanvas:
            kept = pictures.clone()
            kept[..., :: self.every] = 0
            return PixelCanvas(kept, self.learning_rate)

    return Stripes


def test_an_objective() -> None:
    @dataclass(frozen=True)
    class Peak(LayerTerm):
        layer: str
        sharpness: float = 1.0

        def __call__(self, recording: Recording) -> Tensor:
            return (self.sharpness * recording[self.layer].flatten(1)).logsumexp(1)

    network = tiny.network("functional")
    objective = Peak("conv2", 2.0) - 0.1 * L2()
    assert Term.from_json(json.loads(json.dumps(objective.to_json()))) == objective
    assert str(objective) == "test_an_objective.<locals>.Peak(layer='conv2', sharpness=2.0) - " + (
        "0.1 * L2(level=0.0)"
    )
    streams = Streams.seeded(0, "a")
    canvas = Recipe().canvas.build(streams, network.input.shape)
    steps = list(ascend(network, objective, canvas, streams, steps=8, optimizer=Optimizer()))
    assert steps[-1].scores > steps[0].scores


def test_a_canvas_and_a_transform_in_a_recipe(stripes: type[Description]) -> None:
    @dataclass(frozen=True)
    class Flip(Transform):
        kind: ClassVar[str] = "flip"
        chance: float = 0.5

        def __call__(
            self, pictures: Float[Tensor, "b c h w"], streams: Streams
        ) -> Float[Tensor, "b c h w"]:
            flipped = streams.uniform(1)[:, :, None, None] < self.chance
            return torch.where(flipped, pictures.flip(3), pictures)

    network = tiny.network("functional")
    recipe = Recipe(canvas=stripes(every=3), steps=2, transform=Compose((Flip(), RandomAffine())))
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert Description.named()["stripes"] is stripes
    (drawing,) = draw(network, ["conv2:0"], recipe)
    assert drawing.recipe == replace(recipe, unusual=0.0)
    one_way = Recipe(canvas=stripes(), steps=3, transform=Flip(1.0))
    other = Recipe(canvas=stripes(), steps=3, transform=Flip(0.0))
    pictures = [
        paint(network, Channel("conv2", 0), way, Streams.seeded(0, "a")) for way in (one_way, other)
    ]
    assert not torch.equal(*pictures)


def test_a_method_of_attribution(monkeypatch: pytest.MonkeyPatch) -> None:
    def absolute(network, pictures, objective):  # type: ignore[no-untyped-def]
        return METHODS["gradient"](network, pictures, objective).abs()

    monkeypatch.setitem(METHODS, "absolute", absolute)
    network = tiny.network("functional")
    picture = tiny.pictures(network, 1)
    assert (method("Absolute")(network, picture, Channel("conv2", 0)) >= 0).all()
    assert called("absolute") == "absolute"


@pytest.mark.slow
def test_a_canvas_is_called_by_its_name_on_the_command_line(
    stripes: type[Description], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    module = seeded(lambda: hvass(widths=(2, 3), dense=(8,)), 0)
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    words = f"build {tmp_path}/model.py:make --weights {tmp_path}/w.safetensors --data digits "
    words += f"--out {tmp_path}/a.atlas --layers conv2 --steps 1 --no-neurons --canvas stripes"
    monkeypatch.setattr("sys.argv", ["phosphene", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        (found, *_) = atlas.pictures("conv2")
    assert found.canvas == "stripes"
    told = {k: v for k, v in found.settings.items() if k != "objective"}
    assert Recipe.from_json(told).canvas == stripes()
