"""How networks are trained here: settings as a value, one loop, checkpoints that resume exactly."""

from phosphene.training.loop import TrainingStep, accuracy, seeded, train
from phosphene.training.settings import Training

__all__ = [
    "Training",
    "TrainingStep",
    "accuracy",
    "seeded",
    "train",
]
