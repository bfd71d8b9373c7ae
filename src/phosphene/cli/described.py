"""What the options of a command say about a network, on every command that takes one.

`--weights`, `--input`, `--mean`, `--std`, `--range`, `--order`, `--labels`, `--output`, `--task`
and, for its pictures, `--resize`. `describes` gives them to a command, which is handed the one
value that they make.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.tasks import TASKS

if TYPE_CHECKING:
    import torch

    import phosphene.network.record

OPTIONS: dict[str, Any] = {
    "weights": Annotated[
        Path | None,
        typer.Option(
            help="A safetensors file, a state_dict saved by torch.save, or a library's DEFAULT."
        ),
    ],
    "input": Annotated[
        str | None,
        typer.Option(
            "--input", help="Channels x height x width, such as 3x224x224. Default: found."
        ),
    ],
    "mean": Annotated[
        str | None, typer.Option(help="Subtracted from the input, per channel: .485,.456,.406")
    ],
    "std": Annotated[str | None, typer.Option(help="Divides the input after that, per channel.")],
    "range": Annotated[
        str | None,
        typer.Option("--range", help="Values before mean and std: 0,1 (default) or 0,255."),
    ],
    "order": Annotated[
        str | None,
        typer.Option(help="Of the input's channels: rgb, or bgr as for Caffe's. Mean, std alike."),
    ],
    "labels": Annotated[
        str | None, typer.Option(help="Class names: a file with one per line, or a,b,c.")
    ],
    "output": Annotated[
        str | None,
        typer.Option(help="Which output holds the classes: a layer, or a part as logits or 1."),
    ],
    "task": Annotated[
        str | None,
        typer.Option(help=f"What it means: {', '.join(TASKS)}. Default: found, else softmax."),
    ],
    "resize": Annotated[
        str | None,
        typer.Option(
            help="How image files come to the input's size: the short side before a centre crop "
            "(256), or squash, pad, none. Default: what fits stays, else a crop of seven eighths."
        ),
    ],
}


@dataclass(frozen=True)
class Described:
    """What was said of a network; None where nothing was."""

    weights: Path | None = None
    input: str | None = None
    mean: str | None = None
    std: str | None = None
    range: str | None = None
    order: str | None = None
    labels: str | None = None
    output: str | None = None
    task: str | None = None
    resize: str | None = None

    def network(
        self,
        model: str,
        device: "torch.device",
        known: Mapping[str, Any] | None = None,
        weights: str | Path | None = None,
    ) -> "phosphene.network.record.Network":
        """Make the network; what was not said is taken from `known`, an atlas's record of it.

        `weights` stand in for those that were said.
        """
        from phosphene.cli import options
        from phosphene.study.source import remade

        return remade(
            model,
            device,
            known,
            options.weights(self.weights) if weights is None else weights,
            input=options.input_of(self.input, self.mean, self.std, self.range, self.order),
            labels=options.labels(self.labels),
            output=self.output,
            task=options.task(self.task),
        )

    @property
    def normalised(self) -> bool:
        """Whether anything was said of how pictures become the network's numbers."""
        return any((self.mean, self.std, self.range, self.order))

    @property
    def source(self) -> dict[str, str]:
        """What an atlas must know to find network and pictures again, beside its own record."""
        kept = {"weights": self.weights, "resize": self.resize}
        return {key: str(value) for key, value in kept.items() if value is not None}


def describes(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command`, which has a parameter `told: Described`, the options that make one."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None,
                          annotation=OPTIONS[field.name])
        for field in fields(Described)
    ]  # fmt: skip

    def run(**values: Any) -> None:
        told = {field.name: values.pop(field.name) for field in fields(Described)}
        command(**values, told=Described(**told))

    kept = [p.replace(kind=p.KEYWORD_ONLY) for name, p in own.items() if name != "told"]
    parameters = [*kept, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run
