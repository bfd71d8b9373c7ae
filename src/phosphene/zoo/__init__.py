"""The articles' networks, a decoder to imagine with, how they are trained; one of photographs."""

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
from phosphene.zoo.efficientnet_lite import EfficientNetLite
from phosphene.zoo.hvass import hvass
from phosphene.zoo.krishna import krishna
from phosphene.zoo.photos import efficientnet_lite0, photographs, pictured
from phosphene.zoo.pytorch import pytorch_example
from phosphene.zoo.recipe import Recipe
from phosphene.zoo.trained import Trained, read_trained
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
    "EfficientNetLite",
    "Recipe",
    "Trained",
    "TrainingStep",
    "VariationalAutoencoder",
    "accuracy",
    "bruner",
    "efficientnet_lite0",
    "hvass",
    "krishna",
    "photographs",
    "pictured",
    "pytorch_example",
    "read_trained",
    "seeded",
    "softmax_regression",
    "train",
    "train_decoder",
]
