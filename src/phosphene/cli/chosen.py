"""Classes that are named on the command line, as choices of units."""

from collections.abc import Sequence

from phosphene.network import Network
from phosphene.spellings import class_numbers


def of_classes(network: Network, names: Sequence[str] | None) -> list[str]:
    """The units of the classes that are named; each text may hold several, separated by commas.

    A text that is all of a class's own name counts as that, commas and all.

    Raises:
        ObjectiveError: no class has that name.
        NetworkError: the network has no classes.
    """
    if not names:
        return []
    known = network.classes
    found = dict.fromkeys(number for text in names for number in class_numbers(text, known))
    return [f"{network.logits.name}:{number}" for number in found]
