"""Questions put to an atlas that is open: of its own network alone."""

from pathlib import Path

import pytest
import torch

from phosphene.atlas import Atlas
from phosphene.data import ArrayDataset
from phosphene.errors import AtlasMismatchError
from phosphene.probes.question import named
from phosphene.probes.subject import InMemory
from phosphene.study import Settings, Study, build
from phosphene.study.asking import keep
from tiny import network

DATA = ArrayDataset(torch.randint(0, 256, (12, 2, 10, 8), dtype=torch.uint8), None, name="noise")


@pytest.mark.later
@pytest.mark.parametrize("writable", [True, False])
def test_an_atlas_of_another_network_is_not_asked(tmp_path: Path, writable: bool) -> None:
    path = tmp_path / "a.atlas"
    study = Study(network("rectified"), DATA, Settings(("conv2",), (), examples=1))
    assert list(build(study, path))
    other = network("rectified")
    with torch.no_grad():
        next(iter(other.module.parameters())).add_(1)
    question = named("weights", layer="conv1")
    with (Atlas.build if writable else Atlas.open)(path) as atlas:
        assert keep(atlas, InMemory(study.network, DATA), question).summary
        with pytest.raises(AtlasMismatchError, match="study of another network"):
            keep(atlas, InMemory(other, DATA), question)
