"""Tables of images: which column holds what, and what is told of tables without."""

import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch

import packed
from phosphene.data import Unreadable, load_data
from phosphene.data.tables import Tables
from phosphene.errors import DataError

arrow = pytest.importorskip("pyarrow", reason="tables need pyarrow: phosphene[parquet]")
parquet = pytest.importorskip("pyarrow.parquet", reason="tables need pyarrow: phosphene[parquet]")

FILES = packed.contents(9)


def made(path: Path, columns: dict[str, Any], **how: Any) -> Tables:
    parquet.write_table(arrow.table(columns), path, **how)
    data = load_data(str(path), channels=3, size=(8, 8))
    assert isinstance(data, Tables)
    return data


def test_columns_without_an_account_of_them_go_by_their_kinds_and_names(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = made(
        path, {"mask": FILES[::-1], "Image": FILES, "n": [1.0] * 9, "cls": ["b", "a", None] * 3}
    )
    assert (data.columns.image, data.columns.label) == ("Image", "cls")
    assert (data.classes, data.labels) == (("a", "b"), [1, 0, None] * 3)
    alone = made(path, {"content": arrow.array(FILES, arrow.large_binary()), "label": [7] * 9})
    assert (alone.columns.image, alone.labels, alone.classes) == ("content", [7] * 9, ())
    bare = made(path, {"png": FILES})
    assert set(bare.labels) == {None}
    assert bare.called(3) == f"{path} row 3"


def test_a_row_without_an_image_is_unreadable_and_a_path_is_followed(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(FILES[0])
    rows = [
        {"bytes": FILES[0], "path": None},
        {"bytes": None, "path": str(tmp_path / "x.png")},
        {"bytes": None, "path": "gone.png"},
        None,
    ]
    data = made(tmp_path / "a.parquet", {"image": rows})
    assert torch.equal(data[0].picture, data[1].picture)  # type: ignore[union-attr]
    for index in (2, 3):
        missing = data[index]
        assert isinstance(missing, Unreadable)
        assert missing.reason == "the table holds no bytes of an image"


def test_tables_without_images_and_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column of images, only n \(int64\), s \(string\)"):
        made(tmp_path / "a.parquet", {"n": [1], "s": ["a"]})
    (tmp_path / "b.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"b\.parquet cannot be read: "):
        load_data(str(tmp_path / "b.parquet"), 3, (8, 8))
    (tmp_path / "c.arrow").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"c\.arrow is neither a Parquet file nor a stream"):
        load_data(str(tmp_path / "c.arrow"), 3, (8, 8))
    with pytest.raises(DataError, match="no image in 1 file"):
        made(tmp_path / "d.parquet", {"image": arrow.array([], arrow.binary())})
    folder = packed.as_saved(tmp_path / "saved", FILES, 4, 4)
    (folder / "state.json").unlink()
    with pytest.raises(DataError, match=r"saved has no state\.json"):
        load_data(str(folder), 3, (8, 8))


def test_splits_of_one_folder_and_of_saved_ones(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("test", 3)):
        packed.as_parquet(tmp_path / "a", FILES[:count], 3, 3)
        for path in (tmp_path / "a").glob("part-*"):
            path.rename(path.with_name(path.name.replace("part", split)))
        packed.as_saved(tmp_path / "b" / split, FILES[:count], 2, 2)
    (tmp_path / "b" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for folder in "ab":
        for split, count in (("train", 6), ("test", 3)):
            data = load_data(str(tmp_path / folder), 3, (8, 8), split)
            assert len(data) == count  # type: ignore[arg-type]
    with pytest.raises(DataError, match="tables of test, train but none for the split 'all'"):
        load_data(str(tmp_path / "a"), 3, (8, 8), "all")


def test_a_large_row_group_is_not_read_at_once(tmp_path: Path) -> None:
    large = [FILES[0] + bytes([i % 251]) * 100_000 for i in range(600)]
    data = made(tmp_path / "a.parquet", {"image": large}, compression="none", use_dictionary=False)
    before = arrow.total_allocated_bytes()
    tracemalloc.start()
    most = 0
    for index in (5, 200, 599, 3):
        assert not isinstance(data[index], Unreadable)
        most = max(most, arrow.total_allocated_bytes() - before)
    assert most < 30e6 < sum(map(len, large))
    tracemalloc.stop()


def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = packed.as_parquet(tmp_path / "a", FILES, 9, 9)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow; install it with .*phosphene\[parquet\]"):
        load_data(str(folder), 3, (8, 8))
