"""A study on a Ray cluster of two nodes on this machine is the one that is built here."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mischief import Mischief, make_mischief
from phosphene.atlas import Atlas
from phosphene.errors import SpecError, WorkerError
from phosphene.study import Study, build
from phosphene.study.engines import crew, engine_of
from phosphene.study.engines.crew import Crew
from phosphene.study.job import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


def finished(study: Study, path: Path, on: Any = "here") -> str:
    for _ in build(study, path, on=on):
        pass
    with Atlas.open(path) as atlas:
        return atlas.fingerprint()


def test_without_ray_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SpecError, match=r"pip install 'phosphene\[ray\]'"):
        engine_of("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, to which this process is connected."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'phosphene[ray]'")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    two = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    two.add_node(num_cpus=1)
    beside = {"env_vars": {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}}
    ray.init(two.address, runtime_env=beside, log_to_driver=False, logging_level="ERROR")
    yield two
    ray.shutdown()
    two.shutdown()
    torch.set_num_threads(before)


def test_two_nodes_build_what_one_process_does(
    cluster: Any, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    alone = finished(make_study(steps=12), tmp_path / "alone.atlas")
    engine, most = engine_of("ray"), 0
    assert isinstance(engine, Crew)
    for _ in build(make_study(steps=12), tmp_path / "a.atlas", on=engine):
        most = max(most, engine.working)
    assert most == 2
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.fingerprint() == alone


def test_a_node_may_leave_and_another_join(
    cluster: Any, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    alone = finished(make_study(steps=48), tmp_path / "alone.atlas")
    engine, left = engine_of("ray"), False
    for step in build(make_study(steps=48), tmp_path / "a.atlas", on=engine):
        if step.done > 4.2 and not left:
            cluster.remove_node(next(iter(cluster.worker_nodes)))
            cluster.add_node(num_cpus=1)
            left = True
    assert left
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.fingerprint() == alone


def test_what_an_actor_dies_of_is_done_by_another(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = ("die", "sleep", "raise", "no rows")
    monkeypatch.setitem(KINDS, "mischief", Mischief)
    monkeypatch.setattr(crew, "SILENCE", 8.0)
    monkeypatch.setattr(crew, "STILL", 8.0)
    alone = finished(make_mischief(tmp_path, ways, times=0), tmp_path / "alone.atlas")
    study = make_mischief(tmp_path / "notes", ways)
    assert finished(study, tmp_path / "a.atlas", "ray") == alone
    assert len(list((tmp_path / "notes").iterdir())) == len(ways)


def test_where_no_cluster_is_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'phosphene[ray]'")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(address: str, **options: Any) -> None:
        raise ConnectionError(f"nobody listens at {address}")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(WorkerError, match="no Ray cluster at ray://there:1: nobody listens at"):
        finished(make_mischief(tmp_path, ()), tmp_path / "a.atlas", "ray://there:1")
