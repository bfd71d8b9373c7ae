"""`phosphene build --precision bfloat16`, from the command to the page."""

from pathlib import Path

import pytest
import torch

from phosphene.atlas import Atlas
from phosphene.network import precision

WORDS = "--data digits --layers conv2,fc2 --units *:0-1 --steps 3 --out a.atlas"


@pytest.fixture(autouse=True)
def anew() -> None:
    """As in a process of its own: what is said once has not been said yet."""
    precision._check_device.cache_clear()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_it_is_drawn_kept_shown_and_gone_on_with(
    run, small_model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    words = ["build", *small_model, *WORDS.split(), "--precision", "bfloat16"]
    status, printed = run(*words, "--plan")
    assert (status, printed.count("warning: drawing in bfloat16 is slower")) == (0, 1), printed
    status, printed = run(*words)
    assert status == 0, printed
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        made = {record.settings["precision"] for record in atlas.pictures("conv2")}
        done = len(atlas.jobs())
    assert made == {"bfloat16"}
    assert run(*words)[0] == 0
    with Atlas.open(tmp_path / "a.atlas") as atlas:
        assert len(atlas.jobs()) == done
    status, printed = run(*words[:-2])
    assert (status, "precision float32 where the atlas has bfloat16" in printed) == (2, True)
    status, printed = run("show", "a.atlas", "conv2:0", "--out", "unit.png")
    assert (status, "drawn in bfloat16" in printed) == (0, True), printed
    assert run("export", "a.atlas", "site")[0] == 0
    page = (tmp_path / "site" / "unit-conv2-0.html").read_text()
    assert "<dt>precision</dt><dd>bfloat16</dd>" in page


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("bf16", "no precision 'bf16' to draw in; nearest: bfloat16; there are: float32, bfloat16"),
        ("half", "no precision 'half' to draw in; there are: float32, bfloat16. Leave it out for"),
    ],
)
def test_a_precision_that_is_none_is_refused_before_the_network_is_made(
    run, tmp_path: Path, said: str, told: str
) -> None:
    status, printed = run("build", "nowhere.py:make", *WORDS.split(), "--precision", said)
    assert (status, told in printed) == (2, True), printed
