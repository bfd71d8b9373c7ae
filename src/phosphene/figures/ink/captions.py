"""The words under pictures, the same on the page and in figures."""

from phosphene.words import NO_BREAK, number, percent


def points(lost: float) -> str:
    """Accuracy lost, in percentage points of all pictures.

    >>> points(0.0125), points(-0.5)
    ('1.25 points', '−50 points')
    """
    return f"{number(100 * lost)} points"


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
    if strongest_real is None or strongest_real <= 0:
        return "", ""
    share = activation / strongest_real
    if share >= 1.995:
        times = f"{number(share)}{NO_BREAK}×"
        return times, f"{times} the strongest real image’s"
    return percent(share), f"{percent(share)} of the strongest real image’s"
