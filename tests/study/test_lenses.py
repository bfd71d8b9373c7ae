"""A study of a network with a lens has the derived layer's units, and knows them again."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from phosphene.atlas import Atlas
from phosphene.cli.described import Described
from phosphene.errors import AtlasMismatchError
from phosphene.figures import export_site
from phosphene.network import Network
from phosphene.study import Study, build

DIRECTIONS = torch.tensor([[0.6, 0.8, 0, 0, 0, 0], [0, 0, 0, 0.6, 0, -0.8]])
ADDRESS = "3[pca]"


@pytest.fixture
def through(study: Study) -> Study:
    network = study.network.with_lens("pca", "3", DIRECTIONS)
    return Study(network, study.data, study.settings)


def built(study: Study, path: Path) -> Path:
    for _ in build(study, path):
        pass
    return path


@pytest.mark.slow
def test_the_atlas_has_its_units_and_the_site_their_pages(through: Study, tmp_path: Path) -> None:
    path = built(through, tmp_path / "lens.atlas")
    with Atlas.open(path) as atlas:
        (layer,) = (found for found in atlas.layers() if found.name == ADDRESS)
        assert (layer.units, layer.kind) == (2, "Lens")
        assert [unit.unit for unit in atlas.units(ADDRESS)] == [0, 1]
        assert {(p.unit, p.kind) for p in atlas.pictures(ADDRESS)} == {
            (unit, kind) for unit in (0, 1) for kind in ("channel", "neuron")
        }
        examples = atlas.examples(ADDRESS, 1)
        assert len(examples) == 3
        shown = torch.stack([through.data[e.image].picture for e in examples])
        values = through.network.record(shown, ["3"])["3"]
        seen = torch.einsum("c,bchw->bhw", DIRECTIONS[1], values)
        for example, map_ in zip(examples, seen, strict=True):
            assert example.value == pytest.approx(float(map_.max()), rel=1e-4)
            assert float(map_[example.y, example.x]) == pytest.approx(float(map_.max()), rel=1e-4)
        export_site(atlas, tmp_path / "site")
    pages = [page for page in (tmp_path / "site").rglob("*.html") if ADDRESS in page.read_text()]
    assert len(pages) >= 3  # the overview, the layer's, its units'


@pytest.mark.slow
def test_it_is_another_network_than_the_bare_one(
    through: Study, study: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    assert through.network.fingerprint != study.network.fingerprint
    assert study.network.fingerprint == make_study().network.fingerprint
    path = built(study, tmp_path / "bare.atlas")
    with pytest.raises(AtlasMismatchError):
        built(through, path)


def test_the_atlas_makes_the_network_again_with_its_lens(
    through: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = Network(through.network.module, through.network.input, through.network.labels)
    monkeypatch.setattr("phosphene.study.source.load_model", lambda *_, **__: bare)
    known = json.loads(json.dumps(through.network.to_json()))
    again = Described().network("file.py:make", torch.device("cpu"), known)
    assert again.fingerprint == through.network.fingerprint
    assert again.lenses == through.network.lenses
    monkeypatch.setattr("phosphene.study.source.load_model", lambda *_, **__: through.network)
    assert Described().network("file.py:make", torch.device("cpu"), known) is through.network
