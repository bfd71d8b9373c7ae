"""Numbers, shares, counts and names as words, the same wherever something is told."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

NO_BREAK = "\u00a0"


def number(value: int | float) -> str:
    """Three significant digits, no exponent until one is needed, a true minus sign.

    >>> number(0.12345), number(1234.5), number(-2), number(3.2e-7)
    ('0.123', '1,234', '−2', '3.2e−07')
    """
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", "−")


def literal(value: int | float) -> str:
    """A number as it is typed in a command, a formula or a setting.

    >>> literal(2.0), literal(-0.05), literal(128)
    ('2', '-0.05', '128')
    """
    return f"{value:g}"


def rounded(value: int | float) -> float:
    """A number with the three digits that `number` tells, for whoever writes it elsewhere.

    >>> rounded(0.12345)
    0.123
    """
    return float(f"{value:.3g}")


def signed(value: int | float) -> str:
    """A number with its sign, where values go both ways.

    >>> signed(0.25), signed(-2), signed(0)
    ('+0.25', '−2', '0')
    """
    return f"{'+' if value > 0 else ''}{number(value)}"


def percent(share: int | float, places: int | None = None) -> str:
    """A share as a percentage that never rounds something to nothing or nearly all to all.

    It has `places` digits after the point, for shares that are compared; by default as many as
    tell most. Its spaces do not break, so that a number never parts from its sign at a line's end.

    >>> percent(0.4321).split(), percent(0.0123).split(), percent(1).split()
    (['43', '%'], ['1.2', '%'], ['100', '%'])
    >>> percent(0.0001).split(), percent(0.99999).split()
    (['<', '0.1', '%'], ['>', '99.9', '%'])
    >>> percent(0.8611, 2).split(), percent(1, 2).split()
    (['86.11', '%'], ['100', '%'])
    """
    value, least = 100 * share, 10.0 ** -(1 if places is None else places)
    if 0 < value < least:
        text = f"< {least:g}"
    elif 100 - least < value < 100:
        text = f"> {100 - least:g}"
    else:
        fine = 1 if 0 < value < 10 or 90 < value < 100 else 0
        digits = fine if places is None or value in {0, 100} else places
        text = f"{value:,.{digits}f}".removesuffix(".0").replace("-", "−")
    return f"{text} %".replace(" ", NO_BREAK)


def short_of(limit: float, share: float) -> str:
    """A share that does not reach `limit`, as a percentage with the digits that show it.

    >>> short_of(0.9, 0.42).split(), short_of(0.9, 0.8996).split(), short_of(0.9, 0.899999).split()
    (['42', '%'], ['89.96', '%'], ['<', '90', '%'])
    """
    for places in (None, 1, 2):
        told = percent(share, places)
        if told != percent(limit, places):
            return told
    return f"<{NO_BREAK}{percent(limit)}"


def scaled(count: int) -> str:
    """A large count as people say it, to three figures.

    >>> [scaled(count).split() for count in (0, 640, 45_352, 1_814_073_344)]
    [['0'], ['640'], ['45.4', 'k'], ['1.81', 'G']]
    """
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{NO_BREAK}{letter}"
    return str(count)


def duration(seconds: float, units: int = 2) -> str:
    """A time as people say it, in two units at most, or one.

    >>> [" ".join(duration(s).split()) for s in (0.42, 8.4, 95, 4000, 200_000)]
    ['0.4 s', '8 s', '1 min 35 s', '1 h 7 min', '2 d 8 h']
    >>> [" ".join(duration(s, 1).split()) for s in (95, 4000)]
    ['1.6 min', '1.1 h']
    """
    if seconds < 1:
        return f"{seconds:.1f}{NO_BREAK}s"
    sizes = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    at = next(i for i, (size, _) in enumerate(sizes) if seconds >= size)
    (size, unit), *finer = sizes[at : at + 2]
    if finer and units == 1:
        return f"{seconds / size:.1f}{NO_BREAK}{unit}"
    if not finer:
        return f"{seconds:.0f}{NO_BREAK}{unit}"
    fine, name = finer[0]
    whole, rest = divmod(round(seconds / fine), size // fine)
    told = f"{whole} {unit}" + f" {rest} {name}" * bool(rest)
    return told.replace(" ", NO_BREAK)


def file_size(count: float) -> str:
    """Bytes as people say them, to three figures.

    >>> [file_size(count).split() for count in (640, 23_456, 281e6, 1.2e9)]
    [['640', 'B'], ['23.5', 'kB'], ['281', 'MB'], ['1.2', 'GB']]
    """
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g}{NO_BREAK}{unit}"
    return f"{count:.0f}{NO_BREAK}B"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "image"), plural(1797, "image"), plural(2, "class", "classes")
    ('1 image', '1,797 images', '2 classes')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def differences(
    given: Mapping[str, Any],
    found: Mapping[str, Any],
    where: str,
    hidden: Collection[str] = (),
) -> str:
    """Which settings differ from those found at `where`, and which are the same.

    Of the settings in `hidden` it is said that they differ, and not how.

    >>> differences({"steps": 128, "seed": 0}, {"steps": 256, "seed": 0}, "the atlas")
    'steps 128 where the atlas has 256; the same: seed'
    >>> differences({"decay": 0.5}, {}, "the file")
    'decay 0.5 where the file has none'
    """
    names = list(dict.fromkeys([*given, *found]))
    other = [name for name in names if given.get(name) != found.get(name)]
    said = [
        f"another {name}"
        if name in hidden
        else f"{name} {_setting(given.get(name))} where {where} has {_setting(found.get(name))}"
        for name in other
    ]
    same = [name for name in names if name not in other]
    return ", ".join(said) + (f"; the same: {', '.join(same)}" if same else "")


def _setting(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_setting(v)}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def article(word: str) -> str:
    """A word with its indefinite article, as it is spoken where spelling tells it.

    >>> article("orange"), article("zebra"), article("8"), article("unicycle"), article("hourglass")
    ('an orange', 'a zebra', 'an 8', 'a unicycle', 'an hourglass')
    """
    spoken = word.lower().lstrip()
    vowel = spoken.startswith((*"aeiou8", "hour", "honest", "heir")) or spoken in {"11", "18"}
    consonant = spoken.startswith(("uni", "use", "usu", "eu", "ew", "one", "once", "ura", "uke"))
    return f"{'an' if vowel and not consonant else 'a'} {word}"


def class_name(labels: Sequence[str], index: int) -> str:
    """What people call class `index`; its number where no name is known.

    >>> class_name(["cat", "dog"], 1), class_name([], 7)
    ('dog', '7')
    """
    return labels[index] if index < len(labels) else str(index)


def first_name(names: str) -> str:
    """The first of several names of a class, as lists of classes have them.

    >>> first_name("tench, Tinca tinca"), first_name("class 7")
    ('tench', 'class 7')
    """
    return names.partition(", ")[0]


_NO_TEXT = re.compile("[\ud800-\udfff]")
_NO_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def encodable(text: str) -> str:
    r"""Text as any file takes it: bytes of a file's name that are no characters are written out.

    >>> encodable("caf\udce9")
    'caf\\xe9'
    """
    return _NO_TEXT.sub(lambda found: _written_out(found[0]), text)


def printable(text: object) -> str:
    r"""A name on one line, as any terminal takes it: what would steer one is written out.

    >>> printable("a\x1b[2Jb\n")
    'a\\x1b[2Jb\\x0a'
    """
    return _NO_LINE.sub(lambda found: _written_out(found[0]), encodable(str(text)))


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
