"""Graphs that other programs read."""

import json
from pathlib import Path

import networkx as nx
import pytest

from circuits.branching import branching
from phosphene.circuits import graph, parts, why
from phosphene.errors import InputError
from tiny import pictures

NET = branching(4)
SHOWN = pictures(NET, 1)
TREE = parts(NET, SHOWN[0], "last:1", k=2, depth=2)
WHY = why(NET, SHOWN, layers=["out", "both"])


@pytest.mark.parametrize("answer", [TREE, WHY, TREE.to_json()], ids=["tree", "why", "figures"])
def test_networkx_reads_the_graphml(answer: object, tmp_path: Path) -> None:
    made = graph(answer)
    found = nx.read_graphml(made.save(tmp_path / "a.graphml"))
    assert set(found.nodes) == {node.id for node in made.nodes}
    assert len(found.edges) == len(made.links) > 0
    for link in made.links:
        assert found.edges[link.source, link.target]["score"] == pytest.approx(link.score)
    assert nx.is_directed_acyclic_graph(found)


def test_a_tree_keeps_every_part_and_edge() -> None:
    made = graph(TREE)
    every = list(TREE.root.all())
    assert [node.unit for node in made.nodes] == [str(part.unit) for part in every]
    assert [link.removed for link in made.links] == [
        part.edge.removed for part in every if part.edge
    ]


def test_ways_that_share_a_unit_share_its_node() -> None:
    made = graph(WHY)
    into = sum(link.score for link in made.links if link.target == "target")
    assert into == pytest.approx(sum(way.score for way in WHY.ways), abs=1e-5)
    assert len(made.nodes) == 1 + len({unit for way in WHY.ways for unit in way.units})


@pytest.mark.parametrize("answer", [TREE, WHY], ids=["tree", "why"])
def test_the_json_is_what_circuit_viewers_need(answer: object, tmp_path: Path) -> None:
    told = json.loads(graph(answer).save(tmp_path / "a.json").read_text("utf-8"))
    assert told.keys() == {"metadata", "qParams", "nodes", "links"}
    ids = [node["node_id"] for node in told["nodes"]]
    assert len(set(ids)) == len(ids)
    assert [node["is_target_logit"] for node in told["nodes"]].count(True) == 1
    for node in told["nodes"]:
        assert isinstance(node["feature"], int)
        assert node["layer"].isdecimal()
        assert 0 <= node["ctx_idx"] < len(told["metadata"]["prompt_tokens"])
    assert all({link["source"], link["target"]} <= set(ids) for link in told["links"])


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="made of what `parts` or `why` answers"):
        graph({"quantiles": []})
    with pytest.raises(InputError, match=r"end it in \.graphml or \.json"):
        graph(TREE).save(tmp_path / "a.png")
