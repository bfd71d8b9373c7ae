"""Texts of the command line as values: devices, inputs, labels."""

import re
from pathlib import Path

import torch

from phosphene.errors import SpecError
from phosphene.network import Input

DEVICES = ("auto", "cpu", "cuda", "mps")


def device(name: str) -> torch.device:
    """The device that `name` stands for; `auto` is the fastest there is."""
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next((n for n in ("cuda", "mps") if there[n]), "cpu")
    if name not in there:
        raise SpecError(f"no device {name!r}; choose one of {', '.join(DEVICES)}")
    if not there[name]:
        raise SpecError(f"this machine has no {name} that PyTorch can use; try --device auto")
    return torch.device(name)


def input_of(
    size: str | None, mean: str | None, std: str | None, value_range: str | None
) -> Input | None:
    """The input record that the options describe; None when none was given.

    >>> input_of("1x28x28", "0.1307", "0.3081", None)
    Input(channels=1, size=(28, 28), mean=(0.1307,), std=(0.3081,), value_range=(0.0, 1.0))
    """
    if size is None:
        if mean or std or value_range:
            raise SpecError("--mean, --std and --range need --input too, for example 1x28x28")
        return None
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)", size)
    if match is None:
        raise SpecError(f"--input {size!r} is not channels x height x width, for example 3x224x224")
    low, high = numbers(value_range, "--range") if value_range else (0.0, 1.0)
    return Input(
        int(match[1]),
        (int(match[2]), int(match[3])),
        mean=numbers(mean, "--mean") if mean else 0.0,
        std=numbers(std, "--std") if std else 1.0,
        value_range=(low, high),
    )


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Numbers separated by commas."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SpecError(f"{option} {text!r} is not a list of numbers such as 0.485,0.456") from None


def labels(text: str | None) -> tuple[str, ...]:
    """Class names from a file (one per line) or from a list separated by commas."""
    if text is None:
        return ()
    path = Path(text)
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if "," not in text:
        raise SpecError(f"--labels {text!r} is no file; give a file or names separated by commas")
    return tuple(part.strip() for part in text.split(","))
