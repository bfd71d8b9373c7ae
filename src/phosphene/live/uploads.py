"""Pictures that questions are about, as they were sent: kept where the next server finds them."""

import base64
import hashlib
import io
import os
import re
from pathlib import Path

from PIL import Image

from phosphene.data.image_formats import formats
from phosphene.errors import UnreadableImageError
from phosphene.folders import state_folder
from phosphene.live.sent import picture_of_link
from phosphene.network import Network

MOST_BYTES = 2**28
"""Of all pictures that are kept; those asked about longest ago go first."""

_NAME = re.compile(r"drawing-[0-9a-f]{16}\.[a-z0-9]{2,5}")


def keep_picture(network: Network, link: str) -> str:
    """Keep the picture of a `data:` link as it was sent; its name, which goes by what it holds.

    Raises:
        UnreadableImageError: it is none, or larger than a picture may be.
    """
    picture_of_link(network, link)  # within bounds, and whole
    content = base64.b64decode(link.partition(",")[2])
    kind = (Image.open(io.BytesIO(content), formats=formats()).format or "png").lower()
    name = f"drawing-{hashlib.blake2b(content, digest_size=8).hexdigest()}.{kind[:5]}"
    path = _folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{name}.{os.getpid()}")
        draft.write_bytes(content)
        draft.replace(path)
        _forget_others(path)
    except OSError as error:
        raise UnreadableImageError(
            f"the picture could not be kept in {path.parent}: {error}"
        ) from None
    return name


def kept_picture(name: str) -> Path | None:
    """Where a picture of that name is; None of what is no such name, or has gone."""
    path = _folder() / name if _NAME.fullmatch(name) else None
    return path if path is not None and path.is_file() else None


def _folder() -> Path:
    return state_folder() / "jobs" / "pictures"


def _forget_others(newest: Path) -> None:
    """Make room: the oldest go, never the newest."""
    files = sorted(_folder().iterdir(), key=lambda each: each.stat().st_mtime)
    size = sum(each.stat().st_size for each in files)
    for each in files:
        if size <= MOST_BYTES or each == newest:
            break
        size -= each.stat().st_size
        each.unlink(missing_ok=True)
