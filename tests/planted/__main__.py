"""Writes what every measure gets wrong into README.md: `PYTHONPATH=tests python -m planted`."""

from pathlib import Path

import planted

BEGIN, END = "<!-- wrong: written by python -m planted -->\n", "<!-- end of wrong -->"
README = Path(__file__).with_name("README.md")


def written(page: str) -> str:
    """The page with the table of all measures in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = {name: planted.judge(measure) for name, measure in planted.MEASURES.items()}
    return f"{before}{BEGIN}\n{planted.overview(tables)}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text("utf-8")), encoding="utf-8")
