"""What a change of the house must leave alone: `python tests/test_pinned.py` writes it anew.

Whoever writes it anew says in docs/decisions.md what changed and why: old atlases, scripts and
links rest on it.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import nn

from phosphene import export_site, objectives
from phosphene.atlas import Atlas
from phosphene.atlas.schema import APPLICATION_ID, SCHEMA_VERSION, whole_schema
from phosphene.atlas.table import TABLES
from phosphene.canvas import Description
from phosphene.data import ArrayDataset, digits, fingerprint
from phosphene.errors import PhospheneError
from phosphene.maximize import Recipe
from phosphene.network import Input, Network
from phosphene.study import Settings, Study, build, plan
from phosphene.transforms import Identity, RandomAffine
from phosphene.zoo import ARTICLES
from test_results import ANSWERS

PINNED = Path(__file__).with_name("pinned.json")


def exact() -> Network:
    """A network whose weights are numbers that every machine has alike."""
    module = nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 12 * 12, 10),
    )
    with torch.no_grad():
        for weights in module.parameters():
            ramp = torch.arange(weights.numel(), dtype=torch.float32) * 37 % 64 - 31
            weights.copy_((ramp / 256).view_as(weights))
    return Network(module, Input(1, (28, 28), mean=0.25, std=0.5), list("0123456789"), "exact")


def shape_of(value: Any) -> Any:
    """A JSON value with every number left out: which fields there are, and what they hold."""
    if isinstance(value, dict):
        return {key: shape_of(part) for key, part in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [shape_of(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


def brief() -> Study:
    recipes = (Recipe("channel", steps=4), Recipe("neuron", steps=4))
    settings = Settings(recipes=recipes, examples=3)
    return Study(exact(), digits("test").take(slice(0, 40)), settings)


def study() -> dict[str, Any]:
    made = brief()
    return {
        "network": made.network.fingerprint,
        "data": made.data_fingerprint,
        "documents": [made.describe_network(), made.describe_reading(), made.describe_data()],
        "jobs": [[job.kind, job.title, job.params, job.key] for job in plan(made)],
    }


def fingerprints() -> dict[str, str]:
    ramp = torch.arange(3 * 2 * 4 * 4).view(3, 2, 4, 4).to(torch.uint8)
    arrays = ArrayDataset(ramp, torch.tensor([0, 1, 0]), name="ramp", classes=("a", "b"))
    return {"array": fingerprint(arrays), "digits": fingerprint(digits("test"))}


def tags() -> dict[str, Any]:
    known = objectives.Values.of(torch.ones(3)), objectives.Values.of(torch.ones(3))
    terms: list[Any] = [
        objectives.Channel("a", (3, 17)) - 0.1 * objectives.L2(),
        objectives.Neuron("a", 1, 2, 3),
        objectives.Direction("a", (1.0, 2.0)),
        objectives.Logit(3),
        objectives.Probability(3),
        objectives.LogProbability(3),
        objectives.Diversity("a", 2),
        objectives.TotalVariation(),
        objectives.L1(),
        objectives.Norm("a"),
        *(kind("a", *known) for kind in (objectives.Unusual, objectives.Unfamiliar)),
    ]
    return {
        "objectives": [shape_of(term.to_json()) | {"told": str(term)[:60]} for term in terms],
        "canvases": {
            name: canvas().to_json() for name, canvas in sorted(Description.named().items())
        },
        "transforms": [RandomAffine().to_json(), Identity().to_json()],
        "input": Input(3, (8, 8), mean=(0.1, 0.2, 0.3), std=0.5, order="bgr").to_json(),
        "recipes": [Recipe(aim).to_json() for aim in ("channel", "neuron")],
        "trainings": {name: article.recipe.to_json() for name, article in ARTICLES.items()},
    }


def atlas() -> dict[str, Any]:
    return {
        "application id": APPLICATION_ID,
        "format": SCHEMA_VERSION,
        "schema": hashlib.blake2b(whole_schema().encode(), digest_size=16).hexdigest(),
        "tables": {table.name: list(table.columns) for table in TABLES},
    }


def errors() -> dict[str, Any]:
    def children(kind: type) -> dict[str, Any]:
        below = [c for c in kind.__subclasses__() if c.__module__ == PhospheneError.__module__]
        return {child.__name__: children(child) for child in below}

    return children(PhospheneError)


def results() -> dict[str, list[str]]:
    return {name: sorted(ask().to_json()) for name, ask in ANSWERS.items()}


def pages() -> list[str]:
    with TemporaryDirectory() as folder:
        deque(build(brief(), Path(folder, "a.atlas")), maxlen=0)
        with Atlas.open(Path(folder, "a.atlas")) as made:
            export_site(made, Path(folder, "site"))
        found = [path.relative_to(folder) for path in Path(folder, "site").rglob("*.*")]
    return sorted(path.as_posix() for path in found if path.suffix == ".html")


KINDS: dict[str, Callable[[], Any]] = {
    "study": study,
    "fingerprints": fingerprints,
    "tags": tags,
    "atlas": atlas,
    "errors": errors,
    "results": results,
    "pages": pages,
}


@pytest.mark.later
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_as_it_was(kind: str) -> None:
    found = json.loads(json.dumps(KINDS[kind]()))
    assert found == json.loads(PINNED.read_text())[kind]


if __name__ == "__main__":
    made = {kind: make() for kind, make in KINDS.items()}
    PINNED.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
