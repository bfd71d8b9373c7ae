"""Drawing is read when something is drawn, and every kind of answer finds its sheet itself."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # a process for each


def test_matplotlib_is_imported_by_the_first_sheet() -> None:
    code = (
        "import sys, torch; import phosphene.figures as f; "
        "[getattr(f, name) for name in f.__all__]; assert 'matplotlib' not in sys.modules; "
        "from phosphene.probes import Facets; from phosphene.objectives import Channel; "
        "from phosphene.results import sheet; "
        "made = Facets('n', Channel('a', 0), 'a', torch.rand(1, 1, 8, 8), (1.0,), (1.0,)); "
        "assert sheet(made).width > 100; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
