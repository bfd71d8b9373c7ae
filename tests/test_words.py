"""One format for numbers: whatever people read is written by `phosphene.words`."""

import ast
import re
from pathlib import Path

import pytest

import phosphene
from phosphene.words import percent, short_of

SOURCE = Path(phosphene.__file__).parent
ROUNDED = re.compile(r"(\{[^{}\s]*:[^{}\s]*|%[-+ #0-9.]*)[eEfFgG%]\b|\{[^{}\s]*:[^{}\s]*%\}")


def rounding(code: str) -> list[str]:
    """The formats in a module that round a number in a way of their own."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = ast.unparse(node.format_spec).strip("f'\"")
            found += [spec] if spec[-1] in "eEfFgGn%" else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [match[0] for match in ROUNDED.finditer(node.value)]
    return found


@pytest.mark.later
def test_numbers_are_rounded_in_one_place() -> None:
    formats = {path: rounding(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    assert [path for path, found in formats.items() if found] == [SOURCE / "words.py"]


def test_formats_are_found_however_they_are_written() -> None:
    assert rounding('f"{a:.2%} {b:+.3g} {c:>8}"') == [".2%", "+.3g"]
    assert rounding('"{:.1f}".format(a)') == ["{:.1f"]
    assert rounding('"%.2f" % a') == ["%.2f"]
    assert not rounding('f"{a:,} {b}: 50 % of {c!r}"')


@pytest.mark.parametrize("limit", [0.5, 0.9, 0.99, 0.999])
def test_a_share_below_a_limit_is_never_told_as_the_limit(limit: float) -> None:
    for digits in range(1, 12):
        share = limit - 10.0**-digits
        assert short_of(limit, share) != percent(limit)
