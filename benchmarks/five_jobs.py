"""Five everyday jobs in lines of code: ours, and as Captum, Lucent or plain PyTorch have it.

    PYTHONPATH=src .venv-zoo/bin/python benchmarks/five_jobs.py PHOTOGRAPHS WEIGHTS [docs/beside.md]

Each job stands twice, as a person would write it who knows the tool. Both are run on torchvision's
SqueezeNet 1.1 and must come to the same: see `JOBS`. Lines are those of code, without imports,
signature, docstring and comments; what only loads the network counts once for each (`prepare`).
"""

import ast
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

FEW = 120
"""Photographs that are looked through for the strongest patches."""


class Ours:
    """With phosphene."""

    @staticmethod
    def prepare(weights: str) -> Any:
        from phosphene import load_network

        network = load_network("torchvision:squeezenet1_1", weights)
        return network

    @staticmethod
    def picture_of_a_class(network: Any) -> Any:
        from phosphene import draw

        return draw(network, "zebra")[0].picture

    @staticmethod
    def map_on_a_photograph(network: Any, photograph: str) -> Any:
        from phosphene import guided

        return guided(network, photograph, "Egyptian cat")

    @staticmethod
    def top_patches(network: Any, photographs: str) -> Any:
        from phosphene import look

        return look(network, "features.6:7", photographs)

    @staticmethod
    def two_units_compared(network: Any, photographs: str) -> Any:
        from phosphene import look

        return look(network, ["features.6:7", "features.6:9"], photographs)

    @staticmethod
    def fooled(network: Any, photograph: str) -> Any:
        from phosphene.probes import fool

        return fool(network, "zebra", photograph).frames[-1]


class Theirs:
    """With Lucent (pictures), Captum (maps, fooling), and PyTorch alone where neither does it."""

    @staticmethod
    def prepare(weights: str) -> Any:
        from safetensors.torch import load_file
        from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

        model = squeezenet1_1().eval()
        model.load_state_dict(load_file(weights))
        preprocess = SqueezeNet1_1_Weights.DEFAULT.transforms()
        return model, preprocess

    @staticmethod
    def picture_of_a_class(model: Any) -> Any:
        from lucent.optvis import render

        return render.render_vis(model, "labels:340", show_image=False, progress=False)[0]

    @staticmethod
    def map_on_a_photograph(model: Any, preprocess: Any, photograph: str) -> Any:
        from captum.attr import GuidedBackprop
        from PIL import Image

        picture = preprocess(Image.open(photograph).convert("RGB"))[None]
        return GuidedBackprop(model).attribute(picture, target=285)

    @staticmethod
    def top_patches(model: Any, preprocess: Any, photographs: str, unit: int = 7) -> Any:
        import torch
        from lucent.optvis import render
        from PIL import Image

        best, seen = [], {}
        handle = model.features[6].register_forward_hook(
            lambda module, inputs, output: seen.update(values=output)
        )
        for path in Path(photographs).iterdir():
            picture = preprocess(Image.open(path).convert("RGB"))[None]
            with torch.no_grad():
                model(picture)
            value, place = seen["values"][0, unit].flatten().max(0)
            best.append((float(value), path.name, int(place), picture))
        patches = []
        for value, name, place, picture in sorted(best, key=lambda row: -row[0])[:6]:
            model(picture.requires_grad_())
            seen["values"][0, unit].flatten()[place].backward()
            rows, columns = picture.grad[0].abs().sum(0).nonzero(as_tuple=True)
            top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
            patch = picture.detach()[0, :, top : bottom + 1, left : right + 1]
            patches.append((value, name, patch, picture.grad))
        handle.remove()
        drawn = render.render_vis(model, f"features_6:{unit}", show_image=False, progress=False)
        return drawn[0], patches

    @staticmethod
    def two_units_compared(model: Any, preprocess: Any, photographs: str) -> Any:
        return [Theirs.top_patches(model, preprocess, photographs, unit) for unit in (7, 9)]

    @staticmethod
    def fooled(model: Any, preprocess: Any, photograph: str) -> Any:
        import torch
        from captum.robust import PGD
        from PIL import Image

        picture = preprocess(Image.open(photograph).convert("RGB"))[None]
        mean, std = torch.tensor([preprocess.mean, preprocess.std]).view(2, 1, 3, 1, 1)
        attack = PGD(model, lower_bound=-mean / std, upper_bound=(1 - mean) / std)
        target = torch.tensor([340])
        return attack.perturb(picture, 0.1, 0.02, 20, target, targeted=True)


class Job(NamedTuple):
    """A job, what it gives the two functions beside the network, and what must be the same."""

    name: str
    needs: str
    same: str
    agree: Callable[[Any, Any, Any, Any], bool]


def _zebra(network: Any, model: Any, ours: Any, theirs: Any) -> bool:
    import torch

    picture = torch.from_numpy(theirs[0]).permute(2, 0, 1)[None].clamp(0, 1)
    shown = torch.nn.functional.interpolate(picture, network.input.size, mode="bilinear")
    read = [int(network.class_scores(each).argmax()) for each in (ours[None], shown)]
    return read == [340, 340]


