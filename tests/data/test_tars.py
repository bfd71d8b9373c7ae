"""Tar files as WebDataset packs them: samples, labels, and files that are none or not whole."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

import packed
from phosphene.data import Unreadable, batches, load_data
from phosphene.data import tars as module
from phosphene.data.remote import braced
from phosphene.data.stored import Stored
from phosphene.data.tars import TarShards
from phosphene.errors import DataError

FILES = packed.contents(9)


def write(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            packed.add(tar, name, content)
    return path


def made(spec: object) -> TarShards:
    data = load_data(str(spec), channels=3, size=(8, 8))
    assert isinstance(data, TarShards)
    return data


def test_members_of_a_sample_are_called_alike_up_to_the_first_dot(tmp_path: Path) -> None:
    image = FILES[0]
    path = write(
        tmp_path / "a.tar",
        ("x/1.json", b'{"cls": 3, "text": "no"}'),
        ("x/1.thumb.PNG", image),
        ("x/1.seg.png", b"another"),
        ("y/1.png", image),  # called alike but for the folder
        ("y/1.txt", b"a caption"),
        ("2.cls", b" 5 "),
        ("2.json", b'{"cls": 3}'),
        ("2.png", image),
        ("3.cls", b"7"),  # no image
        ("4.npy", b""),
        ("._5.png", b"left by a Macintosh"),
        ("5.jpg", b""),
        ("6.png", image),
        ("6.json", b"{"),
        ("7.png", image),
        ("7.cls", b"-1"),
    )
    data = made(path)
    assert data.labels == [3, None, 5, None, None, None]
    assert data.classes == ()
    assert [data.called(i).removeprefix(f"{path}/") for i in range(3)] == [
        "x/1.thumb.PNG",
        "y/1.png",
        "2.png",
    ]
    assert [data.file(i) for i in range(3)] == ["x/1.thumb.PNG", "y/1.png", "2.png"]
    assert data.passed_over == "2 samples without an image passed over."
    assert isinstance(data[3], Unreadable)
    assert data[3].path == f"{path}/5.jpg"


def test_numbers_and_names(tmp_path: Path) -> None:
    members = [
        (f"{i}.{kind}", c)
        for i in range(4)
        for kind, c in (("png", FILES[0]), ("cls", b"%d" % (3 - i)))
    ]
    numbers = made(write(tmp_path / "a.tar", *members))
    assert (numbers.labels, numbers.classes) == ([3, 2, 1, 0], ())
    named = [(n, {b"3": b"owl", b"1": b"ape"}.get(c, c)) for n, c in members if n[0] in "02"]
    names = made(write(tmp_path / "b.tar", *named))
    assert (names.labels, names.classes) == ([1, 0], ("ape", "owl"))
    over_both = made(f"{tmp_path}/{{b,b}}.tar")
    assert over_both.labels == [1, 0, 1, 0]


def test_captions_are_no_classes(tmp_path: Path) -> None:
    told = [
        (f"{i}.{k}", c) for i in range(9) for k, c in (("png", FILES[0]), ("txt", b"one %d" % i))
    ]
    data = made(write(tmp_path / "a.tar", *told))
    assert (set(data.labels), data.classes) == ({None}, ())


@pytest.mark.parametrize("cut", [1, 600, 1100, 2500])
def test_a_file_that_is_cut_short_is_taken_as_far_as_it_goes(tmp_path: Path, cut: int) -> None:
    pattern = packed.as_tars(tmp_path, FILES, 5)
    whole = made(pattern)
    path = tmp_path / "001.tar"
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset_data + last.size - cut])
    data = made(pattern)
    kept = len(data) - 5
    assert 0 <= kept <= 4
    assert data.passed_over.startswith(f"001.tar is cut short after {kept} image")
    assert data.fingerprint() != whole.fingerprint()
    for index in set(range(len(data))) - {4}:
        assert torch.equal(data[index].picture, whole[index].picture)  # type: ignore[union-attr]


def test_garbage_in_the_middle_is_told(tmp_path: Path) -> None:
    pattern = packed.as_tars(tmp_path, FILES, 9)
    content = bytearray((tmp_path / "000.tar").read_bytes())
    with tarfile.open(tmp_path / "000.tar") as tar:
        header = tar.getmember("00006.png").offset
    content[header : header + 512] = b"\xaa" * 512
    (tmp_path / "000.tar").write_bytes(content)
    data = made(tmp_path / "000.tar")
    assert len(data) == 6
    assert "000.tar is cut short after 6 images" in data.passed_over
    assert pattern


def test_what_is_no_tar_file(tmp_path: Path) -> None:
    packed.as_tars(tmp_path, FILES, 9)
    packing = gzip.compress((tmp_path / "000.tar").read_bytes())
    (tmp_path / "b.tar").write_bytes(packing)
    (tmp_path / "c.tar").write_bytes(b"nothing" * 200)
    (tmp_path / "d.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"b\.tar is compressed.*unpack it with gunzip"):
        made(tmp_path / "b.tar")
    for name in ("c.tar", "d.tar"):
        with pytest.raises(DataError, match=rf"{name} is no tar file"):
            made(tmp_path / name)
    with pytest.raises(DataError, match=r"there is no .*001\.tar"):
        made(f"{tmp_path}/{{000..001}}.tar")
    with pytest.raises(DataError, match=r"no file fits .*e\*\.tar; nearest: .\.tar"):
        made(f"{tmp_path}/e*.tar")
    empty = write(tmp_path / "f.tar", ("a.cls", b"1"))
    with pytest.raises(DataError, match=r"no image in 1 file .*expected members such as 0001\.jpg"):
        made(empty)


def test_what_a_file_holds_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    look_up = module.look_up

    def counted(piece):
        looked.append(piece.name)
        return look_up(piece)

    monkeypatch.setattr(module, "look_up", counted)
    pattern = packed.as_tars(tmp_path / "a", FILES, 3)
    first = made(pattern)
    assert looked == ["000.tar", "001.tar", "002.tar"]
    before = [first[i].picture for i in (0, 3)]  # type: ignore[union-attr]
    again = made(pattern)
    assert len(looked) == 3
    assert again.fingerprint() == first.fingerprint()
    assert again.labels == first.labels
    packed.as_tars(tmp_path / "b", packed.contents(9, seed=1), 3)
    (tmp_path / "b" / "001.tar").replace(tmp_path / "a" / "001.tar")
    other = made(pattern)
    assert looked[3:] == ["001.tar"]
    assert torch.equal(other[0].picture, before[0])  # type: ignore[union-attr]
    assert not torch.equal(other[3].picture, before[1])  # type: ignore[union-attr]


def test_what_is_kept_and_damaged_is_made_again(tmp_path: Path, state: Path) -> None:
    pattern = packed.as_tars(tmp_path, FILES, 9)
    first = made(pattern)
    for path in (state / "phosphene" / "data").iterdir():
        content = bytearray(path.read_bytes())
        content[-3] ^= 1
        path.write_bytes(content)
    assert made(pattern).fingerprint() == first.fingerprint()


def test_a_file_that_changed_since_is_told_of(tmp_path: Path) -> None:
    data = made(packed.as_tars(tmp_path, FILES, 9))
    with (tmp_path / "000.tar").open("r+b") as file:
        file.truncate(1024)
    with pytest.raises(DataError, match=r"000\.tar is shorter than when it was looked through"):
        data[8]
    (tmp_path / "000.tar").unlink()
    with pytest.raises(DataError, match=r"there is no .*000\.tar"):
        list(batches(data, 4))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read(tmp_path: Path, form: int) -> None:
    long = "/".join(["folder"] * 30) + "/käfer.png"
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
        for name in (long[-90:] if form == tarfile.USTAR_FORMAT else long, "b.png"):
            packed.add(tar, name, FILES[0])
            tar.add(tmp_path, "a folder", recursive=False)
    data = made(tmp_path / "a.tar")
    assert data.called(0).endswith("folder/käfer.png")
    assert torch.equal(data[0].picture, data[1].picture)  # type: ignore[union-attr]


WEBDATASET = """
import json, sys, webdataset
found = []
for sample in webdataset.WebDataset(sys.argv[1], shardshuffle=False):
    image = sample.get("png") or sample.get("jpg") or sample["webp"]
    found.append([sample["__key__"], image.hex(), sample["cls"].decode()])
