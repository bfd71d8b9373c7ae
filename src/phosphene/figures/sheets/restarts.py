"""What one unit is drawn as from many starts."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned
from phosphene.figures.ink.layout import gallery, titled
from phosphene.probes import Restarts
from phosphene.results import sheet
from phosphene.words import number, plural


@sheet.register
def restarts_sheet(restarts: Restarts) -> Image.Image:
    """The clear pictures of one unit in their groups, strongest first, each with its figures."""
    clear = restarts.clear()
    groups = int(restarts.clusters.max()) + 1
    paper = titled(str(restarts.unit), restarts.summary)
    for group in range(groups):
        members = (restarts.clusters == group).nonzero().flatten().tolist()
        shown = [i for i in members if clear[i]]
        paper.heading(
            f"Group {group}: {plural(len(members), 'picture')}, {len(shown) or 'none'} clear"
        )
        gallery(paper, [captioned(restarts.pictures[i], _figures(restarts, i)) for i in shown])
    return paper.image()


def _figures(restarts: Restarts, i: int) -> str:
    words = f"activation {number(float(restarts.activations[i]))}"
    if restarts.distances is None:
        return words
    return f"{words}, distance {number(float(restarts.distances[i]))}"
