"""The run-time type check of the tests: every call in phosphene, with shapes where it names any.

jaxtyping's import hook decorates all that is defined. Its own decorator binds the arguments in
Python and checks them twice, which costs more than most tests. Here only functions that name shapes
are bound, and every hint is checked once, by beartype.
"""

import dataclasses
import inspect
import typing
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
        return check(thing)
    if inspect.isgeneratorfunction(thing) or any(isinstance(hint, str) for hint in hints):
        return jaxtyped(thing, typechecker=check)  # it knows what of such hints can be checked
    return jaxtyped(check(thing), typechecker=None)


def _names_shapes(hint: Any) -> bool:
    """Whether a hint has the shape of an array in it, or may have: as text it is not known yet."""
    if isinstance(hint, str) or (inspect.isclass(hint) and issubclass(hint, AbstractArray)):
        return True
    return any(_names_shapes(part) for part in typing.get_args(hint))
