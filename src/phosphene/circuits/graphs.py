"""What an answer says is made of what, as a graph that other programs read."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from pathlib import Path
from typing import Any

from phosphene.circuits.reasons import Why
from phosphene.circuits.tree import Tree
from phosphene.errors import InputError
from phosphene.units import Unit

STRIPS = 8
"""Viewers made for text put nodes in columns, one a token: here a strip of the picture each."""

PINNED = 40
"""So many nodes are legible in the part of a viewer that draws what is pinned."""


@dataclass(frozen=True)
class Node:
    """A unit in a graph: its level from the top, and where in the picture it is, from 0 to 1."""

    id: str
    unit: str
    name: str
    level: int
    across: float
    value: float | None = None

    @property
    def index(self) -> int:
        """The unit's number in its layer; 0 of what is no unit."""
        return Unit.of(self.unit).index if self.unit else 0


@dataclass(frozen=True)
class Link:
    """A part and what it is a part of: what it adds by its score, and what is lost without it."""

    source: str
    target: str
    score: float
    removed: float | None = None
    contradicted: bool = False


@dataclass(frozen=True)
class Graph:
    """Units and edges of a tree of parts, or of the ways to a class; the first node is the target.

    >>> Graph("net", "why", (Node("a", "fc:1", "class 1", 0, 0.5),), ()).to_json()["links"]
    []
    """

    network: str
    title: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def to_json(self) -> dict[str, Any]:
        """The graph as circuit-tracer's viewer and Neuronpedia read it, schema version 1.

        Their layers count from below, and the target is their logit, whose label says no
        probability. What they call tokens are strips of the picture, from left to right; what they
        call weights are scores. Pinned is what they draw at once: the uppermost levels.
        """
        top = 1 + max(node.level for node in self.nodes)  # Neuronpedia takes no lone layer 0
        strips = self._strips()
        return {
            "metadata": {
                "slug": "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-"),
                "scan": self.network,
                "transcoder_list": [],
                "prompt_tokens": [f"strip {i + 1}" for i in range(strips)],
                "prompt": self.title,
                "schema_version": 1,
            },
            "qParams": {
                "pinnedIds": [node.id for node in self._pinned()],
                "supernodes": [],
                "linkType": "both",
                "clickedId": self.nodes[0].id,
                "sg_pos": "",
            },
            "nodes": [_node(node, top, strips) for node in self.nodes],
            "links": [
                {"source": link.source, "target": link.target, "weight": link.score}
                for link in self.links
            ],
        }

    def _strips(self) -> int:
        """Viewers drop what they find in more than two thirds of their tokens: here there are more.

        A tree has a unit as often as it is a part of something.
        """
        alike = Counter((node.level, node.index) for node in self.nodes)
        return max(STRIPS, -(-3 * max(alike.values()) // 2))

    def _pinned(self) -> list[Node]:
        """The target, what it is made of, and whole levels below as long as they are legible."""
        sizes = Counter(node.level for node in self.nodes)
        totals = list(accumulate(sizes[level] for level in sorted(sizes)))
        levels = max(2, sum(total <= PINNED for total in totals))
        return [node for node in self.nodes if node.level < levels]

    def to_graphml(self) -> str:
        """The graph in GraphML, for Gephi, yEd, Cytoscape or networkx."""
        import networkx as nx  # noqa: PLC0415 - slow to import

        graph = nx.DiGraph(name=self.title, network=self.network)
        for node in self.nodes:
            told = {"unit": node.unit, "name": node.name, "level": node.level}
            graph.add_node(node.id, **told, across=node.across, value=node.value or 0.0)
        for link in self.links:
            measured = {} if link.removed is None else {"removed": link.removed}
            told = {"score": link.score, "contradicted": link.contradicted}
            graph.add_edge(link.source, link.target, **told, **measured)
        return "\n".join(nx.generate_graphml(graph)) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write it as `.graphml` or as `.json`; raises `InputError` for another suffix."""
        path = Path(path)
        if path.suffix == ".graphml":
            text = self.to_graphml()
        elif path.suffix == ".json":
            text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        else:
            raise InputError(f"{path} is no graph file; end it in .graphml or .json")
        path.write_text(text, encoding="utf-8")
        return path


def _node(node: Node, top: int, strips: int) -> dict[str, Any]:
    strip = min(strips - 1, max(0, int(node.across * strips)))
    target, layer = node.level == 0, top - node.level
    label = node.name.replace('"', "'")
    return {
        "node_id": node.id,
        "jsNodeId": node.id,
        "feature": node.index if target else _paired(layer, node.index),
        "layer": str(layer),
        "ctx_idx": strip,
        "reverse_ctx_idx": strips - 1 - strip,
        "run_idx": 0,
        "feature_type": "logit" if target else "cross layer transcoder",
        "token_prob": 0.0,
        "is_target_logit": target,
        "clerp": f'Output "{label}" (p=)' if target else node.name,  # viewers look for both
        "influence": None,
        "activation": node.value,
    }


def _paired(layer: int, index: int) -> int:
    """Cantor's number of a pair, from which viewers take layer and index again."""
    both = layer + index
    return both * (both + 1) // 2 + index


def graph(answer: Tree | Why | Mapping[str, Any]) -> Graph:
    """The graph of a tree of parts, of the ways to a class, or of the figures of either.

    Raises:
        InputError: figures of another kind of answer.
    """
    told = answer if isinstance(answer, Mapping) else answer.to_json()
    if "root" in told:
        return _of_tree(told)
    if "ways" in told:
        return _of_ways(told)
    raise InputError(
        "a graph is made of what `parts` or `why` answers; other answers have no edges"
    )


def _of_tree(told: Mapping[str, Any]) -> Graph:
    nodes: dict[str, Node] = {}
    links: list[Link] = []
    root = told["root"]
    left, right = root["box"][1], root["box"][3]

    def visit(part: Mapping[str, Any], path: str, level: int) -> None:
        middle = (part["box"][1] + part["box"][3]) / 2
        across = (middle - left) / max(1, right - left)
        value = part["value"] if isfinite(part["value"]) else None
        nodes[path] = Node(path, part["unit"], part["name"], level, across, value)
        for i, below in enumerate(part["parts"]):
            own = f"{path}.{i}"
            edge = below["edge"]
            links.append(Link(own, path, edge["score"], edge["removed"], edge["contradicted"]))
            visit(below, own, level + 1)

    visit(root, "0", 0)
    return Graph(told["network"], f"What {root['name']} is made of", tuple(nodes.values()),
                 tuple(links))  # fmt: skip


def _of_ways(told: Mapping[str, Any]) -> Graph:
    """Ways share the units that they have in common; a link has the sum of its ways."""
    answer = told["answer"]
    title = f"Why {answer}" + (f" and not {told['instead']}" if told["instead"] else "")
    nodes = {"target": Node("target", "", answer, 0, 0.5, told["value"])}
    found: dict[tuple[str, str], Link] = {}
    for way in told["ways"]:
        above = "target"
        for level, (unit, name) in enumerate(_steps(way), 1):
            id = f"{level}-{Unit.of(unit).index}"
            nodes.setdefault(id, Node(id, unit, name, level, 0.5))
            before = found.get((id, above), Link(id, above, 0.0))
            found[id, above] = Link(id, above, before.score + way["score"])
            above = id
    return Graph(told["network"], title, tuple(nodes.values()), tuple(found.values()))


def _steps(way: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return zip(way["units"], way["names"], strict=True)
