"""Values: frozen dataclasses that survive JSON, each written and read by its own fields.

    kind.from_json(json.loads(json.dumps(value.to_json()))) == value

A family, such as the objectives, is a subclass with a `tag`: the key under which each document
tells which member it is. Declaring a member registers it, wherever that happens.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from inspect import isabstract
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from phosphene.errors import PhospheneError, SettingError, nearest, reading

V = TypeVar("V", bound="Value")

SCALARS: Mapping[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (float, int),
    str: (str,),
    NoneType: (NoneType,),
}
"""What JSON may hold for a field of each plain type."""


class Value:
    """Base of the values that survive JSON; a member is a frozen dataclass.

    Fields are plain: numbers, texts, other values, tuples and mappings of such.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Span(Value):
    ...     ends: tuple[int, int]
    ...     name: str | None = None
    >>> Span((3, 5)).to_json()
    {'ends': [3, 5], 'name': None}
    >>> Span.from_json({"ends": [3, 5]})
    Span(ends=(3, 5), name=None)
    """

    tag: ClassVar[str] = ""
    """The key of a family's documents that tells the member; a class by itself has none."""
    kind: ClassVar[str] = ""
    """What the tag says of this member: the name of the class unless told."""
    called: ClassVar[str] = "value"
    """What a document ought to be, in the words of an error."""
    error: ClassVar[type[PhospheneError]] = SettingError
    unsaid: ClassVar[tuple[str, ...]] = ()
    """The fields of which JSON says nothing while they have their default.

    A field that is added later belongs here: what was made before keeps its keys and its seeds.
    """
    members: ClassVar[dict[str, type[Any]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kind" not in vars(cls):
            cls.kind = cls.__name__
        if "tag" in vars(cls):
            cls.members = {}
        elif cls.tag:
            _register(cls)

    @classmethod
    def kinds(cls: type[V]) -> dict[str, type[V]]:
        """The members of the family that are of this class, by name."""
        return {
            kind: member
            for kind, member in cls.members.items()
            if issubclass(member, cls) and not isabstract(member)
        }

    @classmethod
    def named(cls: type[V]) -> dict[str, type[V]]:
        """The members that a name alone makes: those whose fields all have defaults."""
        return {
            kind: member
            for kind, member in cls.kinds().items()
            if all(
                (f.default, f.default_factory) != (MISSING, MISSING)
                for f in fields(member)  # type: ignore[arg-type]
            )
        }

    @property
    def identity(self) -> str:
        """See the function of this name."""
        told = [f"{f.name}={identity(getattr(self, f.name))}" for f in self._said() if f.repr]
        return f"{type(self).__qualname__}({', '.join(told)})"

    def to_json(self) -> Any:
        """Plain values for JSON, just as they come back from it; see `from_json`."""
        told = {self.tag: self.kind} if self.tag else {}
        return told | {f.name: plain(getattr(self, f.name)) for f in self._said()}

    def _said(self) -> Iterator[Field[Any]]:
        """The fields that are to be told."""
        for field in fields(self):  # type: ignore[arg-type]
            if field.name not in self.unsaid or getattr(self, field.name) != _default(field):
                yield field

    @classmethod
    def from_json(cls: type[V], value: Any) -> V:
        """The value that `to_json` wrote: one of this class, or of a member of this family.

        Raises:
            PhospheneError: the `error` of the family; the document tells of no such value.
        """
        with reading(value, cls.called, cls.error):
            told = dict(value)
            if not cls.tag:
                return cls.read(told)
            kind, kinds = str(told.pop(cls.tag, cls.kind)), cls.kinds()
            if kind not in kinds:
                raise cls.error(
                    f"{value!r:.200} is no {cls.called}: there is none of the kind {kind!r}; "
                    f"{nearest(kind, kinds)}"
                )
            return kinds[kind].read(told)

    @classmethod
    def read(cls: type[V], told: Mapping[str, Any]) -> V:
        """The value with these fields, as JSON holds them; see `from_json`."""
        hints = _hints(cls)  # type: ignore[arg-type]
        for name in told:
            if name not in hints:
                raise TypeError(f"{cls.__name__} has no {name!r}; {nearest(name, hints)}")
        return cls(**{name: _read(hints[name], name, part) for name, part in told.items()})


def identity(value: Any) -> str:
    """The text by which seeds and fingerprints know a value: the code that makes it.

    It is told by the fields, and of those that came later (`Value.unsaid`) only by what is set,
    so that it stays what it was when a class is given another field.

    >>> from phosphene.objectives import Channel
    >>> identity(2 * Channel("conv2", (3, 17)))
    "2.0 * Channel(layer='conv2', index=(3, 17))"
    """
    if isinstance(value, Value):
        return value.identity
    if isinstance(value, tuple):
        return f"({', '.join(map(identity, value))}{',' * (len(value) == 1)})"
    return repr(value)


def plain(value: Any) -> Any:
    """A value as JSON gives it back: texts, numbers, lists and dictionaries."""
    if isinstance(value, Value):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def _register(cls: type[Value]) -> None:
    known = cls.members.get(cls.kind)
    ours = (cls.__module__, cls.__qualname__)
    if known is not None and (known.__module__, known.__qualname__) != ours:
        raise cls.error(
            f"{known.__module__}.{known.__qualname__} is the {cls.called} of the kind "
            f"{cls.kind!r}; give {cls.__module__}.{cls.__qualname__} another name"
        )
    cls.members[cls.kind] = cls


def _default(field: Any) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


@cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of the fields that make a value of the class."""
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls) if f.init}


def _read(hint: Any, name: str, value: Any) -> Any:
    """What a field of this type holds, from JSON."""
    if (origin := get_origin(hint)) in _READERS:
        return _READERS[origin](get_args(hint), name, value)
    if isinstance(hint, type) and issubclass(hint, Value) and not isinstance(value, Value):
        return hint.from_json(value)
    if hint is Any:
        return _frozen(value)
    if type(value) in SCALARS[hint] if hint in SCALARS else isinstance(value, hint):
        return value
    raise TypeError(f"{name} is {value!r:.80}; expected {getattr(hint, '__name__', hint)}")


def _either(hints: tuple[Any, ...], name: str, value: Any) -> Any:
    """What the first of several types holds that can."""
    if value is None and NoneType in hints:
        return None
    *some, last = (hint for hint in hints if hint is not NoneType)
    for hint in some:
        try:
            return _read(hint, name, value)
        except (TypeError, ValueError, PhospheneError):
            continue
    return _read(last, name, value)


def _tuple(hints: tuple[Any, ...], name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is {value!r:.80}; expected a list")
    each = hints[:1] * len(value) if hints[1:] == (...,) else hints
    if len(each) != len(value):
        raise TypeError(f"{name} is {value!r:.80}; expected a list of {len(each)}")
    return tuple(_read(hint, name, part) for hint, part in zip(each, value, strict=True))


def _mapping(hints: tuple[Any, ...], name: str, value: Any) -> dict[str, Any]:
    return {key: _read(hints[1], name, part) for key, part in dict(value).items()}


def _literal(known: tuple[Any, ...], name: str, value: Any) -> Any:
    if value not in known:
        raise ValueError(f"no {name} is called {value!r:.80}; {nearest(str(value), known)}")
    return value


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


_READERS = {
    Union: _either,
    UnionType: _either,
    tuple: _tuple,
    Mapping: _mapping,
    Literal: _literal,
}
