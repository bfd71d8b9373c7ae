"""What does a unit of a trained vision network really look for?"""

from phosphene.allocator import keep_freed_memory
from phosphene.atlas import Atlas
from phosphene.attribution import (
    cross,
    deconvnet,
    each_gradient,
    gradient,
    gradient_x_input,
    guided,
    integrated_gradients,
)
from phosphene.canvas import Bounded, Fourier, Maco, Pixels, Spectrum
from phosphene.data import ImageFolder, batches, digits, load_data, mnist, read_image
from phosphene.errors import PhospheneError
from phosphene.evaluation import nearest_neighbours
from phosphene.figures import export_site, layer_sheet, unit_sheet
from phosphene.maximize import Drawing, Optimizer, Recipe, Step, ascend, draw
from phosphene.network import Input, Network, load_network
from phosphene.objectives import (
    L1,
    L2,
    Channel,
    Direction,
    Diversity,
    Logit,
    LogProbability,
    Neuron,
    Norm,
    Probability,
    TotalVariation,
)
from phosphene.results import sheet
from phosphene.streams import Streams
from phosphene.study import Settings, Study, build
from phosphene.survey import Survey
from phosphene.transforms import Identity, RandomAffine
from phosphene.types import Unit
from phosphene.version import __version__

__all__ = [
    "L1",
    "L2",
    "Atlas",
    "Bounded",
    "Channel",
    "Direction",
    "Diversity",
    "Drawing",
    "Fourier",
    "Identity",
    "ImageFolder",
    "Input",
    "LogProbability",
    "Logit",
    "Maco",
    "Network",
    "Neuron",
    "Norm",
    "Optimizer",
    "PhospheneError",
    "Pixels",
    "Probability",
    "RandomAffine",
    "Recipe",
    "Settings",
    "Spectrum",
    "Step",
    "Streams",
    "Study",
    "Survey",
    "TotalVariation",
    "Unit",
    "__version__",
    "ascend",
    "batches",
    "build",
    "cross",
    "deconvnet",
    "digits",
    "draw",
    "each_gradient",
    "export_site",
    "gradient",
    "gradient_x_input",
    "guided",
    "integrated_gradients",
    "keep_freed_memory",
    "layer_sheet",
    "load_data",
    "load_network",
    "mnist",
    "nearest_neighbours",
    "read_image",
    "sheet",
    "unit_sheet",
]
