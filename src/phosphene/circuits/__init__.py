"""What a unit is made of: edges from the units of earlier layers, each scored and measured."""

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.direct_effects import direct
from phosphene.circuits.edge import Edges, edges
from phosphene.circuits.facts import Facts
from phosphene.circuits.feeding import Whole, Wholes, wholes
from phosphene.circuits.general import GeneralEdges, general_edges
from phosphene.circuits.graphs import Graph, graph
from phosphene.circuits.growing import parts
from phosphene.circuits.kernels import KernelCircuit, kernel_circuit, learn_masks
from phosphene.circuits.measuring import EFFECTS, interactions, measure
from phosphene.circuits.reasoning import why
from phosphene.circuits.reasons import Flip, Way, Why
from phosphene.circuits.smallest import ORDERS, circuit
from phosphene.circuits.staging import stages
from phosphene.circuits.subset import Circuit
from phosphene.circuits.target import target_of
from phosphene.circuits.tree import Edge, Part, Rest, Tree

__all__ = [
    "EFFECTS",
    "ORDERS",
    "Baseline",
    "Circuit",
    "Edge",
    "Edges",
    "Facts",
    "Flip",
    "GeneralEdges",
    "Graph",
    "KernelCircuit",
    "Part",
    "Rest",
    "Tree",
    "Way",
    "Whole",
    "Wholes",
    "Why",
    "circuit",
    "direct",
    "edges",
    "general_edges",
    "graph",
    "interactions",
    "kernel_circuit",
    "learn_masks",
    "measure",
    "parts",
    "stages",
    "target_of",
    "wholes",
    "why",
]
