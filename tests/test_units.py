"""Units as text, and recordings that say what they lack."""

import pytest
import torch

from phosphene.errors import UnknownLayerError, UnknownUnitError
from phosphene.network.recorded import Recording
from phosphene.units import Unit


@pytest.mark.parametrize(
    "unit",
    [
        Unit("conv2", 17),
        Unit("features.3.squeeze", 0, y=7, x=9),
        Unit("relu@1", 5),
        Unit("relu@1", 5, 0, 0),
        Unit("odd:name", 3),
        Unit("output", 123456, 10, 0),
    ],
)
def test_units_read_back_what_they_write(unit: Unit) -> None:
    assert Unit.parse(str(unit)) == unit
    assert Unit.parse(f"  {unit}\n") == unit


@pytest.mark.parametrize(
    "text", ["", "conv2", "conv2:", ":3", "conv2:-1", "conv2:x", "conv2:1@3", "conv2:1@3,", "a:1.5"]
)
def test_what_names_no_unit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnknownUnitError, match="conv2:17") as caught:
        Unit.parse(text)
    assert repr(text) in str(caught.value)


def test_a_unit_is_meant_by_itself_or_by_its_text() -> None:
    assert Unit.of("conv2:17@3,3") == Unit.of(Unit("conv2", 17, 3, 3)) == Unit("conv2", 17, 3, 3)
    for wrong in (17, None, ("conv2", 17)):
        with pytest.raises(UnknownUnitError, match=r"names no unit; .*'conv2:17'"):
            Unit.of(wrong)


def test_recordings_are_mappings_that_name_the_nearest_layer() -> None:
    recording = Recording(torch.zeros(1, 1, 2, 2), {"conv1": torch.ones(1, 3)})
    assert list(recording) == ["conv1"]
    assert len(recording) == 1
    assert "conv1" in recording
    assert recording["conv1"].shape == (1, 3)
    with pytest.raises(UnknownLayerError, match=r"'conv2'.*nearest: conv1.*record"):
        recording["conv2"]
