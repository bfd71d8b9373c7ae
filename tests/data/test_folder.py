"""Image files: decoding, the resize rule, class folders, and files that cannot be read."""

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.atlas import Atlas, Skipped
from phosphene.data import (
    Example,
    ImageFolder,
    Relabelled,
    Unreadable,
    batches,
    digits,
    file_name,
    item_name,
    read_image,
)
from phosphene.errors import DataError, UnreadableImageError


def save(path: Path, size: tuple[int, int] = (8, 8), colour: object = (200, 100, 0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def level(item: Example | Unreadable) -> int:
    assert isinstance(item, Example)
    return round(item.picture.mean().item() * 255)


def test_lossless_files_come_back_exactly(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    expected = torch.from_numpy(pixels).permute(2, 0, 1) / 255
    Image.fromarray(pixels[..., :3]).save(tmp_path / "colour.png")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    assert torch.equal(read_image(tmp_path / "colour.png", 3), expected[:3])
    assert torch.equal(read_image(tmp_path / "grey.png", 1), expected[:1])
    assert torch.equal(read_image(tmp_path / "grey.png", 3), expected[:1].expand(3, -1, -1))
    assert torch.equal(read_image(tmp_path / "clear.png", 4), expected)
    luma = torch.tensor([0.299, 0.587, 0.114])
    grey = torch.einsum("c,chw->hw", luma, expected[:3])
    assert (read_image(tmp_path / "colour.png", 1)[0] - grey).abs().max() < 1.01 / 255
    with pytest.raises(DataError, match=r"has 3 channels \(RGB\), not 4") as told:
        read_image(tmp_path / "colour.png", 4)
    assert not isinstance(told.value, UnreadableImageError)


def test_exif_orientation_turns_the_picture(tmp_path: Path) -> None:
    image = Image.new("L", (6, 4), 0)
    image.putpixel((5, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show rotated a quarter clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    upright = read_image(tmp_path / "turned.png", 1)
    assert tuple(upright.shape) == (1, 6, 4)
    assert upright[0].nonzero().tolist() == [[5, 3]]


@pytest.mark.parametrize("mode", ["P", "1", "LA", "CMYK", "I;16"])
def test_other_modes_can_be_grey_or_colour(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.tif"
    if mode == "I;16":
        Image.fromarray(np.full((4, 4), 65535, dtype=np.uint16)).save(path)
    else:
        Image.new("RGB", (4, 4), "white").convert(mode).save(path)
    for channels in (1, 3):
        picture = read_image(path, channels)
        assert tuple(picture.shape) == (channels, 4, 4)
        assert picture.min() > 0.98


@pytest.mark.parametrize("width", [56, 61, 300, 333])
@pytest.mark.parametrize("height", [56, 224, 256, 500])
@pytest.mark.parametrize("size", [(224, 224), (28, 28), (64, 48), (30, 90)])
def test_every_shape_of_file_covers_the_crop(
    tmp_path: Path, size: tuple[int, int], height: int, width: int
) -> None:
    path = save(tmp_path / "image.png", (width, height), "white")
    picture = read_image(path, 1, size)
    assert tuple(picture.shape) == (1, *size)
    assert picture.min() == 1  # no black border: the scaled picture covered the crop


def test_resize_rule_shows_as_much_as_it_says(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, 512))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "ramp.png")
    usual = read_image(tmp_path / "ramp.png", 1, (224, 224))  # 256 -> 256, then 16 off each side
    assert torch.equal(usual[0, :, 0] * 255, torch.arange(16.0, 240))
    whole = read_image(tmp_path / "ramp.png", 1, (224, 224), resize=224)
    assert whole.min() < 2 / 255
    assert whole.max() > 253 / 255
    tiny = read_image(tmp_path / "ramp.png", 1, (32, 32))  # below 64 pixels nothing is cut off
    torch.testing.assert_close(
        tiny[0, 1:-1, 5] * 255, torch.arange(11.5, 250, 8)[:30], rtol=0, atol=1
    )
    with pytest.raises(DataError, match="resize 100 is smaller than the crop 224 x 224"):
        read_image(tmp_path / "ramp.png", 1, (224, 224), resize=100)


def test_unreadable_files_name_themselves_and_the_reason(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jpg"
    Image.effect_noise((64, 64), 90).save(cut)
    cut.write_bytes(cut.read_bytes()[:-300])
    text = tmp_path / "text.jpg"
    text.write_text("no image")
    with pytest.raises(UnreadableImageError, match=f"cannot read {cut}: .*truncated"):
        read_image(cut, 3)
    with pytest.raises(UnreadableImageError, match=f"cannot read {text}: .*not in an image format"):
        read_image(text, 3)
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_image(tmp_path / "absent.jpg", 3)


def test_folder_per_class(tmp_path: Path) -> None:
    save(tmp_path / "zebra" / "b.PNG", colour=(10, 10, 10))
    save(tmp_path / "zebra" / "a.png", colour=(20, 20, 20))
    save(tmp_path / "ant" / "deep" / "er" / "c.Bmp", colour=(30, 30, 30))
    save(tmp_path / ".cache" / "d.png")
    save(tmp_path / "ant" / "._e.png")
    (tmp_path / "ant" / "notes.txt").write_text("about ants")
    (tmp_path / "moth").mkdir()
    data = ImageFolder(tmp_path, channels=1, size=(4, 4))
    assert data.classes == ("ant", "moth", "zebra")
    assert [path.name for path in data.paths] == ["c.Bmp", "a.png", "b.PNG"]
    assert [level(data[i]) for i in range(3)] == [30, 20, 10]
    names = ["ant/deep/er/c.Bmp", "zebra/a.png", "zebra/b.PNG"]
    assert [file_name(data, i) for i in range(3)] == names
    assert [file_name(Relabelled(data, (5, 4, 3), ("x",)), i) for i in range(3)] == names
    assert [item_name(data, i) for i in range(3)] == [str(tmp_path / name) for name in names]
    assert file_name(digits("test"), 0) is None
    assert data.labels == [0, 2, 2]
    assert data.name == tmp_path.name
    assert "3 image files" in data.note


def test_flat_folder_and_labels_by_file_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.png"):
        save(tmp_path / name)
    bare = ImageFolder(tmp_path, channels=3, size=(4, 4))
    assert bare.classes == ()
    assert bare.labels == [None, None, None]
    named = ImageFolder(tmp_path, channels=3, size=(4, 4), labels={"a.png": 7, "c.png": 2})
    (batch,) = batches(named)
    assert batch.labels.tolist() == [7, -1, 2]
    with pytest.raises(DataError, match=r"labels names none .*'a.png'"):
        ImageFolder(tmp_path, channels=3, size=(4, 4), labels={"a": 7})


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*absent"):
        ImageFolder(tmp_path / "absent", channels=3, size=(4, 4))
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(DataError, match=r"no image in .*\.jpeg"):
        ImageFolder(tmp_path, channels=3, size=(4, 4))
    save(tmp_path / "ant" / "a.png")
    save(tmp_path / "loose.png")
    with pytest.raises(DataError, match=r"images both in .*loose.png.* and below it \(in ant\)"):
        ImageFolder(tmp_path, channels=3, size=(4, 4))


def test_fingerprint_follows_files_and_reading(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name / "1.png")

    def made(channels: int = 3, size: int = 4, resize: int | None = None) -> str:
        return ImageFolder(tmp_path, channels, (size, size), resize).fingerprint()

    first = made()
    assert made() == first
    assert len({first, made(channels=1), made(size=5), made(resize=6)}) == 4
    save(tmp_path / "b" / "1.png", size=(9, 9))
    second = made()
    (tmp_path / "b" / "1.png").rename(tmp_path / "b" / "2.png")
    assert len({first, second, made()}) == 3


@pytest.mark.later
def test_workers_read_folders(tmp_path: Path) -> None:
    for index in range(6):
        save(tmp_path / f"{index}.png", colour=(index, index, index))
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:40])
    data = pickle.loads(pickle.dumps(ImageFolder(tmp_path, channels=3, size=(4, 4))))
    alone, together = (list(batches(data, size=2, workers=workers)) for workers in (0, 2))
    assert [b.indices.tolist() for b in together] == [[0, 1], [2], [4, 5]]
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.pictures, other.pictures)
        assert one.skipped == other.skipped
    assert together[1].skipped[0].path == str(tmp_path / "3.png")


def test_real_photographs_and_a_truncated_one(shared_data: Path, tmp_path: Path) -> None:
    sources = sorted((shared_data / "imagenet_sample").glob("*.JPEG"))[:12]
    for source in sources:
        shutil.copy(source, tmp_path / source.name)
    cut = tmp_path / sources[4].name
    cut.chmod(0o644)
    cut.write_bytes(sources[4].read_bytes()[:5000])
    labels = {source.name: label for label, source in enumerate(sources)}
    data = ImageFolder(tmp_path, channels=3, size=(224, 224), labels=labels)
    (batch,) = batches(data)
    assert batch.indices.tolist() == [0, 1, 2, 3, *range(5, 12)]
    assert batch.labels.tolist() == batch.indices.tolist()
    assert tuple(batch.pictures.shape) == (11, 3, 224, 224)
    assert [item.path for item in batch.skipped] == [str(cut)]
    assert "truncated" in batch.skipped[0].reason
    # Real photographs: about ImageNet's published mean and deviation.
    assert batch.pictures.mean(dim=(0, 2, 3)).tolist() == pytest.approx(
        [0.48, 0.46, 0.41], abs=0.15
    )


def test_flat_sample_is_a_thousand_photographs(shared_data: Path) -> None:
    data = ImageFolder(shared_data / "imagenet_sample", channels=3, size=(224, 224))
    assert len(data) == 1000
    assert data.classes == ()
    assert data.paths[0].name.startswith("n01440764")


SHAPES = [(1, 700), (700, 1), (2, 900), (900, 3), (1, 40), (5, 300), (3000, 7), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(28, 28), (64, 64), (32, 48)])
def test_lines_come_out_as_if_they_were_scaled_whole(
    tmp_path: Path, shape: tuple[int, int], size: tuple[int, int]
) -> None:
    height, width = shape
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "line.png")
    short = round(min(size) * 256 / 224) if min(size) >= 64 else min(size)
    cover = [round(side * short / min(size)) for side in size]
    scale = max(cover[0] / height, cover[1] / width)
    scaled = (max(cover[1], int(width * scale)), max(cover[0], int(height * scale)))
    whole = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = round((scaled[0] - size[1]) / 2), round((scaled[1] - size[0]) / 2)
    expected = np.asarray(whole.crop((left, top, left + size[1], top + size[0])))
    found = read_image(tmp_path / "line.png", 3, size) * 255
    assert np.abs(found.permute(1, 2, 0).numpy() - expected).max() < 1.01


