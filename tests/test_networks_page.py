"""docs/networks.md tells of each kind of network what happens."""

from pathlib import Path

import pytest

import kinds
import kinds_network
import kinds_outputs

PAGE = Path(__file__).parents[1] / "docs" / "networks.md"
KINDS = [*kinds_outputs.KINDS, *kinds_network.KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_is_done_with_a_kind(kind: kinds.Kind) -> None:
    kinds.check(kind)


def test_the_page_has_the_table() -> None:
    page = PAGE.read_text("utf-8")
    assert kinds.written(page, kinds.table(KINDS)) == page, (
        "write it anew: PYTHONPATH=tests python -m kinds docs/networks.md"
    )
