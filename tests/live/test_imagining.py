"""A unit that sleeps is imagined as it is drawn."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import nn

from phosphene.live.imagining import Imagined, imagine
from phosphene.maximize import draw
from phosphene.network import Input, Network


def test_a_unit_that_sleeps_is_woken_first() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2), nn.ReLU())
    for layer in (module[0], module[3]):
        nn.init.constant_(layer.weight, 0.2)  # type: ignore[arg-type]
    nn.init.constant_(module[0].bias, -1.2)  # type: ignore[arg-type] # grey gives 0.9
    nn.init.zeros_(module[3].bias)  # type: ignore[arg-type]
    network = Network(module, Input(1, (8, 8)))
    (drawn,) = draw(network, ["4:0"], steps=40)
    assert len(drawn.attempts) == 2
    assert not drawn.silent
    *_, last = imagine(network, Imagined(unit="4:0", steps=40, client="test"), None)
    shown = Image.open(io.BytesIO(base64.b64decode(last.src.partition(",")[2])))
    expected = (drawn.picture[0] * 255).round().byte()
    assert torch.equal(torch.from_numpy(np.array(shown.convert("L"))), expected)