@pytest.mark.parametrize("shape", [(30_000, 1), (1, 30_000), (3000, 1), (65_000, 2), (9, 60_000)])
def test_lines_take_no_more_memory_than_is_asked_for(
    tmp_path: Path, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(np.full((*shape, 3), 128, np.uint8)).save(tmp_path / "line.png")
    made = []
    resize = Image.Image.resize

    def counted(image: Image.Image, size: tuple[int, int], *how: object, **more: object) -> object:
        made.append(size[0] * size[1])
        return resize(image, size, *how, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "resize", counted)
    picture = read_image(tmp_path / "line.png", 3, (224, 224))
    assert tuple(picture.shape) == (3, 224, 224)
    assert (picture - 128 / 255).abs().max() < 1e-6
    assert 224 * 224 <= max(made) <= 16 * 224 * 224


@pytest.mark.parametrize("side", [200, 150])  # more than twice the limit, and less
def test_what_may_fill_the_memory_is_not_decoded(
    tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "large.png", (side, side))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16_000)
    with pytest.raises(UnreadableImageError, match=r"more than 16,000 pixels.*MAX_IMAGE_PIXELS"):
        read_image(tmp_path / "large.png", 3, (4, 4))
    data = ImageFolder(tmp_path, channels=1, size=(4, 4))
    (batch,) = batches(data)
    assert [item.reason[:24] for item in batch.skipped] == ["more than 16,000 pixels,"]


