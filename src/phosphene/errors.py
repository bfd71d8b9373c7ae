"""Every error phosphene raises on purpose.

    PhospheneError
    ├── InputError               pictures that do not fit the network
    │   ├── ChannelError         wrong number of channels
    │   └── SizeError            wrong height or width
    ├── NetworkError             something about the model itself
    │   ├── SpecError            "file.py:factory" that cannot be resolved
    │   ├── WeightsError         missing, unexpected, misshapen or non-finite weights
    │   ├── UnknownLayerError    no layer of that name
    │   ├── UnknownUnitError     the layer has no such unit, or a unit that cannot be read
    │   └── RectifierError       a backward rule that cannot be applied faithfully
    ├── SettingError             a setting, option or name of one that is none of the possible
    ├── MessageError             pictures that hide no readable message
    ├── ObjectiveError           an objective that does not fit its images or its JSON
    ├── DataError                data that cannot be read
    │   ├── UnreadableImageError one image file
    │   └── DownloadError        no network, wrong checksum
    ├── WorkerError              another process that should compute and does not
    ├── ConsentError             code that came with a file, and that nobody said may run
    └── AtlasError               something about an atlas file
        ├── NotAnAtlasError      the file is something else
        ├── NewerAtlasError      written by a later phosphene
        ├── TruncatedAtlasError  cut short or damaged
        ├── DamagedError         one thing in an atlas is not what was written
        ├── UnfinishedAtlasError the study in it has not come far enough
        ├── AtlasMismatchError   holds the study of another network or other data
        └── StorageError         read-only folder, full disk

Each message names the value given, what was expected, the nearest valid name and the remedy.
The command line prints the message alone and exits with status 2.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class PhospheneError(Exception):
    """Base of all errors in this module."""


class InputError(PhospheneError):
    """Pictures that do not fit the network."""


class ChannelError(InputError):
    """Wrong number of channels."""


class SizeError(InputError):
    """Wrong height or width."""


class NetworkError(PhospheneError):
    """Something about the model itself."""


class SpecError(NetworkError):
    """A model or data specification that cannot be resolved."""


class SettingError(PhospheneError):
    """A setting or option that is none of the possible values, or no setting at all."""


class WeightsError(NetworkError):
    """Missing, unexpected, misshapen or non-finite weights."""


class UnknownLayerError(NetworkError):
    """No layer of that name."""


class UnknownUnitError(NetworkError):
    """The layer has no such unit, or the text names no unit."""


class RectifierError(NetworkError):
    """A backward rule that cannot be applied faithfully to this network."""


class MessageError(PhospheneError):
    """Pictures that hide no message for this network, or a text that cannot be hidden."""


class ObjectiveError(PhospheneError):
    """An objective that does not fit its images, or JSON that holds no objective."""


class DataError(PhospheneError):
    """Data that cannot be read."""


class UnreadableImageError(DataError):
    """One image file that cannot be decoded."""


class DownloadError(DataError):
    """A download that failed or arrived damaged."""


class WorkerError(PhospheneError):
    """Work that no other process could do: they died, hung, answered nonsense or never began."""


class ConsentError(PhospheneError):
    """Code that an atlas names, and that nobody said may run."""


class AtlasError(PhospheneError):
    """Something about an atlas file."""


class NotAnAtlasError(AtlasError):
    """The file is something else."""


class NewerAtlasError(AtlasError):
    """The atlas was written by a later phosphene."""


class TruncatedAtlasError(AtlasError):
    """The atlas is cut short or damaged."""


class DamagedError(AtlasError):
    """One thing in an atlas is not what was written; the others can still be read."""


class UnfinishedAtlasError(AtlasError):
    """The study in the atlas has not come as far as what was asked for."""


class AtlasMismatchError(AtlasError):
    """The atlas holds the study of another network or of other data."""


class StorageError(AtlasError):
    """The folder is read-only or the disk is full."""


def nearest(name: str, candidates: Iterable[str], count: int = 3, *, listing: bool = False) -> str:
    """Say which of `candidates` look most like `name`, as the tail of an error message.

    Where none does, or with `listing`, say what there is.

    >>> nearest("conv3", ["conv1", "conv2", "fc1"])
    'nearest: conv2, conv1'
    >>> nearest("conv1", ["stem", "conv2"], listing=True)
    'nearest: conv2; there are: stem, conv2'
    >>> nearest("zebra", ["conv1", "fc1"])
    'there are: conv1, fc1'
    """
    known = list(candidates)
    if not known:
        return "there are none"
    close = get_close_matches(str(name), known, n=count, cutoff=0.5)
    shown = f"there are: {', '.join(known[:12])}"
    if len(known) > 12:
        shown += f", … ({len(known)} in all)"
    if not close:
        return shown
    return "nearest: " + ", ".join(close) + (f"; {shown}" if listing else "")


@contextmanager
def reading(value: object, what: str, error: type[PhospheneError] = SettingError) -> Iterator[None]:
    """Whatever fails while `value` is read from JSON is told as that it is no `what`.

    >>> with reading([1], "canvas"):
    ...     dict([1])
    Traceback (most recent call last):
    phosphene.errors.SettingError: [1] is no canvas: cannot convert dictionary update sequence ...
    """
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as failure:
        raise error(f"{value!r:.200} is no {what}: {failure}") from failure
