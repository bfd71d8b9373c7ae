"""What a target is: the strongest place, before the rectifier, one for each picture."""

import pytest
import torch

from circuits.branching import branching
from phosphene.circuits import target_of
from phosphene.errors import ObjectiveError
from phosphene.objectives import Channel, Logit, Neuron
from tiny import network, pictures


def test_a_unit_is_the_neuron_at_its_strongest_place_before_its_rectifier() -> None:
    net = branching(2)
    shown = pictures(net, 3)
    target = target_of(net, shown, "out:3")
    values = net.record(shown, ["last", "out"])
    assert isinstance(target.term, Neuron)
    assert target.term.layer == "last"
    assert torch.equal(target.term(values), values["last"][:, 3].flatten(1).amax(1))


def test_units_of_joined_branches_lead_to_their_own() -> None:
    net = branching(2)
    shown = pictures(net, 2)
    assert target_of(net, shown, "both:1").term.layer == "left"
    assert target_of(net, shown, "both:6").term.layer == "right"
    assert target_of(net, shown, ["both:4", "both:6"]).term.index == (0, 2)
    several = target_of(net, shown, ["both:1", "both:6"])
    assert several.term.layer == "both"
    assert "one of those at a time" in several.remarks[0]


def test_objectives_are_taken_as_they_are_but_for_the_rectifier() -> None:
    net = branching(2)
    shown = pictures(net, 2)
    for term in (Logit(1), Logit(1) - Logit(0), Channel("out", 2)):
        assert target_of(net, shown, term).term == term
    inside = target_of(net, shown, 2 * Neuron("out", 2, 1, 1) - Logit(1))
    assert inside.term == 2 * Neuron("last", 2, 1, 1) - Logit(1)
    assert target_of(net, shown, "out:2@1,1").term == Neuron("last", 2, 1, 1)


def test_where_no_layer_holds_the_value_before_it_that_is_said() -> None:
    net = network("residual")
    (remark,) = target_of(net, pictures(net), "relu@2:1").remarks
    assert "taken as they are" in remark


def test_what_is_no_one_target_is_said() -> None:
    net = branching(2)
    with pytest.raises(ObjectiveError, match="no one target"):
        target_of(net, pictures(net, 2), ["out:1", "both:1"])
    with pytest.raises(ObjectiveError, match="2 targets were given for 3 pictures"):
        target_of(net, pictures(net, 3), ["out:1", "out:2"])
    with pytest.raises(ObjectiveError, match="2 targets were given for 3 pictures"):
        target_of(net, pictures(net, 3), Logit((1, 2)))
