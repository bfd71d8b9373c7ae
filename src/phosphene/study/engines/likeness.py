"""What makes two processes compute the same bytes, and in what two of them differ."""

import platform
from dataclasses import dataclass, fields

import numpy as np
import PIL
import torch
from PIL import features

from phosphene.version import __version__


@dataclass(frozen=True)
class Likeness:
    """What the last digits of a result depend on, besides the work."""

    phosphene: str
    pytorch: str
    numpy: str
    pillow: str
    machine: str
    instructions: str
    threads: int
    device: str

    @classmethod
    def here(cls, device: torch.device) -> "Likeness":
        """Of this process, computing on a device."""
        return cls(
            phosphene=__version__,
            pytorch=str(torch.__version__),
            numpy=np.__version__,
            pillow=PIL.__version__ + " without AVIF" * (not features.check("avif")),
            machine=platform.machine(),
            instructions=torch.backends.cpu.get_cpu_capability(),
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        )

    def differences(self, other: "Likeness") -> str:
        """In what `other` differs, in words; empty where they are alike.

        >>> one = Likeness("1", "2.13", "2.4", "12", "x86_64", "AVX2", 1, "cpu")
        >>> one.differences(one)
        ''
        >>> from dataclasses import replace
        >>> one.differences(replace(one, threads=4, instructions="AVX512"))
        'instructions AVX512 for AVX2, threads 4 for 1'
        """
        told = []
        for field in fields(self):
            ours, theirs = getattr(self, field.name), getattr(other, field.name)
            if ours != theirs:
                told.append(f"{field.name} {theirs} for {ours}")
        return ", ".join(told)
