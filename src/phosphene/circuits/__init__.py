"""What a unit is made of: edges from the units of an earlier layer, each scored and measured."""

from phosphene.circuits.baseline import Baseline
from phosphene.circuits.edge import Edges, edges
from phosphene.circuits.measuring import EFFECTS, interactions, measure
from phosphene.circuits.target import target_of

__all__ = ["EFFECTS", "Baseline", "Edges", "edges", "interactions", "measure", "target_of"]
