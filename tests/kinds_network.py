"""Kinds of networks by how they are built; see `kinds`."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinds import Kind
from phosphene.network import Input

GREY, RGB = Input(1, (16, 16)), Input(3, (16, 16))


class Head(nn.Module):
    """Whatever turns pictures into maps of 6 channels, then their means and three scores."""

    def __init__(self, *body: nn.Module, pool: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.fc = nn.Linear(6, 3)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return self.fc(x.mean((2, 3)) if self.pool is None else self.pool(x))


def convolution() -> nn.Module:
    return nn.Conv2d(1, 6, 3)


class Forward(nn.Module):
    """A convolution, and any function of its maps."""

    def __init__(self, function: Callable[["Forward", Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 6, 3), nn.Linear(6, 3)
        for name, part in parts.items():
            self.add_module(name, part)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def squeezed(self: Any, x: Tensor) -> Tensor:
    return self.fc(F.adaptive_avg_pool2d(self.conv(x).relu(), 1).squeeze())


def written(count: int) -> Callable[[Any, Tensor], Tensor]:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).relu().view(count, 6, -1).mean(2))

    return forward


def dropping(self: Any, x: Tensor) -> Tensor:
    return self.fc(F.dropout(self.conv(x).relu().mean((2, 3)), 0.5))


def noisy(self: Any, x: Tensor) -> Tensor:
    x = self.conv(x)
    return self.fc((x + torch.randn_like(x)).mean((2, 3)))


def deviation(self: Any, x: Tensor) -> Tensor:
    x = self.conv(x).relu()
    return self.fc(x.mean((2, 3)) + x.std(0, unbiased=False).mean())


def centred(self: Any, x: Tensor) -> Tensor:
    x = self.conv(x).relu().mean((2, 3))
    return self.fc(x - x.mean(0))


def by_forward(self: Any, x: Tensor) -> Tensor:
    return self.fc(self.inner.forward(self.conv(x)).mean((2, 3)))


class Rows(nn.Module):
    """A recurrent layer over the rows of a picture."""

    def __init__(self, first: bool = True, both: bool = True) -> None:
        super().__init__()
        self.first = first
        self.lstm = nn.LSTM(16, 5, bidirectional=both, batch_first=first)
        self.fc = nn.Linear(10 if both else 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows = x[:, 0] if self.first else x[:, 0].transpose(0, 1)
        out, _ = self.lstm(rows)
        return self.fc(out[:, -1] if self.first else out[-1])


class Queries(nn.Module):
    """A transformer whose decoder asks with sixteen queries of its own, on a grid of sixteen."""

    def __init__(self, first: bool = True) -> None:
        super().__init__()
        self.first = first
        self.conv = nn.Conv2d(1, 8, 4, 4)
        self.queries = nn.Parameter(torch.randn(16, 8))
        layer = nn.TransformerDecoderLayer(8, 2, 12, dropout=0.0, batch_first=first)
        self.decoder = nn.TransformerDecoder(layer, 2)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        memory = self.conv(x).flatten(2).transpose(1, 2)
        asked = self.queries.expand(len(x), -1, -1)
        if not self.first:
            memory, asked = memory.transpose(0, 1), asked.transpose(0, 1)
        return self.fc(self.decoder(asked, memory).mean(1 if self.first else 0))


class Line(nn.Module):
    """A signal, shown as a picture one pixel high."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv1d(1, 4, 5), nn.BatchNorm1d(4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x.squeeze(2))).relu().mean(2))


