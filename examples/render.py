"""Plays the walk-throughs cell by cell, as a notebook would, and writes them as Markdown pages.

    python examples/render.py docs/walkthroughs            # all of them, and an index
    python examples/render.py somewhere examples/5_likes_most.py
    python examples/render.py --notebooks examples         # as notebooks, not played
    python examples/render.py --tours FOLDER               # how each begins, for the page's tours

What a cell prints is taken for Markdown, and what its last line is worth is shown as a picture. A
cell's title is the picture's text for those who cannot see it. Cells with the tag `remove-input`
show what they print and not their code.
"""

import argparse
import ast
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
from PIL import Image

HERE = Path(__file__).parent
COLOURS = 256
WALKS = "walks.js"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
INDEX = """# Walk-throughs

Five articles, told again with phosphene in our own words, on our own networks, and a sixth story
that they leave open: what units are made of. Every picture, and every number but those quoted from
the articles, was computed by the script a page is linked to:
`make walkthroughs` makes them again, and `make notebooks` turns the scripts into notebooks.

"""


class Shown(NamedTuple):
    """A cell, what it printed, and the picture its last line gave, if it gave one."""

    cell: Any
    printed: str
    picture: Image.Image | None


def play(script: Path) -> Iterator[Shown]:
    """Run the cells of a script one after another in one namespace."""
    sys.path.insert(0, str(script.parent))
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    for cell in jupytext.read(script, fmt="py:percent").cells:
        printed, picture = io.StringIO(), None
        if cell.cell_type == "code":
            with redirect_stdout(printed):
                picture = _picture(_run(cell.source, namespace, script.name))
        yield Shown(cell, printed.getvalue().strip(), picture)


def _run(source: str, namespace: dict[str, Any], name: str) -> object:
    """What the last line of `source` is worth, None where it is a statement."""
    *body, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        exec(compile(source, name, "exec"), namespace)
        return None
    exec(compile(ast.Module(body, []), name, "exec"), namespace)
    return eval(compile(ast.Expression(last.value), name, "eval"), namespace)


def _picture(value: object) -> Image.Image | None:
    if isinstance(value, Image.Image):
        return value
    if not hasattr(value, "_repr_png_"):
        return None
    png, _ = value._repr_png_()
    return Image.open(io.BytesIO(png))


def render(script: Path, folder: Path) -> Path:
    """Play `script` and write its page and pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{script.stem}_*.png"):
        old.unlink()
    parts, count = [], 0
    for cell, printed, picture in play(script):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        if "remove-input" not in cell.metadata.get("tags", ()):
            parts.append(f"```python\n{cell.source}\n```")
        if printed:
            parts.append(_quoted(printed))
        if picture is not None:
            count += 1
            name = f"{script.stem}_{count:02d}.png"
            _save(picture, folder / name)
            text = cell.metadata.get("title", f"Figure {count}")
            parts.append(f'<img src="{name}" alt="{text}" width="{picture.width // 2}">')
    page = folder / f"{script.stem}.md"
    page.write_text("\n\n".join([*parts, _origin(script)]) + "\n", encoding="utf-8")
    return page


def _quoted(printed: str) -> str:
    """Set off from the prose; a list or a table needs no more than its own form."""
    if printed.startswith(("|", "- ")):
        return printed
    return "\n".join(f"> {line}".rstrip() for line in printed.splitlines())


def _save(picture: Image.Image, path: Path) -> None:
    """As a PNG of a palette, half as many bytes; shown at half its size it stays sharp."""
    few = picture.convert("RGB").quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    few.save(path, optimize=True)


def _origin(script: Path) -> str:
    return (
        f"---\nMade by [examples/{script.name}](../../examples/{script.name}) "
        "with `make walkthroughs`. [All walk-throughs](README.md)"
    )


def title(script: Path) -> str:
    """The first heading of a script."""
    found = re.search(r"^# # (.+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{script} has no title"
    return found[1]


def teaser(script: Path) -> str:
    """The paragraph under the first heading."""
    text = script.read_text(encoding="utf-8")
    found = re.search(r"^# # .+\n#\n((?:# .+\n)+)", text, re.MULTILINE)
    assert found, f"{script} has no paragraph under its title"
    return " ".join(line.removeprefix("# ") for line in found[1].splitlines())


def index(scripts: list[Path], folder: Path) -> None:
    """The list of all pages, with their first paragraphs."""
    entries = [f"- [{title(s)}]({s.stem}.md): {teaser(s)}" for s in scripts]
    (folder / "README.md").write_text(INDEX + "\n".join(entries) + "\n", encoding="utf-8")


def notebook(script: Path, folder: Path) -> Path:
    """Write `script` as a notebook that was not played yet."""
    cells = jupytext.read(script, fmt="py:percent")
    cells.metadata["kernelspec"] = KERNEL
    path = folder / f"{script.stem}.ipynb"
    jupytext.write(cells, path)
    return path


def tours(scripts: list[Path]) -> str:
    """The title and first paragraph of each walk-through, for the tours of the live page."""
    told = {s.stem: {"title": title(s).partition(" · ")[2], "told": teaser(s)} for s in scripts}
    said = "// How the walk-throughs begin; written by `make tours`.\n\nexport const walks = "
    return said + json.dumps(told, ensure_ascii=False, indent=2) + ";\n"


def main() -> None:
    """Render what the command line names, or everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("scripts", type=Path, nargs="*")
    parser.add_argument("--notebooks", action="store_true", help="write .ipynb files instead")
    parser.add_argument("--tours", action="store_true", help="write walks.js instead")
    asked = parser.parse_args()
    every = sorted(HERE.glob("[0-9]_*.py"))
    if asked.tours:
        (asked.folder / WALKS).write_text(tours(every), encoding="utf-8")
        return
    for script in asked.scripts or every:
        print((notebook if asked.notebooks else render)(script, asked.folder))
    if not asked.notebooks and not asked.scripts:
        index(every, asked.folder)


if __name__ == "__main__":
    main()
