"""The articles' networks and how they are trained."""

from phosphene.zoo.hvass import hvass
from phosphene.zoo.training import Recipe, TrainingStep, seeded, train

__all__ = ["Recipe", "TrainingStep", "hvass", "seeded", "train"]
