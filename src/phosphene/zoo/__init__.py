"""The articles' networks, a decoder to imagine with, and one network of photographs."""

from phosphene.zoo.articles import ARTICLES, BRUNER, HVASS, KRISHNA, PYTORCH, SOFTMAX, Article
from phosphene.zoo.decoder import DECODER, DecoderStep, VariationalAutoencoder, train_decoder
from phosphene.zoo.efficientnet_lite import EfficientNetLite
from phosphene.zoo.of_bruner import bruner, softmax_regression
from phosphene.zoo.of_hvass import hvass
from phosphene.zoo.of_krishna import krishna
from phosphene.zoo.photos import efficientnet_lite0, photographs, pictured
from phosphene.zoo.pytorch import pytorch_example
from phosphene.zoo.trained import Trained, read_trained

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
    "Trained",
    "VariationalAutoencoder",
    "bruner",
    "efficientnet_lite0",
    "hvass",
    "krishna",
    "photographs",
    "pictured",
    "pytorch_example",
    "read_trained",
    "softmax_regression",
    "train_decoder",
]
