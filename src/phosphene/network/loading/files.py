"""Python files as modules, which another process finds again under the same name.

What is pickled names its classes by their module, so a file's module is called by its path and its
content: two versions of a file stand side by side, and a changed one is not taken for the other.
"""

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from threading import RLock
from types import CodeType, ModuleType

from torch import nn

from phosphene.errors import SpecError, nearest

_PREFIX = "_phosphene_file_"
_LOADING = RLock()


def module_of(path: Path) -> ModuleType:
    """The module of a Python file, run where this version of it has not been.

    Raises:
        SpecError: no such file, or it cannot be imported.
    """
    if not path.is_file():
        near = nearest(path.name, [p.name for p in path.parent.glob("*.py")])
        raise SpecError(f"no file {path}; {near}")
    name = _name(path)
    with _LOADING:
        if name not in sys.modules:
            _run(path, name)
        return sys.modules[name]


def files_of(module: nn.Module, factory: str = "") -> tuple[tuple[str, str], ...]:
    """The Python files that define a network's modules, each with the name of its module.

    That of its `factory`, `file.py:make`, is among them: what it imports lies beside it.
    """
    names = {type(part).__module__ for part in module.modules()}
    file = Path(factory.rpartition(":")[0])
    if file.suffix == ".py" and file.is_file():
        names.add(_name(file))
    known = [sys.modules[name] for name in sorted(names) if name in sys.modules]
    return tuple((str(m.__file__), m.__name__) for m in known if m.__name__.startswith(_PREFIX))


def know_again(files: Iterable[tuple[str, str]]) -> None:
    """Run what `files_of` told, so that what is unpickled finds its classes.

    Raises:
        SpecError: a file is not there or not the same any more.
    """
    for path, name in files:
        if name not in sys.modules and module_of(Path(path)).__name__ != name:
            raise SpecError(
                f"{path} has changed since the network was made of it; load the network anew, "
                "with load_network"
            )


def _name(path: Path) -> str:
    told = str(path.resolve()).encode() + b"\0" + path.read_bytes()
    return f"{_PREFIX}{path.stem}_{hashlib.blake2b(told, digest_size=8).hexdigest()}"


class _AsWritten(SourceFileLoader):
    """Compiles a file each time.

    What Python keeps of one in `__pycache__` it takes for any other of the same length that was
    written in the same second.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _run(path: Path, name: str) -> None:
    whole = path.resolve()
    loader = _AsWritten(name, str(whole))
    description = importlib.util.spec_from_file_location(name, whole, loader=loader)
    assert description is not None
    assert description.loader is not None
    module = importlib.util.module_from_spec(description)
    sys.modules[name] = module  # dataclasses and pickling look their module up
    sys.path.insert(0, str(path.parent.resolve()))  # so that it can import its neighbours
    try:
        description.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SpecError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
