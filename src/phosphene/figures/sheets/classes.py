"""The picture of each class."""

from PIL import Image

from phosphene.figures.ink.compositions import captioned, composed
from phosphene.probes import ClassModels
from phosphene.results import sheet
from phosphene.words import NO_BREAK, percent


@sheet.register
def classes_sheet(made: ClassModels) -> Image.Image:
    """Each class's picture with its rank, its probability and how well it stands small moves."""
    items = [
        captioned(
            picture,
            f"{name}: {_rank(rank)}, p{NO_BREAK}{percent(p)}; {percent(robust)} of moved copies",
        )
        for picture, name, rank, p, robust in zip(
            made.pictures,
            made.names,
            made.confirmed.ranks.tolist(),
            made.confirmed.probabilities.tolist(),
            made.confirmed.robust.tolist(),
            strict=True,
        )
    ]
    return composed("Class pictures", made.summary, items)


def _rank(rank: int) -> str:
    """As a place: first, or which.

    >>> _rank(1), _rank(12)
    ('read first', 'read 12th')
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    if rank == 1:
        return "read first"
    return f"read {rank}{'th' if rank % 100 in {11, 12, 13} else endings.get(rank % 10, 'th')}"
