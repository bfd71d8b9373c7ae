"""A network and what can be asked of it without changing it."""

from phosphene.network.changing import Change, How, changed
from phosphene.network.discovery.guess import guess_input
from phosphene.network.discovery.layers import Layer
from phosphene.network.fields.between import Between
from phosphene.network.fields.pieces import Pieces
from phosphene.network.fields.receptive import ReceptiveField, receptive_fields
from phosphene.network.fields.windows import Patch
from phosphene.network.freezing import frozen
from phosphene.network.inputs import Input
from phosphene.network.intervene import Group, Intervention, masks_of, replace
from phosphene.network.lenses import Lens
from phosphene.network.loading.load import find_factory, load_network
from phosphene.network.loading.spec import Spec
from phosphene.network.loading.weights import load_weights, read_weights
from phosphene.network.memory import Remembered, remembered
from phosphene.network.precision import Lowered
from phosphene.network.record import Network
from phosphene.network.rules.linear import ZPLUS, epsilon
from phosphene.network.rules.rectifiers import Gates
from phosphene.network.rules.relp import RELP
from phosphene.network.rules.rule import (
    DECONVNET,
    GUIDED,
    PLAIN,
    STRAIGHT,
    Rule,
    backward_rule,
    nothing_recomputed,
    refuse_uncaught,
)
from phosphene.network.state import fingerprint

__all__ = [
    "DECONVNET",
    "GUIDED",
    "PLAIN",
    "RELP",
    "STRAIGHT",
    "ZPLUS",
    "Between",
    "Change",
    "Gates",
    "Group",
    "How",
    "Input",
    "Intervention",
    "Layer",
    "Lens",
    "Lowered",
    "Network",
    "Patch",
    "Pieces",
    "ReceptiveField",
    "Remembered",
    "Rule",
    "Spec",
    "backward_rule",
    "changed",
    "epsilon",
    "find_factory",
    "fingerprint",
    "frozen",
    "guess_input",
    "load_network",
    "load_weights",
    "masks_of",
    "nothing_recomputed",
    "read_weights",
    "receptive_fields",
    "refuse_uncaught",
    "remembered",
    "replace",
]
