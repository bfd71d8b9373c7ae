"""The same image files in a folder, in tar files, in tables and in a store of objects."""

import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CLASSES = ("ant", "bee", "cat")

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def contents(count: int, side: int = 8, seed: int = 0) -> list[bytes]:
    """Image files of noise, PNG, JPEG and WebP in turn; the fifth is cut short."""
    drawn = np.random.default_rng(seed)
    files = []
    for number in range(count):
        pixels = drawn.integers(0, 256, (side + number % 3, side, 3), dtype=np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, ("PNG", "JPEG", "WEBP")[number % 3])
        files.append(content.getvalue())
    if count > 4:
        files[4] = files[4][:-20]
    return files


def name_of(number: int) -> str:
    """What an image is called, its class before it: classes follow one another."""
    return f"{number:05}.{('png', 'jpg', 'webp')[number % 3]}"


def class_of(number: int, count: int) -> int:
    """The class of an image: the first third is of the first, and so on."""
    return number * len(CLASSES) // count


def as_folder(root: Path, files: Sequence[bytes]) -> Path:
    """A folder of a folder per class."""
    for number, content in enumerate(files):
        path = root / CLASSES[class_of(number, len(files))] / name_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a member to a tar file that is being written."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def as_tars(root: Path, files: Sequence[bytes], each: int, label: str = "cls") -> str:
    """Tar files of so many samples each; their pattern."""
    root.mkdir(parents=True, exist_ok=True)
    shards = range(-(-len(files) // each))
    for shard in shards:
        with tarfile.open(root / f"{shard:03}.tar", "w") as tar:
            for number in range(shard * each, min(len(files), (shard + 1) * each)):
                kind = CLASSES[class_of(number, len(files))]
                add(tar, name_of(number), files[number])
                told = json.dumps({"label": kind, "width": 8}) if label == "json" else kind
                add(tar, f"{number:05}.{label}", told.encode())
    return f"{root}/{{000..{shards[-1]:03}}}.tar"


def table(files: Sequence[bytes], start: int, stop: int) -> Any:
    """Rows as 🤗 datasets keep them, with what the columns mean in the metadata."""
    arrow = pytest.importorskip("pyarrow", reason="tables need pyarrow: phosphene[parquet]")
    rows = range(start, stop)
    images = [{"bytes": files[number], "path": name_of(number)} for number in rows]
    labels = [class_of(number, len(files)) for number in rows]
    about = json.dumps({"info": {"features": features()}}).encode()
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    schema = arrow.schema([("image", kind), ("label", arrow.int64())], {b"huggingface": about})
    return arrow.table([arrow.array(images, kind), arrow.array(labels)], schema)


def features() -> dict[str, Any]:
    """What the columns mean, as 🤗 datasets write it."""
    return {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": list(CLASSES)},
    }


def as_parquet(root: Path, files: Sequence[bytes], each: int, group: int) -> Path:
    """Parquet files of so many rows each, in row groups."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow: phosphene[parquet]")
    root.mkdir(parents=True, exist_ok=True)
    for place, start in enumerate(range(0, len(files), each)):
        part = table(files, start, min(len(files), start + each))
        parquet.write_table(part, root / f"part-{place}.parquet", row_group_size=group)
    return root


def as_saved(root: Path, files: Sequence[bytes], each: int, batch: int) -> Path:
    """A folder as `datasets.Dataset.save_to_disk` leaves it."""
    ipc = pytest.importorskip("pyarrow.ipc", reason="tables need pyarrow: phosphene[parquet]")
    root.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(files), each)
    names = [f"data-{place:05}-of-{len(starts):05}.arrow" for place in range(len(starts))]
    for name, start in zip(names, starts, strict=True):
        part = table(files, start, min(len(files), start + each))
        with ipc.new_stream(root / name, part.schema) as stream:
            stream.write_table(part, max_chunksize=batch)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0f"}
    (root / "state.json").write_text(json.dumps(state))
    (root / "dataset_info.json").write_text(json.dumps({"features": features()}))
    return root


@contextmanager
def store() -> Iterator[str]:
    """An S3 server on this machine, in a process of its own; its address."""
    for package in ("s3fs", "moto.server"):
        pytest.importorskip(package, reason="a store takes s3fs and moto[server]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **CREDENTIALS}, **quiet) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            server.terminate()


def send(folder: Path, bucket: str) -> str:
    """Put all files below a folder into a bucket; the address that stands for the folder."""
    import s3fs

    files = s3fs.S3FileSystem()
    if not files.exists(bucket):
        files.mkdir(bucket)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.pipe_file(f"{bucket}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    files.invalidate_cache()
    return f"s3://{bucket}"
