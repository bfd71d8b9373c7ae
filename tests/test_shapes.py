"""Shapes in signatures are jaxtyping's where that is there, and cost nothing elsewhere."""

import subprocess
import sys

import jaxtyping
import pytest

from phosphene import shapes

UNCHECKED = """
import sys
from numpy import ndarray
from phosphene.atlas import codec
hints = codec.decode_picture.__annotations__
assert hints["return"] is ndarray, hints
assert "jaxtyping" not in sys.modules
"""


@pytest.mark.parametrize("name", shapes.__all__)
def test_they_are_those_of_jaxtyping_where_it_is_there(name: str) -> None:
    assert getattr(shapes, name) is getattr(jaxtyping, name)


def test_elsewhere_an_array_is_an_array() -> None:
    done = subprocess.run([sys.executable, "-c", UNCHECKED], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
