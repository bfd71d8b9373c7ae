"""IDX files, whole and damaged; downloads from a server on this machine."""

import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch

from phosphene.data import download_mnist, mnist
from phosphene.data.idx import read_idx
from phosphene.errors import DataError, DownloadError

PIXELS = torch.arange(5 * 4 * 3, dtype=torch.uint8).reshape(5, 4, 3)
LABELS = torch.tensor([3, 1, 4, 1, 5], dtype=torch.uint8)


def idx(array: torch.Tensor) -> bytes:
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.numpy().tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(PIXELS))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    return tmp_path


def test_reads_plain_and_gzipped(folder: Path) -> None:
    data = mnist(folder, "test")
    assert torch.equal(data.pictures, PIXELS[:, None])
    assert data.labels.tolist() == LABELS.tolist()
    assert data.name == f"{folder.name} test"  # this is not MNIST
    assert data.note == "5 pictures of the test set, from IDX files, 4x3"
    assert data.classes == tuple("0123456789")


@pytest.mark.slow
def test_real_files(shared_data: Path) -> None:
    train, test = mnist(shared_data / "mnist", "train"), mnist(shared_data / "mnist", "test")
    assert tuple(train.pictures.shape) == (60_000, 1, 28, 28)
    assert tuple(test.pictures.shape) == (10_000, 1, 28, 28)
    assert (train.name, test.name) == ("mnist train", "mnist test")
    assert train.note == "60,000 handwritten digits of MNIST's train set, 28x28"
    assert test.note == "10,000 handwritten digits of MNIST's test set, 28x28"
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    # The published mean and deviation of the training pixels.
    values = train.pictures.double() / 255
    assert values.mean().item() == pytest.approx(0.1307, abs=5e-5)
    assert values.std().item() == pytest.approx(0.3081, abs=5e-5)


def test_missing_file_names_itself_and_the_remedy(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match=r"no t10k-images-idx3-ubyte or .*download_mnist"):
        mnist(folder, "test")
    assert len(mnist(folder, "train")) == 5


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (idx(PIXELS)[:-1], "cut short: 75 bytes of 76"),
        (idx(PIXELS)[:10], "cut short: 10 bytes"),
        (idx(PIXELS) + b"x", "77 bytes where its header says 76"),
        (idx(LABELS), "starts with 00 00 08 01, expected 00 00 08 03"),
        (b"", "starts with nothing"),
        (b"<html>", "no IDX file"),
        (idx(PIXELS)[:8] + bytes(8), r"holds 5 x 0 x 0 values: nothing"),
        (idx(PIXELS)[:4] + bytes(12), r"holds 0 x 0 x 0 values: nothing"),
    ],
)
def test_damaged_file_names_itself(folder: Path, content: bytes, complaint: str) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{path}.*{complaint}"):
        mnist(folder, "train")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-9], lambda b: b[:12] + b"?????" + b[17:], lambda b: b"x" + b]
)
def test_damaged_gzip_names_itself(folder: Path, damage: object) -> None:
    assert callable(damage)
    path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{path} is damaged"):
        mnist(folder, "train")


def test_files_of_different_sets_are_refused(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:4])))
    with pytest.raises(DataError, match=r"5 pictures but .* 4 labels"):
        mnist(folder, "train")
    with pytest.raises(DataError, match=r"no split 'tset'.*nearest: test"):
        mnist(folder, "tset")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with two small files, and their checksums."""
    served = tmp_path / "served"
    served.mkdir()
    contents = {"a.gz": b"first file", "b.gz": b"second file"}
    for name, content in contents.items():
        (served / name).write_bytes(content)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=served)
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        checksums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
        yield f"http://127.0.0.1:{server.server_port}/", checksums
        server.shutdown()
        thread.join()


@pytest.fixture
def nowhere() -> str:
    """An address on this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def test_download_goes_on_to_the_next_mirror(
    tmp_path: Path, mirror: tuple[str, dict[str, str]], nowhere: str
) -> None:
    url, checksums = mirror
    target = tmp_path / "new" / "mnist"
    download_mnist(target, [nowhere, url], timeout=5.0, checksums=checksums)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "a.gz": b"first file",
        "b.gz": b"second file",
    }


def test_download_fetches_only_what_is_missing_or_wrong(
    tmp_path: Path, mirror: tuple[str, dict[str, str]], nowhere: str
) -> None:
    url, checksums = mirror
    (tmp_path / "a.gz").write_bytes(b"first file")
    (tmp_path / "b.gz").write_bytes(b"second fi")
    with pytest.raises(DownloadError, match=r"cannot download b\.gz"):
        download_mnist(tmp_path, [nowhere], timeout=5.0, checksums=checksums)
    assert (tmp_path / "b.gz").read_bytes() == b"second fi"
    download_mnist(tmp_path, [url], timeout=5.0, checksums=checksums)
    assert (tmp_path / "b.gz").read_bytes() == b"second file"
    download_mnist(tmp_path, [nowhere], timeout=5.0, checksums=checksums)


def test_wrong_checksum_leaves_no_file(tmp_path: Path, mirror: tuple[str, dict[str, str]]) -> None:
    url, checksums = mirror
    target = tmp_path / "target"
    with pytest.raises(DownloadError, match=r"a\.gz: MD5 \w+, expected 0000"):
        download_mnist(target, [url], timeout=5.0, checksums={"a.gz": "0000"})
    with pytest.raises(DownloadError, match="404"):
        download_mnist(target, [url], timeout=5.0, checksums={"c.gz": checksums["a.gz"]})
    assert list(target.iterdir()) == []


def test_offline_says_what_to_do_instead(tmp_path: Path, nowhere: str) -> None:
    with pytest.raises(
        DownloadError, match=f"put these files into {tmp_path}: train-images"
    ) as told:
        download_mnist(tmp_path, [nowhere], timeout=5.0)
    assert nowhere in str(told.value)


def test_download_into_a_file_is_refused(tmp_path: Path, nowhere: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write into"):
        download_mnist(tmp_path / "file", [nowhere], timeout=5.0)


@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_claims_four_thousand_million_items(tmp_path: Path, packed: bool) -> None:
    content = bytes([0, 0, 8, 3]) + b"\xff\xff\xff\xff" + bytes([0, 0, 0, 28] * 2) + bytes(99)
    path = tmp_path / f"images{'.gz' * packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match="claims 3,367" if packed else "cut short: 115 bytes"):
        read_idx(path, 3)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phosphene.data.idx.LEAST_DOUBTED", 1000)
    content = bytes([0, 0, 8, 1]) + (10**7).to_bytes(4, "big") + bytes(10**7)
    (tmp_path / "labels.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="claims 10,000,008 bytes"):
        read_idx(tmp_path / "labels.gz", 1)
    (tmp_path / "labels").write_bytes(content)
    assert len(read_idx(tmp_path / "labels", 1)) == 10**7


def test_gzip_is_told_by_its_bytes(folder: Path) -> None:
    packed = folder / "train-labels-idx1-ubyte.gz"
    packed.rename(folder / "train-labels-idx1-ubyte")
    assert len(mnist(folder)) == len(LABELS)
