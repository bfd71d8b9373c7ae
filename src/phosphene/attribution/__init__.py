"""Which pixels of a picture matter to a unit."""

from phosphene.attribution.from_captum import captum
from phosphene.attribution.gradients import (
    METHODS,
    Attribution,
    cross,
    deconvnet,
    each_gradient,
    gradient,
    gradient_x_input,
    guided,
    integrated_gradients,
)
from phosphene.attribution.names import called, method

__all__ = [
    "METHODS",
    "Attribution",
    "called",
    "captum",
    "cross",
    "deconvnet",
    "each_gradient",
    "gradient",
    "gradient_x_input",
    "guided",
    "integrated_gradients",
    "method",
]
