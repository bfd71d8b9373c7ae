"""What tests and the examples of docstrings have in common."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Networks that a test makes without a seed of its own are the same in every run.

    Of the processor's numbers alone: `torch.manual_seed` also notes down, with the whole stack of
    calls, that a graphics card yet to come is to be seeded.
    """
    torch.default_generator.manual_seed(0)
