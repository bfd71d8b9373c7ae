"""Classes that are named on the command line, as choices of units."""

from collections.abc import Sequence

from phosphene.network import Network
from phosphene.spellings import class_number


def of_classes(network: Network, names: Sequence[str] | None) -> list[str]:
    """The units of the classes that are named; each text may hold several, separated by commas.

    A text that is a class's own name counts as that, commas and all.

    Raises:
        ObjectiveError: no class has that name.
        NetworkError: the network has no classes.
    """
    known = network.classes if names else ()
    parts = [
        part.strip()
        for name in names or ()
        for part in ([name] if name in known else name.split(","))
    ]
    return [f"{network.logits.name}:{class_number(part, known)}" for part in parts]