print(json.dumps(found))
"""


def test_samples_are_those_of_webdataset(tmp_path: Path) -> None:
    pytest.importorskip("webdataset", reason="the reference of tar files of samples")
    files = packed.contents(12)
    pattern = packed.as_tars(tmp_path, files, 5)
    run = [sys.executable, "-c", WEBDATASET, pattern]
    told = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    data = made(pattern)
    found = []
    for index, label in enumerate(data.labels):
        (file,) = data._files([index])
        assert isinstance(file, io.BytesIO)
        key = data.called(index).rpartition("/")[2].partition(".")[0]
        found.append([key, file.getvalue().hex(), data.classes[label or 0]])
    assert found == json.loads(told)
    assert braced(pattern) == list(pytest.importorskip("braceexpand").braceexpand(pattern))


def test_a_folder_of_tar_files_is_known_by_what_it_holds(tmp_path: Path) -> None:
    packed.as_tars(tmp_path / "shards", FILES, 4)
    data = made(tmp_path / "shards")
    assert (len(data), data.name) == (9, "shards")
    assert data.note == "9 images in 3 tar files, resized and centre-cropped to 8x8"
    folder = packed.as_folder(tmp_path / "images", FILES)
    (folder / "backup.tar").write_bytes(b"")  # beside what is meant
    images = load_data(str(folder), channels=3, size=(8, 8))
    assert isinstance(images, Stored)
    assert images.passed_over == "1 file was passed over: 1 .tar."