@pytest.mark.parametrize("ending", [".jfif", ".jpe", ".avif", ".jp2", ".tga", ".qoi", ".ICO"])
def test_whatever_pillow_opens_is_read(tmp_path: Path, ending: str) -> None:
    if ending.lower() not in Image.registered_extensions():
        pytest.skip(f"this Pillow does not write {ending}")
    save(tmp_path / f"a{ending}", (32, 32), (128, 128, 128))
    (picture,) = (item.picture for item in ImageFolder(tmp_path, 3, (8, 8)))  # type: ignore[union-attr]
    assert (picture - 0.5).abs().max() < 0.05


def test_what_needs_another_program_is_not_opened(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.eps")
    shutil.copy(tmp_path / "b.eps", tmp_path / "c.jpg")  # by another name, too
    for name in ("d.pdf", "e.mpg", "f.wmf", "g.h5"):
        (tmp_path / name).write_bytes(b"%PDF-1.4")
    data = ImageFolder(tmp_path, channels=3, size=(4, 4))
    assert [path.name for path in data.paths] == ["a.png", "c.jpg"]
    assert isinstance(data[1], Unreadable)
    assert data.passed_over.startswith("5 files were passed over: 1 .")


def test_files_passed_over_are_counted(tmp_path: Path) -> None:
    save(tmp_path / "cat" / "a.png")
    for name in ("1.heic", "2.HEIC", "notes.txt", "Makefile", ".hidden", "\x1b[2J.\x1b[2J"):
        (tmp_path / "cat" / name).touch()
    (tmp_path / "cat" / "folder.xyz").mkdir()
    data = ImageFolder(tmp_path, channels=3, size=(4, 4))
    assert data.passed_over == (
        "5 files were passed over: 2 .heic, 1 without an ending, 1 .\\x1b[2j, 1 .txt."
    )
    many = tmp_path / "many"
    save(many / "a.png")
    for i in range(9):
        (many / f"x.e{i}").touch()
    found = ImageFolder(many, channels=3, size=(4, 4)).passed_over
    assert found == "9 files were passed over: 1 .e0, 1 .e1, 1 .e2, 1 .e3, 1 .e4, 4 others."
    only = tmp_path / "only"
    only.mkdir()
    (only / "x.heic").touch()
    with pytest.raises(DataError, match=r"no image in .*1 file was passed over: 1 \.heic\."):
        ImageFolder(only, channels=3, size=(4, 4))


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    for folder, file in ((b"caf\xe9", b"ol\xe9.png"), (b"b", b"\xff.png"), (b"\x80", b"c.png")):
        place = os.path.join(os.fsencode(tmp_path), folder)  # noqa: PTH118
        try:
            os.makedirs(place)  # noqa: PTH103
        except OSError:
            pytest.skip("this file system takes UTF-8 alone")
        Image.new("RGB", (8, 8)).save(os.fsdecode(os.path.join(place, file)))  # noqa: PTH118
    broken = os.path.join(os.fsencode(tmp_path), b"b", b"kaputt\xff.png")  # noqa: PTH118
    Path(os.fsdecode(broken)).write_bytes(b"nothing")
    data = ImageFolder(tmp_path, channels=3, size=(4, 4))
    assert data.classes == ("b", "caf\\xe9", "\\x80")
    data.fingerprint().encode()
    (batch,) = batches(data)
    assert len(batch.indices) == 3
    (skipped,) = batch.skipped
    assert skipped.path.endswith("kaputt\\xff.png")
    with Atlas.build(tmp_path / "a.atlas") as atlas, atlas.job("k", "k", "\udce9") as job:
        job.document("source", {"data": os.fsdecode(broken), "\udce9": 1})
        job.add(Skipped(os.fsdecode(broken), "\ud800"))
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert atlas.document("source") == {"data": os.fsdecode(broken), "\udce9": 1}
        assert atlas.skipped()[0].path.endswith("kaputt\\xff.png")
        assert atlas.jobs()[0].title == "\\xe9"
