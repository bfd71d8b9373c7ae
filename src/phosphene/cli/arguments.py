"""Options that several commands share: what they are called and what their help says."""

from pathlib import Path
from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Seed = Annotated[int, typer.Option(help="All random numbers follow from it.")]
Model = Annotated[
    str,
    typer.Argument(
        help="file.py:factory, package.module:factory, torchvision:NAME, timm:NAME or hf:NAME; "
        "weights made by `train`, which know their network; or an article's network: hvass."
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="A safetensors file, a state_dict saved by torch.save, or a library's DEFAULT."
    ),
]
InputSize = Annotated[
    str | None,
    typer.Option("--input", help="Channels x height x width, such as 3x224x224. Default: found."),
]
Mean = Annotated[str | None, typer.Option(help="Subtracted from the input, per channel: .485,.456")]
Std = Annotated[str | None, typer.Option(help="Divides the input after that, per channel.")]
Range = Annotated[
    str | None, typer.Option("--range", help="Values before mean and std: 0,1 (default) or 0,255.")
]
Labels = Annotated[
    str | None, typer.Option(help="Class names: a file with one per line, or a,b,c.")
]

Image = Annotated[str, typer.Option(help="A picture: its number in the data, or an image file.")]
Steps = Annotated[int, typer.Option(help="How many steps.", min=1)]
Rate = Annotated[float, typer.Option(help="How far a step goes.")]
Slice = Annotated[
    str | None, typer.Option("--slice", help="Part of the data, from:to such as 0:1000.")
]
