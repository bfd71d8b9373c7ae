"""Files of class names: text, and what is none."""

from pathlib import Path

import pytest

from phosphene.cli import options
from phosphene.data import names
from phosphene.errors import DataError


def test_names_stand_one_on_a_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("\ufeffcat\r\n\n  dög \n".encode())
    assert options.labels(str(path)) == ("cat", "dög")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"cat\ncaf\xe9\n", "no text in UTF-8: line 2 has byte 0xe9"),
        ("cat".encode("utf-16"), "no text in UTF-8: line 1 has byte 0xff"),
        (b"cat\0dog", "zero bytes"),
        (b"x" * 101, "more than 100 bytes"),
    ],
)
def test_what_is_no_list_of_names_is_told(
    tmp_path: Path, content: bytes, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "MOST_BYTES", 100)
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        options.labels(str(path))


def test_a_list_may_be_longer_than_the_name_of_a_file() -> None:
    many = [f"class {i}" for i in range(1000)]
    assert options.labels(",".join(many)) == tuple(many)
