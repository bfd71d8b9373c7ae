"""Questions as a page may put them: forms without files, and what the page is told."""

import re
from collections.abc import Mapping
from typing import Any

from phosphene.errors import SettingError, nearest
from phosphene.live.exhibits import Exhibit
from phosphene.probes.options import Option
from phosphene.probes.question import Question, forms, named

OPEN = frozenset(
    {"choice", "class", "classes", "count", "image", "layer", "layers", "number", "slice",
     "switch", "text", "unit", "units"}
)  # fmt: skip
"""Kinds of options that name no file. A kind that is not among them is closed."""

MOST = 100_000
"""The largest count that is taken."""

MOST_TEXT = 1000
"""Characters of one value."""

_NUMBER = re.compile(r"[0-9]{1,9}")


def refused(form: Mapping[str, Any]) -> str:
    """Why a question is not put from here: it reads or writes files; empty where it is."""
    for field in form["fields"]:
        closed = field["kind"] not in OPEN
        if closed and (field["required"] or field["default"] or field["kind"] == "data"):
            return f"It reads or writes files: put it with phosphene probe {form['name']}"
    return ""


def asked(kind: str, options: Mapping[str, Any]) -> Question:
    """The question of a request, which names no file.

    Raises:
        SettingError: no such question or option, or a value that is none of its kind, or a file.
    """
    known = forms()
    if kind not in known:
        raise SettingError(f"no probe {kind!r:.80}; {nearest(kind, known, listing=True)}")
    if told := refused(known[kind]):
        raise SettingError(told)
    fields = {field["name"]: Option.from_json(field) for field in known[kind]["fields"]}
    for name, value in options.items():
        if name in fields:
            _require_no_file(fields[name], value)
    return named(kind, **{str(name): value for name, value in options.items()})


def _require_no_file(option: Option, value: Any) -> None:
    several = value if isinstance(value, list) else [value]
    if any(isinstance(one, list | dict) or len(str(one)) > MOST_TEXT for one in several):
        raise SettingError(
            f"{option.name}: expected text of at most {MOST_TEXT} characters, or lists"
        )
    if value is None or value in ("", []):
        return
    if option.kind not in OPEN:
        raise SettingError(f"{option.name}: files are named on the command line alone")
    if option.kind == "image" and not (
        isinstance(value, int | str)
        and (str(value) in option.choices or _NUMBER.fullmatch(str(value)))
    ):
        known = ", or ".join(["the number of a picture in the data", *option.choices])
        raise SettingError(f"{option.name}: {str(value)!r:.80} is no picture here; give {known}")
    if option.kind in ("count", "number") and isinstance(value, int | float) and value > MOST:
        raise SettingError(f"{option.name}: {value} is more than {MOST:,}")


def asking_context(exhibit: Exhibit) -> dict[str, Any]:
    """Every question, panel by panel, with the fields of its form that may be filled in."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for form in forms().values():
        fields = [field for field in form["fields"] if field["kind"] in OPEN]
        told = {**form, "fields": fields, "refused": refused(form)}
        panels.setdefault(form["panel"], []).append(told)
    network = exhibit.network
    return {
        "exhibit": exhibit,
        "panels": panels,
        "most": MOST,
        "layers": [] if network is None else [each.name for each in network.layers.values()],
        "classes": list(network.classes) if network is not None and network.classifies else [],
    }
