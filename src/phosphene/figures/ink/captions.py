"""The words under pictures, the same on the page and in figures."""

from phosphene.words import NO_BREAK, number, percent


def points(lost: float) -> str:
    """Accuracy lost, in percentage points of all pictures.

    >>> points(0.0125), points(-0.5)
    ('1.25 points', '−50 points')
    """
    return f"{number(100 * lost)} points"


def ratio(activation: float, strongest_real: float | None) -> float | None:
    """An activation by that of the strongest real image; None where no real one makes it fire.

    >>> ratio(1.5, 2.0), ratio(1.0, 0.0)
    (0.75, None)
    """
    return None if strongest_real is None or strongest_real <= 0 else activation / strongest_real


def strength(activation: float, strongest_real: float | None) -> tuple[str, str]:
    """A synthetic picture's activation as a share of the strongest real image's: short, in words.

    Both are empty where there is nothing to compare with: no real image makes the unit fire.

    >>> [words.split(maxsplit=2) for words in strength(1.5, 2.0)]
    [['75', '%'], ['75', '%', 'of the strongest real image’s']]
    >>> [words.split(maxsplit=2) for words in strength(9.0, 2.0)]
    [['4.5', '×'], ['4.5', '×', 'the strongest real image’s']]
    >>> strength(1.0, 0.0)
    ('', '')
    """
    share = ratio(activation, strongest_real)
    if share is None:
        return "", ""
    if share >= 1.995:
        times = f"{number(share)}{NO_BREAK}×"
        return times, f"{times} the strongest real image’s"
    return percent(share), f"{percent(share)} of the strongest real image’s"
