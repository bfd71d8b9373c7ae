"""The articles' networks, a decoder to imagine with, and how they are trained."""

from phosphene.zoo.articles import (
    ARTICLES,
    BRUNER,
    HVASS,
    KRISHNA,
    PYTORCH,
    SOFTMAX,
    Article,
)
from phosphene.zoo.bruner import bruner, softmax_regression
from phosphene.zoo.decoder import (
    DECODER,
    DecoderStep,
    VariationalAutoencoder,
    train_decoder,
)
from phosphene.zoo.hvass import hvass
from phosphene.zoo.krishna import krishna
from phosphene.zoo.pytorch import pytorch_example
from phosphene.zoo.recipe import Recipe
from phosphene.zoo.training import TrainingStep, accuracy, seeded, train

__all__ = [
    "ARTICLES",
    "BRUNER",
    "DECODER",
    "HVASS",
    "KRISHNA",
    "PYTORCH",
    "SOFTMAX",
    "Article",
    "DecoderStep",
    "Recipe",
    "TrainingStep",
    "VariationalAutoencoder",
    "accuracy",
    "bruner",
    "hvass",
    "krishna",
    "pytorch_example",
    "seeded",
    "softmax_regression",
    "train",
    "train_decoder",
]
