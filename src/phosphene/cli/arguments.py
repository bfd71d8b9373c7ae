"""Options that several commands share: what they are called and what their help says."""

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

Image = Annotated[str, typer.Option(help="A picture: its number in the data, or an image file.")]
Steps = Annotated[int, typer.Option(help="How many steps.", min=1)]
Rate = Annotated[float, typer.Option(help="How far a step goes.")]
Slice = Annotated[
    str | None, typer.Option("--slice", help="Part of the data, from:to such as 0:1000.")
]
