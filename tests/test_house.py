"""Where things live: what holds for every module of the house."""

import ast
from pathlib import Path

import pytest

import phosphene

HOUSE = Path(phosphene.__file__).parent
MODULES = sorted(path for path in HOUSE.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_no_function_hides_the_module_it_is_in(module: Path) -> None:
    body = ast.parse(module.read_text(encoding="utf-8")).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    commands = module.parent.name == "cli"  # those are no library: nobody imports their names
    assert module.stem not in functions or commands
    assert len(body) > 1, "a module of nothing"


def test_every_package_says_what_it_is_for() -> None:
    for init in HOUSE.rglob("__init__.py"):
        said = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
        assert said, f"{init} has no docstring"
