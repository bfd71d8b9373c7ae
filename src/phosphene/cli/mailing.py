"""`phosphene export --live`: the network of an atlas made ready to be run by a page."""

from functools import partial
from pathlib import Path

from phosphene.cli.answering import source
from phosphene.cli.described import Described
from phosphene.cli.output import say
from phosphene.errors import NetworkError, PhospheneError
from phosphene.figures.site.export import Bench
from phosphene.live.exhibits import Exhibit
from phosphene.live.mailed.files import bench_files
from phosphene.live.mailed.traced import program_of
from phosphene.words import number


def bench_of(atlas: Path, model: str | None, trust: bool, told: Described) -> Bench:
    """What writes the bench of an atlas.

    Raises:
        NetworkError: the network is not there, or runs what no page can, which is named.
    """
    try:
        network = source(str(atlas), model, None, 0, "cpu", trust, told).network
        program, off = program_of(network)
    except PhospheneError as error:
        raise NetworkError(
            f"the site is written without a bench, and --live was asked for: {error}"
        ) from error
    say(
        f"The bench runs {len(program.ops)} operations with {program.parameters:,} numbers in "
        f"single precision; run one by one here, its class scores differ by {number(off)} at most"
    )
    return partial(bench_files, Exhibit(atlas.stem, atlas, network), program)
