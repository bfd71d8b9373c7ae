"""Draws the README's pictures from what `make demo-photos` wrote.

python docs/images/draw.py demo-photos/photos.atlas docs/images
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from phosphene import Atlas
from phosphene.figures import pictures_sheet, unit_sheet

CHANNELS = (
    *("blocks.0:1", "blocks.2:0", "blocks.2:3", "blocks.4:0", "blocks.4:1", "blocks.7:0"),
    *("blocks.7:1", "blocks.7:2", "blocks.10:3", "blocks.14:2"),
)
CLASSES = (
    *("goldfish", "flamingo", "golden retriever", "zebra", "king penguin", "broccoli"),
    *("banana", "jellyfish", "castle", "volcano"),
)
SIZE = (224, 224)


def main(path: Path, folder: Path) -> None:
    with Atlas.open(path) as atlas:
        labels = atlas.document("network")["labels"]
        units = [name.rpartition(":") for name in CHANNELS]
        units += [("fc", ":", str(labels.index(name))) for name in CLASSES]
        drawn = [_picture(atlas, layer, int(unit)) for layer, _, unit in units]
        sheet = pictures_sheet(
            torch.cat(drawn),
            [*CHANNELS, *CLASSES],
            "What EfficientNet-Lite0 looks for",
            "Pictures made to excite one unit each. Above: channels of its stages, early ones "
            "first. Below: classes.",
            columns=10,
        )
        sheet.save(folder / "classes.png", optimize=True)
        unit_sheet(atlas, "blocks.7", 2).save(folder / "unit.png", optimize=True)


def _picture(atlas: Atlas, layer: str, unit: int) -> torch.Tensor:
    (record,) = atlas.pictures(layer, unit)
    return F.interpolate(torch.tensor(record.picture)[None].float(), SIZE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
