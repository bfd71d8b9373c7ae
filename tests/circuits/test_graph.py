"""Graphs that other programs read."""

import json
from collections import Counter
from math import isqrt
from pathlib import Path

import networkx as nx
import pytest

from circuits.branching import branching
from phosphene.circuits import graph, parts, why
from phosphene.circuits.graphs import Graph, Node
from phosphene.errors import InputError
from phosphene.units import Unit
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


@pytest.mark.parametrize("answer", [TREE, WHY], ids=["tree", "why"])
def test_circuit_viewers_find_units_layers_and_the_target(answer: object) -> None:
    made = graph(answer)
    told = made.to_json()
    assert None not in told["metadata"].values()  # Neuronpedia's schema has no null there
    assert told["qParams"]["pinnedIds"] == [node.id for node in made.nodes]
    for node, shown in zip(made.nodes, told["nodes"], strict=True):
        if node.level == 0:
            assert shown["clerp"] == f'Output "{node.name}" (p=)'
        else:
            assert unpaired(shown["feature"]) == (int(shown["layer"]), Unit.of(node.unit).index)
            assert int(shown["layer"]) >= 1


def unpaired(number: int) -> tuple[int, int]:
    """The pair of a number in Cantor's order, as Neuronpedia reads it."""
    both = (isqrt(8 * number + 1) - 1) // 2
    index = number - both * (both + 1) // 2
    return both - index, index


@pytest.mark.parametrize("times", [1, 6, 20])
def test_circuit_viewers_drop_no_unit_that_is_a_part_of_many(times: int) -> None:
    parts_of_it = [Node(f"0.{i}", "conv:3@2,2", "a part", 1, 0.5) for i in range(times)]
    told = Graph("net", "a unit", (Node("0", "fc:1", "it", 0, 0.5), *parts_of_it), ()).to_json()
    places = Counter((node["layer"], node["feature"], node["ctx_idx"]) for node in told["nodes"])
    assert max(places.values()) == times
    assert times <= len(told["metadata"]["prompt_tokens"]) * 2 / 3


def test_circuit_viewers_draw_whole_levels_and_no_more_than_is_legible() -> None:
    first = [Node(f"0.{i}", f"b:{i}", "", 1, 0.5) for i in range(5)]
    second = [Node(f"{node.id}.{i}", f"a:{i}", "", 2, 0.5) for node in first for i in range(9)]
    target = Node("0", "fc:1", "it", 0, 0.5)
    for below, drawn in (([], 6), (second[:34], 40), (second, 6)):
        told = Graph("net", "a unit", (target, *first, *below), ()).to_json()
        assert told["qParams"]["pinnedIds"] == [n["node_id"] for n in told["nodes"][:drawn]]


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="made of what `parts` or `why` answers"):
        graph({"quantiles": []})
    with pytest.raises(InputError, match=r"end it in \.graphml or \.json"):
        graph(TREE).save(tmp_path / "a.png")