class Slices(nn.Module):
    """Volumes inside: the channels of a picture are its slices."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3d, self.conv, self.fc = (
            nn.Conv3d(1, 2, 3, padding=1),
            nn.Conv2d(6, 6, 3),
            nn.Linear(6, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(self.conv3d(x[:, None]).flatten(1, 2)).mean((2, 3)))


class Unpool(nn.Module):
    """Max-pooling, and back to the places of the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.back = nn.MaxPool2d(4, return_indices=True), nn.MaxUnpool2d(4)
        self.conv, self.after, self.fc = (
            nn.Conv2d(1, 6, 3, padding=1),
            nn.Conv2d(6, 6, 3),
            nn.Linear(6, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.after(self.back(*self.pool(self.conv(x)))).mean((2, 3)))


class Two(nn.Module):
    """Two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.conv(left) - self.conv(right)


class Listed(nn.Module):
    """A list of pictures, as detectors take."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)

    def forward(self, pictures: list[Tensor]) -> Tensor:
        if not isinstance(pictures, list):
            raise TypeError("a list of tensors is expected")
        return self.conv(torch.stack(pictures))


class Masked(nn.Module):
    """An attention mask with -inf, as a buffer."""

    def __init__(self, fault: float = -torch.inf) -> None:
        super().__init__()
        self.conv, self.attention = (
            nn.Conv2d(1, 8, 4, 4),
            nn.MultiheadAttention(8, 2, batch_first=True),
        )
        self.fc = nn.Linear(8, 3)
        self.register_buffer("mask", torch.full((16, 16), fault).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        return self.fc(self.attention(x, x, x, attn_mask=self.mask, need_weights=False)[0].mean(1))


class Offset(nn.Module):
    """A buffer, to be added."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.register_buffer("offset", torch.tensor(value))


class Extra(nn.Linear):
    """A layer with state that is no tensor."""

    def get_extra_state(self) -> Any:
        return {"version": 2, "scale": torch.tensor([0.5])}

    def set_extra_state(self, state: Any) -> None:
        pass


def extra() -> nn.Module:
    made = Head(convolution())
    made.fc = Extra(6, 3)
    return made


def compiled() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made: nn.Module = torch.jit.script(nn.Sequential(convolution(), nn.ReLU()))
    return made


def traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made: nn.Module = torch.jit.trace(convolution(), torch.zeros(1, *GREY.shape))
    return made


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = torch.ao.quantization.quantize_dynamic(Head(convolution()), {nn.Linear})
    return made


def inference() -> nn.Module:
    with torch.inference_mode():
        return Head(convolution())


def meta() -> nn.Module:
    with torch.device("meta"):
        return Head(convolution())


def diverged() -> nn.Module:
    made = Head(convolution())
    with torch.no_grad():
        made.fc.weight[0, 0] = torch.nan
    return made


def norm(running: bool) -> nn.Module:
    return Head(convolution(), nn.BatchNorm2d(6, track_running_stats=running), nn.ReLU())


COMPANY = r"other pictures of the batch|happen to be in the batch"
CHANCE = "in another way each time"

KINDS: list[Kind] = [
    Kind("convolutions", lambda: Head(convolution(), nn.ReLU()), GREY, "yes"),
    Kind("BatchNorm with running statistics", lambda: norm(True), GREY, "yes"),
    Kind(
        "BatchNorm without running statistics",
        lambda: norm(False),
        GREY,
        "refused",
        r"layer 'body.1' \(BatchNorm2d\) .*track_running_stats=False.*GroupNorm",
    ),
    Kind(
        "BatchNorm1d without running statistics, on one row a picture",
        lambda: Forward(
            lambda m, x: m.fc(m.norm(m.conv(x).mean((2, 3)))),
            norm=nn.BatchNorm1d(6, track_running_stats=False),
        ),
        GREY,
        "refused",
        r"layer 'norm' \(BatchNorm1d\) .*track_running_stats=False",
    ),
    Kind(
        "dropout that stays on",
        lambda: Forward(dropping),
        GREY,
        "refused",
        rf"{CHANCE}.*'fc'.*F\.dropout",
    ),
    Kind("noise that is added", lambda: Forward(noisy), GREY, "refused", CHANCE),
    Kind("deviation over the batch", lambda: Forward(deviation), GREY, "refused", COMPANY),
    Kind("mean over the batch taken out", lambda: Forward(centred), GREY, "refused", COMPANY),
    Kind(
        "a way chosen by the mean of the batch",
        lambda: Forward(lambda m, x: m.fc(m.conv(x * (3 if x.mean() > 0.55 else 1)).mean((2, 3)))),
        GREY,
        "refused",
        COMPANY,
    ),
    Kind(
        "bare .squeeze()",
        lambda: Forward(squeezed),
        GREY,
        "yes, and says so",
        r"loses its batch axis.*'fc'.*shown twice.*flatten\(1\)",
    ),
    Kind(
        "a batch of 8 written into forward()",
        lambda: Forward(written(8)),
        GREY,
        "yes, and says so",
        r"number of 8 is written into forward\(\).*x\.shape\[0\]",
    ),
    Kind(
        "a batch of 1 written into forward()",
        lambda: Forward(written(1)),
        GREY,
        "yes, and says so",
        r"number of 1 is written .*1 picture at once",
    ),
    Kind("recurrent over rows, both ways", Rows, GREY, "yes"),
    Kind(
        "recurrent, time first",
        lambda: Rows(False, False),
        GREY,
        "yes, and says so",
        r"lstm\[0\] sees at least 16 x 16",
    ),
    Kind("queries of a decoder", Queries, GREY, "yes"),
    Kind("queries of a decoder, time first", lambda: Queries(False), GREY, "yes"),
    Kind("signals as pictures one pixel high", Line, Input(1, (1, 64)), "yes"),
    Kind("volumes inside", Slices, RGB, "yes, and says so", r"'conv3d'; .*volumes or films"),
    Kind("volumes", lambda: nn.Conv3d(1, 4, 3), GREY, "refused", r"Conv3d, which wants volumes"),
    Kind(
        "signals",
        lambda: nn.Conv1d(1, 4, 3),
        GREY,
        "refused",
        r"Conv1d, which wants signals.*squeeze\(2\)",
    ),
    Kind("two inputs", Two, GREY, "refused", r"takes 2 inputs \(left, right\).*Wrap it"),
    Kind("a list of pictures", Listed, GREY, "refused", r"takes a list of pictures.*list\(x\)"),
    Kind(
        "other channels",
        lambda: Head(nn.Conv2d(3, 6, 3)),
        GREY,
        "refused",
        r"first convolution takes 3.*--input 3x16x16",
    ),
    Kind(
        "a module run by .forward()",
        lambda: Forward(by_forward, inner=nn.ReLU()),
        GREY,
        "yes, and says so",
        r"'inner'; ReLU 'inner' is run by calling its \.forward\(\)",
    ),
    Kind(
        "a module that nothing runs",
        lambda: Forward(lambda m, x: m.fc(m.conv(x).mean((2, 3))), inner=nn.ReLU()),
        GREY,
        "yes, and says so",
        r"'inner' is there, and nothing runs it",
    ),
    Kind(
        "circular padding",
        lambda: Head(nn.Conv2d(1, 6, 5, padding=2, padding_mode="circular")),
        GREY,
        "yes",
    ),
    Kind(
        "reflecting padding",
        lambda: Head(nn.Conv2d(1, 6, 5, padding=2, padding_mode="reflect")),
        GREY,
        "yes",
    ),
    Kind("max-unpooling", Unpool, GREY, "yes, and says so", r"at least \d+ x \d+"),
    Kind("an infinite attention mask", Masked, GREY, "yes"),
    Kind(
        "a buffer with NaN",
        lambda: Masked(torch.nan),
        GREY,
        "refused",
        r"NaN or infinite weights in mask",
    ),
    Kind(
        "a mask that makes all infinite",
        lambda: Forward(
            lambda m, x: m.fc(m.conv(x).mean((2, 3))) + m.far.offset, far=Offset(torch.inf)
        ),
        GREY,
        "refused",
        r"buffers far\.offset .*are infinite, and so is",
    ),
    Kind("weights with NaN", diverged, GREY, "refused", r"NaN or infinite weights in fc\.weight"),
    Kind("extra state", extra, GREY, "yes"),
    Kind(
        "dynamic quantisation",
        quantised,
        GREY,
        "yes, and says so",
        r"'fc' .*a little .*shown one by one",
    ),
    Kind(
        "TorchScript, scripted",
        compiled,
        GREY,
        "refused",
        r"compiled \(TorchScript\).*load_state_dict",
    ),
    Kind(
        "TorchScript, traced", traced, GREY, "refused", r"compiled \(TorchScript\).*load_state_dict"
    ),
    Kind(
        "TorchScript, wrapped",
        lambda: nn.Sequential(compiled(), nn.Flatten(), nn.Linear(6 * 14 * 14, 3)),
        GREY,
        "yes, and says so",
        r"'0' is compiled",
    ),
    Kind(
        "inference mode", inference, GREY, "refused", r"made under torch\.inference_mode.*deepcopy"
    ),
    Kind(
        "lazy layers",
        lambda: Head(nn.LazyConv2d(6, 3)),
        GREY,
        "refused",
        r"not drawn yet.*Run it once",
    ),
    Kind("the meta device", meta, GREY, "refused", r"on the meta device.*to_empty"),
    Kind(
        "nothing that can be recorded",
        lambda: nn.Flatten(0),
        GREY,
        "refused",
        r"no layer that can be recorded",
    ),
]
