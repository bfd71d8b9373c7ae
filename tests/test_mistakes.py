"""Wrong types are told in words, where nothing checks the signatures: outside of these tests."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json
import numpy as np
import torch
from torch import nn
from phosphene import (
    Channel, Input, Logit, Network, Neuron, PhospheneError, Pixels, Recipe, Spectrum, Unit, draw,
    gradient
)
from phosphene.probes import fool, misread
from phosphene.study import Settings

torch.manual_seed(0)
module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
network = Network(module, Input(1, (8, 8)), ["tea", "coffee", "milk"])
recipe = Recipe("neuron", Pixels(), steps=1)
array = np.zeros((2, 1, 8, 8), np.float32)

said = {}
for mistake in MISTAKES:
    try:
        said[mistake] = repr(eval(mistake))
    except PhospheneError as error:
        said[mistake] = f"{type(error).__name__}: {error}"
print(json.dumps(said))
"""

MISTAKES = {
    "draw(network, '0:1', recipe)": "Drawing: 0:1 answers",
    "draw(network, 17, recipe)": "Sequential has classes 0 to 2; 17 was asked for",
    "draw(network, [17], recipe)": "Sequential has classes 0 to 2; 17 was asked for",
    "draw(network, 1.5, recipe)": "1.5 names no unit; give a Unit, or a text such as 'conv2:17'",
    "draw(network, ['0'], recipe)": "UnknownUnitError: '0' is a layer, with units 0 to 3; write",
    "draw(network, 'cofee', recipe)": "UnknownUnitError: 'cofee' is neither a unit, written layer:",
    "Logit('coffee')": "index 'coffee' of Logit; expected an integer",
    "Logit('milk')": "the number of a class is network.classes.index(label)",
    "Logit([1, 2])": "or a tuple with one for each image",
    "Channel('0', None)": "index None of Channel",
    "Neuron('0', 1, y=0.5)": "y 0.5 of Neuron",
    "fool(network, ['cofee'])": "ObjectiveError: no class 'cofee'; nearest: coffee",
    "fool(network, 3)": "has classes 0 to 2; 3 was asked for",
    "fool(network, start='gray')": "no start is called 'gray'; nearest: grey",
    "network.record((array, 3), '0')": "data[3].picture[None]",
    "network.record(array[0], '0')": "InputError: pictures of type ndarray were given",
    "network.record(array, ['0'])": "InputError: pictures of type ndarray were given; expected a",
    "network.class_scores(array)": "torch.from_numpy(array).float()",
    "fool(network, start=array)": "SizeError: 2 start pictures for 3 images; give 1 or 3",
    "gradient(network, array, Logit(1)).shape": "torch.Size([2, 1, 8, 8])",
    "gradient(network, 'cup.png', Logit(1))": "UnreadableImageError: cannot read cup.png",
    "Neuron('0', (np.int64(1),), y=np.uint8(3)).to_json()": "'index': [1], 'y': 3, 'x': None",
    "fool(network, [1.5])": "ObjectiveError: 1.5 is no class; give a name or a number of one",
    "fool(network, 1.5)": "ObjectiveError: 1.5 is no class; give a name or a number of one",
    "Network(module, 8)": "InputError: 8 was given as a network's input; give an Input, such as "
    "Input(1, (8, 8)): channels, then height and width",
    "Network(module, (2, 8, 9))": "give an Input, such as Input(2, (8, 9)):",
    "Network(module, '8')": "give an Input, such as Input(3, (224, 224)):",
    "Spectrum.measure(7)": "InputError: int was given where batches of pictures b c h w",
    "misread(network, torch.utils.data.TensorDataset(torch.rand(3, 1, 8, 8)), 5)": "slice 5 is not",
    "[Settings(layers='0').layers, Settings(units='0:1').units]": "[('0',), ('0:1',)]",
    "network.layer(['0'])": "UnknownLayerError: ['0'] was given where one layer is meant; give one",
    "network.layer(0)": "no layer 0; nearest: 0",
}


@pytest.mark.slow
def test_wrong_types_are_told_in_words() -> None:
    program = PROGRAM.replace("MISTAKES", repr(list(MISTAKES)))
    ran = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    said = json.loads(ran.stdout)
    for mistake, words in MISTAKES.items():
        assert words in said[mistake], mistake
