"""The run-time type check of the tests: every call in phosphene, with shapes where it names any.

jaxtyping's import hook decorates all that is defined. Its own decorator binds the arguments in
Python and checks them twice, which costs more than most tests. Here only functions that name shapes
are bound, and every hint is checked once, by beartype. What is defined within a function is defined
anew with each of its calls, and then it is beartype's writing of code that costs more than most
tests: it is written once.
"""

import dataclasses
import functools
import inspect
import typing
from types import CellType, FunctionType
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, jaxtyped

check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float too


def install() -> None:
    """Have every module of phosphene that is imported from now on checked."""
    jaxtyping.jaxtyped = lambda **_: checked  # by this name the hook decorates
    jaxtyping.install_import_hook("phosphene", "typechecker.check")


def checked(thing: Any) -> Any:
    """A function, method, property or dataclass of which each call is checked."""
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) and "__init__" in vars(thing):
            thing.__init__ = checked(thing.__init__)
        return thing
    if isinstance(thing, classmethod | staticmethod):
        return type(thing)(checked(thing.__func__))
    if isinstance(thing, property):
        return property(*(f and checked(f) for f in (thing.fget, thing.fset, thing.fdel)))
    hints = thing.__annotations__.values()
    if not any(_names_shapes(hint) for hint in hints):
        return _bear(thing)
    if inspect.isgeneratorfunction(thing) or any(isinstance(hint, str) for hint in hints):
        return jaxtyped(thing, typechecker=check)  # it knows what of such hints can be checked
    return jaxtyped(_bear(thing), typechecker=None)


def _bear(thing: Any) -> Any:
    """`check(thing)`; of a function within another one made from what came of an earlier one."""
    if "<locals>" not in thing.__qualname__ or not isinstance(thing, FunctionType):
        return check(thing)
    known = thing.__code__, *thing.__annotations__.items()
    try:
        twin, made = _WRITTEN[known]
    except KeyError:
        twin = _with_cells(thing, tuple(CellType() for _ in thing.__closure__ or ()))
        del twin.__wrapped__
        made = check(twin)
        _WRITTEN[known] = twin, made
    except TypeError:  # a hint that has no hash
        return check(thing)
    if made is twin:  # it has no hints
        return thing
    again = _with_cells(made, made.__closure__)
    again.__kwdefaults__ = {k: thing if v is twin else v for k, v in made.__kwdefaults__.items()}
    return functools.update_wrapper(again, thing)


_WRITTEN: dict[Any, tuple[FunctionType, FunctionType]] = {}
"""By code and hints: a function that holds nothing of its surroundings, and it with its checks."""


def _with_cells(function: FunctionType, cells: tuple[CellType, ...] | None) -> FunctionType:
    """The same function in other surroundings."""
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(made, function)


def _names_shapes(hint: Any) -> bool:
    """Whether a hint has the shape of an array in it, or may have: as text it is not known yet."""
    if isinstance(hint, str) or (inspect.isclass(hint) and issubclass(hint, AbstractArray)):
        return True
    return any(_names_shapes(part) for part in typing.get_args(hint))