def _alike(network: Any, model: Any, ours: Any, theirs: Any) -> bool:
    import torch

    std = torch.tensor(network.input.std).view(-1, 1, 1)
    return torch.allclose(ours * std, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def _patches(network: Any, model: Any, ours: Any, theirs: Any) -> bool:
    import torch

    values = torch.tensor([seen.value for seen in ours.seen[0]])
    return torch.allclose(values, torch.tensor([row[0] for row in theirs[1]]), rtol=1e-3)


def _both(network: Any, model: Any, ours: Any, theirs: Any) -> bool:
    import torch

    return all(
        torch.allclose(
            torch.tensor([one.value for one in seen]),
            torch.tensor([row[0] for row in other[1]]),
            rtol=1e-3,
        )
        for seen, other in zip(ours.seen, theirs, strict=True)
    )


def _fooled(network: Any, model: Any, ours: Any, theirs: Any) -> bool:
    read = int(network.class_scores(ours).argmax()), int(model(theirs).argmax())
    return read == (340, 340)


JOBS = {
    "picture_of_a_class": Job(
        "a picture of a class", "", "the network reads a zebra in both", _zebra
    ),
    "map_on_a_photograph": Job("a map on a photograph", "photograph", "the maps are equal", _alike),
    "top_patches": Job(
        "a unit: its picture, strongest patches, maps of these",
        "photographs",
        "the same six responses",
        _patches,
    ),
    "two_units_compared": Job(
        "two units compared (theirs by the function above)",
        "photographs",
        "the same responses",
        _both,
    ),
    "fooled": Job("a photograph made a zebra", "photograph", "both are read as one", _fooled),
}


def code_of(function: Callable[..., Any]) -> str:
    """What a person would write: imports and body, without signature and what is given back."""
    source = inspect.cleandoc("\n" + inspect.getsource(function))
    (tree,) = ast.parse(source).body
    assert isinstance(tree, ast.FunctionDef)
    lines = source.split("\n")[tree.body[0].lineno - 1 :]
    code, _, given_back = inspect.cleandoc("\n" + "\n".join(lines)).rpartition("return ")
    named = all(name.strip().isidentifier() for name in given_back.split(","))
    return code.rstrip() if named else code + given_back


def lines_of(code: str) -> int:
    """Lines of code, imports apart."""
    rows = [row for row in code.split("\n") if row.strip()]
    return sum(not row.startswith(("import ", "from ")) for row in rows)


def page(rows: list[tuple[str, int, int, str]]) -> str:
    """The documentation page: the table, and the code of both sides."""
    text = [
        "# Five jobs in lines of code",
        "",
        "The same jobs with phosphene and as Captum 0.9, Lucent 0.1.8 or, where neither does it, "
        "PyTorch alone have it,\non torchvision's SqueezeNet 1.1. "
        "`benchmarks/five_jobs.py` runs both, checks that they come to the same, and writes\n"
        "this page. Lines are those of code, without imports.",
        "",
        "| job | phosphene | others | checked |",
        "|---|---|---|---|",
        *(f"| {name} | {ours} | {theirs} | {same} |" for name, ours, theirs, same in rows),
    ]
    for key, name in (("prepare", "the network"), *((key, job.name) for key, job in JOBS.items())):
        text += ["", f"## {name[0].upper()}{name[1:]}", ""]
        for whose, side in (("phosphene", Ours), ("others", Theirs)):
            text += [f"*{whose}*", "", "```py", code_of(getattr(side, key)), "```", ""]
        text.pop()
    return "\n".join(text) + "\n"


def main(photographs: str, weights: str, out: str | None = None) -> None:
    """Run all jobs both ways and print, or write, the page."""
    network, (model, preprocess) = Ours.prepare(weights), Theirs.prepare(weights)
    photograph = next(str(p) for p in Path(photographs).iterdir() if "Egyptian_cat" in p.name)
    rows = [("load the network", *_lines("prepare"), "")]
    with TemporaryDirectory() as few:
        for path in sorted(Path(photographs).glob("*.JPEG"))[:FEW]:
            Path(few, path.name).symlink_to(path)
        for key, job in JOBS.items():
            given = {"": [], "photograph": [photograph], "photographs": [few]}[job.needs]
            ours = getattr(Ours, key)(network, *given)
            theirs = getattr(Theirs, key)(model, *([preprocess, *given] if given else []))
            same = job.agree(network, model, ours, theirs)
            rows.append((job.name, *_lines(key), job.same if same else f"NOT: {job.same}"))
            print(rows[-1], flush=True)
    if out:
        Path(out).write_text(page(rows), encoding="utf-8")


def _lines(key: str) -> tuple[int, int]:
    ours, theirs = (lines_of(code_of(getattr(side, key))) for side in (Ours, Theirs))
    return ours, theirs


if __name__ == "__main__":
    main(*sys.argv[1:])
